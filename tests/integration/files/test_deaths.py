"""The engine is killed, and clients leave, in the middle of copies and commits: containers are unharmed and nothing stays behind."""

import io
import socket
import tarfile
import time
from pathlib import Path

import pytest

from tests.engine import Engine, UnixConnection, settled
from tests.integration.files.rig import get, put_members
from tests.tars import entry

BIG = 48 << 20


def begin_put(engine: Engine, ref: str, *, whole: bool = False) -> socket.socket:
    """Half of an archive is on its way."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for number in range(200):
            info = tarfile.TarInfo(f"half/f{number}")
            info.size = 10_000
            tar.addfile(info, io.BytesIO(bytes(10_000)))
    data = out.getvalue()
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(engine.socket)
    head = f"PUT /containers/{ref}/archive?path=/tmp HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n\r\n"
    connection.sendall(head.encode() + (data if whole else data[: len(data) // 2]))
    return connection


def begin_get(engine: Engine, ref: str) -> UnixConnection:
    connection = UnixConnection(engine.socket, 60)
    connection.request("GET", f"/containers/{ref}/archive?path=/tmp/big")
    assert connection.getresponse().read(10)
    return connection


def until_seen(engine: Engine, ref: str, path: str) -> None:
    deadline = time.monotonic() + 30
    while get(engine, ref, path).status != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def workers_of(engine: Engine) -> list[str]:
    return [words for words in processes_below(engine.pid) if "wharfd.workers" in words]


def processes_below(pid: int) -> list[str]:
    found = []
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        found.append(Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


@pytest.mark.parametrize("runs", [False, True])
def test_clients_that_leave(engine: Engine, runs: bool) -> None:
    ref = engine.create("sleep", "1000")
    put_members(engine, ref, "/tmp", entry("big", bytes(BIG)))
    if runs:
        assert engine.post(f"/containers/{ref}/start").status == 204
    quiet = engine.traces()["mounts"]
    for _ in range(3):
        begin_get(engine, ref).close()
        begin_put(engine, ref).close()
    deadline = time.monotonic() + 15
    while engine.traces()["mounts"] != quiet:
        assert time.monotonic() < deadline, engine.traces()["mounts"]
        time.sleep(0.05)
    assert get(engine, ref, "/etc/passwd").status == 200
    assert engine.inspect(ref)["State"]["Running"] is runs


def test_the_engine_dies_during_copies(engine: Engine) -> None:
    at_rest, runs = engine.create("true"), engine.run("sleep", "1000")
    for ref in (at_rest, runs):
        put_members(engine, ref, "/tmp", entry("big", bytes(BIG)))
    pid = engine.inspect(runs)["State"]["Pid"]
    clients: list[UnixConnection | socket.socket] = [
        begin_get(engine, at_rest),
        begin_get(engine, runs),
        begin_put(engine, at_rest),
        begin_put(engine, runs),
    ]
    for ref in (at_rest, runs):
        until_seen(engine, ref, "/tmp/half/f10")
    assert workers_of(engine)
    engine.kill()
    # The death of the engine is the death of its workers, and of their mounts with them.
    engine.start()
    for client in clients:
        client.close()
    state = engine.inspect(runs)["State"]
    assert (state["Status"], state["Pid"]) == ("running", pid)
    mounts = [mount for mount in engine.traces()["mounts"] if mount.endswith("/merged")]
    assert [at_rest in mount for mount in mounts] == [False]
    for ref in (at_rest, runs):
        assert get(engine, ref, "/tmp/half/f10").status == 200  # what was written before stays
        assert engine.delete(f"/containers/{ref}?force=1").status == 204


def test_the_engine_dies_during_a_commit(engine: Engine) -> None:
    ref = engine.run("sh", "-c", "while true; do date +%N > /tick; sleep 0.02; done")
    for number in range(4):
        put_members(engine, ref, "/tmp", entry(f"big{number}", random_bytes(BIG)))
    before = stored(engine)
    images = engine.get("/images/json").json
    connection = UnixConnection(engine.socket, 60)
    connection.request("POST", f"/commit?container={ref}&repo=never")
    deadline = time.monotonic() + 30
    while not (part := list((engine.data_root / "content").rglob("*.part"))) or not part[0].stat().st_size:
        assert time.monotonic() < deadline
    engine.kill()
    connection.close()
    engine.start()
    assert engine.inspect(ref)["State"]["Status"] == "running"
    first = ticks(engine, ref)
    deadline = time.monotonic() + 15
    while ticks(engine, ref) == first:  # it was frozen, and goes on
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert engine.get("/images/json").json == images
    assert stored(engine) == before
    assert engine.post("/commit", query={"container": ref, "repo": "after"}).status == 201
    assert engine.delete("/images/after").status == 200


def random_bytes(count: int) -> bytes:
    with open("/dev/urandom", "rb") as source:
        return source.read(count)


def ticks(engine: Engine, ref: str) -> bytes:
    return get(engine, ref, "/tick").body


def stored(engine: Engine) -> list[str]:
    content = engine.data_root / "content"
    return sorted(str(path.relative_to(content)) for path in content.rglob("*") if path.is_file())


def test_a_container_that_is_removed_during_a_copy(engine: Engine) -> None:
    quiet = engine.traces()
    ref = engine.create("true")
    put_members(engine, ref, "/tmp", entry("big", bytes(BIG)))
    connection = begin_get(engine, ref)
    assert engine.delete(f"/containers/{ref}").status == 204
    connection.close()
    assert settled(engine, quiet)["mounts"] == quiet["mounts"]
