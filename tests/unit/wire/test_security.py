"""`HostConfig.SecurityOpt`."""

import pytest

from wharfd.model.errors import InvalidParameter
from wharfd.wire.security import SecurityOptions, parse_security_options


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (None, SecurityOptions()),
        (["no-new-privileges"], SecurityOptions(no_new_privileges=True)),
        (["no-new-privileges=false"], SecurityOptions(no_new_privileges=False)),
        (["no-new-privileges:true"], SecurityOptions(no_new_privileges=True)),
        (["seccomp=unconfined"], SecurityOptions(seccomp="unconfined")),
        (["seccomp:unconfined"], SecurityOptions(seccomp="unconfined")),
        (['seccomp={"defaultAction":"a=b"}'], SecurityOptions(seccomp='{"defaultAction":"a=b"}')),
        (["apparmor=mine"], SecurityOptions(apparmor="mine")),
        (["label=disable"], SecurityOptions(labels=("disable",))),
        (["label=type:t", "label:level:s0"], SecurityOptions(labels=("type:t", "level:s0"))),
        (["systempaths=unconfined"], SecurityOptions(unconfined_paths=True)),
        (["writable-cgroups=true"], SecurityOptions(writable_cgroups=True)),
    ],
)
def test_options(options: list[str] | None, expected: SecurityOptions) -> None:
    assert parse_security_options(options) == expected


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("nonsense", 'invalid --security-opt 1: "nonsense"'),
        ("other=thing", 'invalid --security-opt 2: "other=thing"'),
        ("no-new-privileges=perhaps", 'invalid --security-opt 2: "no-new-privileges=perhaps"'),
        ("", 'invalid --security-opt 1: ""'),
    ],
)
def test_what_is_refused(option: str, message: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        parse_security_options([option])
    assert caught.value.message == message
