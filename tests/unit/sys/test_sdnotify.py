"""The service manager's protocols, with ourselves as the manager."""

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from wharfd.sys import sdnotify
from wharfd.sys.sdnotify import ListenFd, listen_fds
from wharfd.sys.spawn import run


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    address = str(tmp_path / "notify") if request.param == "path" else f"\0wharf-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(address)
        monkeypatch.setenv("NOTIFY_SOCKET", address.replace("\0", "@"))
        yield sock


def test_states(manager: socket.socket) -> None:
    assert sdnotify.ready("listening on /run/x")
    assert manager.recv(1000) == b"READY=1\nSTATUS=listening on /run/x"
    assert sdnotify.stopping()
    assert manager.recv(1000) == b"STOPPING=1"
    assert sdnotify.extend_timeout(1.5)
    assert manager.recv(1000) == b"EXTEND_TIMEOUT_USEC=1500000"
    assert sdnotify.reloading()
    first, second = manager.recv(1000).decode().split("\n")
    assert first == "RELOADING=1"
    assert second.removeprefix("MONOTONIC_USEC=").isdecimal()


@pytest.mark.parametrize("address", ["", "relative", "/no/such/socket"])
def test_nobody_listens(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    assert not sdnotify.ready()


def test_descriptors_for_another_process_are_not_ours() -> None:
    environment = {"LISTEN_PID": str(os.getpid() + 1), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "api", "HOME": "/"}
    assert listen_fds(environment) == []
    assert environment == {"HOME": "/"}
    assert listen_fds({}) == []


def test_broken_variables_are_refused() -> None:
    pid = str(os.getpid())
    with pytest.raises(ValueError, match="not a number"):
        listen_fds({"LISTEN_PID": pid, "LISTEN_FDS": "-1"})
    with pytest.raises(ValueError, match="1 names for 2"):
        listen_fds({"LISTEN_PID": pid, "LISTEN_FDS": "2", "LISTEN_FDNAMES": "api"})
    assert listen_fds({"LISTEN_PID": pid, "LISTEN_FDS": "0"}) == []


ACTIVATED = """
import os
os.environ["LISTEN_PID"] = str(os.getpid())
from wharfd.sys.sdnotify import listen_fds
found = listen_fds()
print(found == eval(os.environ["EXPECTED"]), [os.get_inheritable(l.fd) for l in found], sorted(k for k in os.environ if "LISTEN" in k))
"""


@pytest.mark.parametrize("names", ["api:metrics", ""])
async def test_descriptors_are_taken_over(names: str, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one, socket.socket(socket.AF_UNIX) as two:
        expected = [ListenFd(3, (names and "api") or "unknown"), ListenFd(4, (names and "metrics") or "unknown")]
        environment = {
            "PYTHONPATH": os.pathsep.join(sys.path),
            "LISTEN_FDS": "2",
            "LISTEN_FDNAMES": names,
            "EXPECTED": str([(each.fd, each.name) for each in expected]),
        }
        script = ACTIVATED.replace("found == ", "[(l.fd, l.name) for l in found] == ")
        done = await run(
            [sys.executable, "-c", script], timeout_s=30, env=environment, pass_fds={3: one.fileno(), 4: two.fileno()}
        )
    assert done.stdout.decode().split("\n")[0] == "True [False, False] []", done.stderr
