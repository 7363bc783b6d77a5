"""The OCI `process` of an exec: the container's own, changed where the request says so."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from wharfd.drivers.runtime.execs import process_document
from wharfd.drivers.runtime.placement import Placement
from wharfd.model.errors import Internal, StartFailed
from wharfd.model.ids import ContainerId
from wharfd.ports.streams import ExecRequest
from wharfd.wire.userdb import ResolvedUser

PROCESS = {
    "terminal": True,
    "consoleSize": {"height": 1, "width": 2},
    "user": {"uid": 5, "gid": 6, "additionalGids": [6]},
    "args": ["sleep"],
    "env": ["PATH=/bin"],
    "cwd": "/srv",
    "capabilities": {"bounding": ["CAP_KILL"]},
    "noNewPrivileges": True,
    "apparmorProfile": "wharfd-default",
    "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 1, "hard": 2}],
}


@pytest.fixture
def placement(tmp_path: Path) -> Placement:
    (tmp_path / "config.json").write_bytes(msgspec.json.encode({"process": PROCESS, "linux": {}}))
    return Placement(container_id=ContainerId("c" * 64), bundle=str(tmp_path), cgroup="/c", runtime="crun")


def document(placement: Placement, **wanted: Any) -> dict[str, Any]:
    return process_document(placement, ExecRequest(**{"args": ["ls"], "env": ["A=1"], **wanted}))


def test_what_is_not_said_is_the_containers(placement: Placement) -> None:
    inherited = {key: PROCESS[key] for key in PROCESS if key not in ("args", "env", "terminal", "consoleSize")}
    assert document(placement) == {**inherited, "args": ["ls"], "env": ["A=1"], "terminal": False}


def test_what_is_said(placement: Placement) -> None:
    found = document(
        placement,
        cwd="/tmp",
        user=ResolvedUser(1, 2, (2, 3), "/"),
        capabilities=["CAP_CHOWN"],
        terminal=True,
        console_size=(30, 90),
    )
    assert found["cwd"] == "/tmp"
    assert found["user"] == {"uid": 1, "gid": 2, "additionalGids": [2, 3]}
    assert found["capabilities"] == {key: ["CAP_CHOWN"] for key in ("bounding", "effective", "permitted")}
    assert (found["terminal"], found["consoleSize"]) == (True, {"height": 30, "width": 90})


@pytest.mark.parametrize("size", [None, (0, 90), (30, 0)])
def test_a_size_of_nothing_is_none(placement: Placement, size: tuple[int, int] | None) -> None:
    assert "consoleSize" not in document(placement, terminal=True, console_size=size)


def test_what_runtimes_do_not_all_refuse(placement: Placement) -> None:
    with pytest.raises(StartFailed, match="Cwd must be an absolute path"):
        document(placement, cwd="tmp")
    with pytest.raises(StartFailed, match="name cannot be empty"):
        document(placement, env=["=x"])


def test_a_bundle_that_is_gone(placement: Placement, tmp_path: Path) -> None:
    (tmp_path / "config.json").unlink()
    with pytest.raises(Internal, match="bundle"):
        document(placement)
