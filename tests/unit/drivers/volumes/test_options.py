"""Options of local volumes as arguments of mount(2)."""

import pytest

from wharfd.drivers.volumes.local.options import MountPlan, parse_options, resolved
from wharfd.model.errors import Internal
from wharfd.sys.mount import MS_BIND, MS_NOEXEC, MS_RDONLY, MS_REC, MS_SHARED


@pytest.mark.parametrize(
    ("words", "flags", "data"),
    [
        ("", 0, ""),
        ("defaults", 0, ""),
        ("ro,noexec,size=1m", MS_RDONLY | MS_NOEXEC, "size=1m"),
        ("ro,rw", 0, ""),
        ("rbind,rshared", MS_BIND | MS_REC | MS_SHARED, ""),
        ("addr=1.2.3.4,rw,nfsvers=4", 0, "addr=1.2.3.4,nfsvers=4"),
    ],
)
def test_words_of_o(words: str, flags: int, data: str) -> None:
    plan = parse_options({"type": "x", "device": "y", "O": words})
    assert plan == MountPlan("y", "x", flags, data)


def address(host: str) -> str:
    return {"nas.example": "192.0.2.5", "2001:db8::5": "2001:db8::5"}[host]


@pytest.mark.parametrize(
    ("plan", "device", "data"),
    [
        (MountPlan(":/export", "nfs", 0, "addr=nas.example,nfsvers=4"), ":/export", "addr=192.0.2.5,nfsvers=4"),
        (MountPlan("//nas.example/share/a", "cifs", 0, "username=x"), "//192.0.2.5/share/a", "username=x"),
        (MountPlan("tmpfs", "tmpfs", 0, "addr=nas.example"), "tmpfs", "addr=nas.example"),
    ],
)
def test_names_of_hosts(plan: MountPlan, device: str, data: str) -> None:
    found = resolved(plan, address)
    assert (found.device, found.data) == (device, data)


def test_a_host_that_nobody_knows() -> None:
    with pytest.raises(Internal, match=r"error resolving passed in network volume address: lookup nosuch.invalid: "):
        resolved(MountPlan(":/x", "nfs4", 0, "addr=nosuch.invalid"))


def test_passwords_are_not_shown() -> None:
    shown = str(MountPlan("//h/s", "cifs", MS_RDONLY, "username=x,password=secret,vers=3"))
    assert shown == ", flags: 0x1, data: username=x,password=********,vers=3"
