"""The socket's file: who may take its place, who may connect, who removes it."""

import asyncio
import os
import socket
import stat
from pathlib import Path

import pytest

from tests.integration.transport.rig import Client, Rig
from wharfd.api.transport import PeerCredentials, Request, Response
from wharfd.api.transport.unixsocket import bind_unix
from wharfd.model.errors import Conflict, InvalidParameter


async def test_a_stale_socket_is_replaced(rig: Rig, tmp_path: Path) -> None:
    path = str(tmp_path / "stale.sock")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
        dead.listen()
    assert stat.S_ISSOCK(os.lstat(path).st_mode)
    await rig.server.serve_unix(path)
    rig.path = path
    client = await rig.connect()
    await client.request("GET /")
    assert (await client.answer()).status == 404
    assert client.sock.getpeername() == path


async def test_a_live_socket_is_not_taken(rig: Rig) -> None:
    before = os.stat(rig.path).st_ino
    with pytest.raises(Conflict, match="another process is listening there"):
        await rig.server.serve_unix(rig.path)
    assert os.stat(rig.path).st_ino == before


def test_a_live_socket_whose_backlog_is_full_is_not_taken(tmp_path: Path) -> None:
    path = str(tmp_path / "full.sock")
    with (
        socket.socket(socket.AF_UNIX) as live,
        socket.socket(socket.AF_UNIX) as one,
        socket.socket(socket.AF_UNIX) as two,
    ):
        live.bind(path)
        live.listen(0)
        for waiting in (one, two):
            waiting.setblocking(False)
            waiting.connect_ex(path)
        with pytest.raises(Conflict):
            bind_unix(path)


@pytest.mark.parametrize("kind", ["file", "directory", "link"])
def test_what_is_no_socket_is_not_taken(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.sock"
    if kind == "file":
        path.write_text("precious")
    elif kind == "directory":
        path.mkdir()
    else:
        path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InvalidParameter, match="exists and is not a socket"):
        bind_unix(str(path))
    assert os.path.lexists(path)


@pytest.mark.parametrize("umask", [0, 0o022, 0o077])
def test_mode_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    path = str(tmp_path / "x.sock")
    old = os.umask(umask)
    try:
        sock = bind_unix(path, 0o660, os.getgid())
    finally:
        os.umask(old)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o660
    assert not os.get_inheritable(sock.fileno())
    sock.close()


def test_the_file_is_closed_to_others_until_its_mode_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "x.sock")
    before: list[int] = []
    chmod = os.chmod

    def look(name: str, mode: int) -> None:
        before.append(stat.S_IMODE(os.stat(name).st_mode))
        with pytest.raises(ConnectionRefusedError), socket.socket(socket.AF_UNIX) as early:
            early.connect(path)
        chmod(name, mode)

    monkeypatch.setattr(os, "chmod", look)
    old = os.umask(0)
    try:
        bind_unix(path).close()
    finally:
        os.umask(old)
    assert before == [0o600]


@pytest.mark.root
@pytest.mark.skipif(os.getuid() != 0, reason="needs root to give a file to another group")
def test_group(tmp_path: Path) -> None:
    path = str(tmp_path / "x.sock")
    bind_unix(path, 0o660, 4242).close()
    assert os.stat(path).st_gid == 4242


def test_a_missing_directory_and_a_path_that_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        bind_unix(str(tmp_path / "none" / "x.sock"))
    with pytest.raises(OSError, match="too long"):
        bind_unix(str(tmp_path / ("x" * 120)))
    assert os.listdir(tmp_path) == []


def test_a_failure_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise PermissionError("no")

    monkeypatch.setattr(os, "chown", refuse)
    with pytest.raises(PermissionError):
        bind_unix(str(tmp_path / "x.sock"), gid=1)
    assert os.listdir(tmp_path) == []


async def test_the_file_goes_at_shutdown(rig: Rig) -> None:
    await rig.server.shutdown(1)
    assert not os.path.exists(rig.path)


async def test_a_file_that_took_our_place_stays(rig: Rig) -> None:
    os.unlink(rig.path)
    with bind_unix(rig.path):
        await rig.server.shutdown(1)
        assert os.path.exists(rig.path)


async def test_a_file_that_somebody_removed_is_no_error(rig: Rig) -> None:
    os.unlink(rig.path)
    await rig.server.shutdown(1)


async def test_an_inherited_descriptor_is_served_and_its_file_stays(rig: Rig, tmp_path: Path) -> None:
    path = str(tmp_path / "activated.sock")
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(path)
    sock.listen()
    await rig.server.serve_fd(sock.detach())
    rig.path = path
    client = await rig.connect()
    await client.request("GET /")
    assert (await client.answer()).status == 404
    await rig.server.shutdown(1)
    assert os.path.exists(path)


async def test_a_descriptor_that_is_no_unix_socket(rig: Rig, tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET) as tcp, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagrams:
        for sock in (tcp, datagrams):
            with pytest.raises(InvalidParameter, match="not a UNIX stream socket"):
                await rig.server.serve_fd(sock.fileno())
            os.fstat(sock.fileno())  # is still the caller's
    with (tmp_path / "file").open("w") as file, pytest.raises(InvalidParameter, match="is not a socket"):
        await rig.server.serve_fd(file.fileno())


async def test_peer_credentials(rig: Rig) -> None:
    seen: list[PeerCredentials | None] = []

    @rig.on("/who")
    def who(request: Request) -> Response:
        seen.append(request.peer)
        return Response()

    client: Client = await rig.connect()
    await client.request("GET /who")
    await client.answer()
    assert seen == [PeerCredentials(os.getpid(), os.getuid(), os.getgid())]


async def test_many_connections_at_once(rig: Rig) -> None:
    async def one() -> int:
        client = await rig.connect()
        await client.request("GET /none")
        return (await client.answer()).status

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one()) for _ in range(300)]
    assert {task.result() for task in tasks} == {404}
