"""What a vendor's specification adds to a container."""

from typing import Any

import pytest

from wharfd.model.errors import InvalidParameter
from wharfd.wire.cdi import NodeNumbers, apply, parse_cdi_spec, resolve

DOCUMENT = {
    "cdiVersion": "0.6.0",
    "kind": "example.com/device",
    "containerEdits": {"env": ["SHARED=1"], "additionalGIDs": [44]},
    "devices": [
        {
            "name": "one",
            "containerEdits": {
                "env": ["DEVICE=one"],
                "deviceNodes": [{"path": "/dev/one", "hostPath": "/dev/null", "permissions": "rw"}],
                "mounts": [{"hostPath": "/usr/lib/one", "containerPath": "/lib/one", "options": ["ro", "bind"]}],
                "hooks": [{"hookName": "createContainer", "path": "/bin/hook", "args": ["hook", "a"], "timeout": 3}],
            },
        },
        {"name": "two", "containerEdits": {"env": ["DEVICE=two"]}},
    ],
}


def empty() -> dict[str, Any]:
    return {
        "process": {"env": ["PATH=/bin", "DEVICE=none"], "user": {"uid": 0, "gid": 0, "additionalGids": [5]}},
        "mounts": [{"destination": "/lib/one"}, {"destination": "/proc"}],
        "linux": {"devices": [], "resources": {"devices": [{"allow": False}]}},
    }


def look(path: str) -> NodeNumbers | None:
    return NodeNumbers("c", 1, 3, 0o666, 0, 0) if path == "/dev/null" else None


def test_a_device_brings_its_variables_nodes_mounts_and_hooks() -> None:
    spec = empty()
    apply(resolve([parse_cdi_spec(DOCUMENT, "f")], ["example.com/device=one"]), spec, look)
    assert spec["process"]["env"] == ["PATH=/bin", "SHARED=1", "DEVICE=one"]
    assert spec["process"]["user"]["additionalGids"] == [5, 44]
    assert spec["mounts"] == [
        {"destination": "/proc"},
        {"destination": "/lib/one", "source": "/usr/lib/one", "type": "bind", "options": ["ro", "bind"]},
    ]
    assert spec["linux"]["devices"] == [
        {"path": "/dev/one", "type": "c", "major": 1, "minor": 3, "fileMode": 0o666, "uid": 0, "gid": 0}
    ]
    assert spec["linux"]["resources"]["devices"][-1] == {
        "allow": True,
        "type": "c",
        "major": 1,
        "minor": 3,
        "access": "rw",
    }
    assert spec["hooks"] == {"createContainer": [{"path": "/bin/hook", "args": ["hook", "a"], "timeout": 3}]}


def test_what_devices_share_is_added_once() -> None:
    edits = resolve([parse_cdi_spec(DOCUMENT, "f")], ["example.com/device=two", "example.com/device=one"])
    assert len(edits) == 3


def test_a_later_file_wins() -> None:
    later = {**DOCUMENT, "devices": [{"name": "two", "containerEdits": {"env": ["DEVICE=later"]}}]}
    edits = resolve([parse_cdi_spec(DOCUMENT, "a"), parse_cdi_spec(later, "b")], ["example.com/device=two"])
    assert edits[-1].env == ["DEVICE=later"]


def test_unknown_devices_are_named() -> None:
    with pytest.raises(InvalidParameter) as caught:
        resolve([parse_cdi_spec(DOCUMENT, "f")], ["example.com/device=one", "a.b/c=d", "a.b/c=e"])
    assert str(caught.value) == "CDI device injection failed: unresolvable CDI devices a.b/c=d, a.b/c=e"


def test_a_node_that_the_host_lacks_is_refused_unless_it_is_described() -> None:
    node = {"path": "/dev/gone"}
    document = {**DOCUMENT, "devices": [{"name": "x", "containerEdits": {"deviceNodes": [node]}}]}
    with pytest.raises(InvalidParameter, match='failed to stat CDI host device "/dev/gone"'):
        apply(resolve([parse_cdi_spec(document, "f")], ["example.com/device=x"]), empty(), look)
    node |= {"type": "c", "major": 10, "minor": 1}  # type: ignore[dict-item]
    spec = empty()
    apply(resolve([parse_cdi_spec(document, "f")], ["example.com/device=x"]), spec, look)
    assert spec["linux"]["devices"][0]["major"] == 10


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "nokind"},
        {"kind": "a/"},
        {"devices": []},
        {"devices": [{"name": ""}]},
        {"devices": [{"name": "a"}, {"name": "a"}]},
        {"devices": "x"},
        {"cdiVersion": 5},
        {"containerEdits": {"hooks": [{"hookName": "never", "path": "/x"}]}},
    ],
)
def test_a_broken_file_is_named(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameter, match=r"invalid CDI specification file\.yaml"):
        parse_cdi_spec({**DOCUMENT, **change}, "file.yaml")
