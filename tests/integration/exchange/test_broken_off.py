"""Pulls that break off: clients that leave, engines that are killed, registries that are slow, gone or wrong."""

import http.client
import json
import os
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.engine import Answer, Engine, UnixConnection
from tests.integration.engine.rig import until
from tests.integration.exchange.conftest import OPEN, Rig
from tests.integration.exchange.images import check_runs, load, runnable_layers
from tests.registries.inside import Wire

pytestmark = pytest.mark.root

SIZES = (1_500_000, 4_500_000, 900_000)
WHOLE = sum(map(len, runnable_layers(*SIZES)))
LOST = 3 * (2 << 20)  # bytes at most: of each download what is in a batch, and what the way holds
PULLED = "Status: Downloaded newer image for"


@pytest.fixture
def wire(rig: Rig) -> Iterator[Wire]:
    wire = Wire(rig.engine.netns, OPEN)
    yield wire
    wire.close()


@pytest.fixture
def name(rig: Rig, wire: Wire) -> str:
    """An image that is in the registry, and not here."""
    stored = f"127.0.0.1:{OPEN}/broken/off:1"
    load(rig.engine, stored, *SIZES)
    assert b"error" not in rig.engine.post(f"/images/{stored}/push").body
    rig.engine.delete(f"/images/{stored}")
    return f"127.0.0.1:{wire.port}/broken/off:1"


def pull(engine: Engine, name: str) -> Answer:
    return engine.post("/images/create", query={"fromImage": name})


class Puller(threading.Thread):
    """A client.  `told` are the lines that it got; the connection may break."""

    def __init__(self, engine: Engine, name: str) -> None:
        super().__init__()
        self.engine = engine
        self.image = name
        self.told: list[Any] = []
        self.start()

    @property
    def has_begun(self) -> bool:
        return any(line.get("status") in ("Waiting", "Downloading") for line in self.told)

    def run(self) -> None:
        connection = UnixConnection(self.engine.socket, self.engine.timeout)
        with suppress(OSError, http.client.HTTPException), closing(connection):
            connection.request("POST", f"/images/create?fromImage={self.image}")
            for line in connection.getresponse():
                self.told.append(json.loads(line))

    def lines(self) -> list[Any]:
        self.join()
        return self.told


@pytest.mark.parametrize("count", [2_000, 400_000, 1_700_000, 4_500_000, 7_000_000, 8_700_000])
def test_after_a_kill_the_pull_goes_on(rig: Rig, wire: Wire, name: str, count: int) -> None:
    engine = rig.engine
    wire.stop_after(count, spares=0)
    client = Puller(engine, name)
    assert wire.wait_stopped()
    until(lambda: received(engine) >= count - LOST, f"only {received(engine)} bytes have arrived")
    engine.kill()
    client.join()
    wire.cut()
    engine.start()
    assert engine.get("/images/json").json == []
    assert not any(each.startswith(("overlay2", "content/ingest")) for each in rig.stored())
    passed = wire.passed
    lines = pull(engine, name).lines()
    assert lines[-1]["status"].startswith(PULLED)
    assert wire.passed - passed < WHOLE - count + LOST
    check_runs(engine, name, *SIZES)


def test_the_last_client_to_leave_ends_the_pull(rig: Rig, wire: Wire, name: str) -> None:
    engine = rig.engine
    wire.stop_after(5_500_000)
    connections = []
    for _ in range(2):
        connection = UnixConnection(engine.socket, 60)
        connection.request("POST", f"/images/create?fromImage={name}")
        connections.append(connection)
    assert wire.wait_stopped()
    connections[0].close()
    assert descriptors(engine, "/content/partial/") > 0
    connections[1].close()
    wire.go_on()
    until(lambda: descriptors(engine, "/content/partial/") == 0)
    assert engine.get("/images/json").json == []
    passed = wire.passed
    assert pull(engine, name).lines()[-1]["status"].startswith(PULLED)
    assert wire.passed - passed < WHOLE - 1_500_000
    check_runs(engine, name, *SIZES)


def test_the_first_client_may_leave(rig: Rig, wire: Wire, name: str) -> None:
    engine = rig.engine
    wire.stop_after(3_000_000)
    first = UnixConnection(engine.socket, 60)
    first.request("POST", f"/images/create?fromImage={name}")
    assert wire.wait_stopped()
    second = Puller(engine, name)
    until(lambda: second.has_begun, "the second client was told nothing of a layer")
    first.close()
    passed = wire.passed
    wire.go_on()
    lines = second.lines()
    assert lines[-1]["status"].startswith(PULLED)
    assert wire.passed - passed < WHOLE - 1_500_000
    check_runs(engine, name, *SIZES)


def test_two_clients_share_a_pull(rig: Rig, wire: Wire, name: str) -> None:
    passed = wire.passed
    wire.stop_after(1_000_000)
    clients = [Puller(rig.engine, name) for _ in range(2)]
    assert wire.wait_stopped()
    wire.go_on()
    for client in clients:
        lines = client.lines()
        assert lines[-1]["status"].startswith(PULLED)
        assert sum(line.get("status") == "Pull complete" for line in lines) == len(SIZES) + 1
    assert wire.passed - passed < 1.3 * WHOLE
    check_runs(rig.engine, name, *SIZES)


def test_a_wire_that_breaks_again_and_again(rig: Rig, wire: Wire, name: str) -> None:
    client = Puller(rig.engine, name)
    for _ in range(4):
        wire.stop_after(900_000)
        assert wire.wait_stopped()
        wire.cut()
    assert client.lines()[-1]["status"].startswith(PULLED)
    check_runs(rig.engine, name, *SIZES)


def test_a_spoilt_blob_is_refused_and_leaves_nothing(rig: Rig, name: str) -> None:
    """The registry's own disk has another byte."""
    digest = max(blobs(rig.open), key=lambda path: path.stat().st_size)
    data = digest.read_bytes()
    digest.write_bytes(data[:5000] + bytes([data[5000] ^ 1]) + data[5001:])
    try:
        lines = pull(rig.engine, name).lines()
        assert "unexpected commit digest" in lines[-1]["error"]
        assert rig.stored() == []
    finally:
        digest.write_bytes(data)
    assert pull(rig.engine, name).lines()[-1]["status"].startswith(PULLED)
    check_runs(rig.engine, name, *SIZES)


def test_an_engine_that_is_killed_while_it_pushes(rig: Rig, wire: Wire) -> None:
    """The image is still here; the next push does it."""
    engine, name = rig.engine, f"127.0.0.1:{wire.port}/killed/push:1"
    before = load(engine, name, *SIZES)
    wire.stop_after(600, spares=0)
    client = threading.Thread(target=try_push, args=(engine, name))
    client.start()
    assert wire.wait_stopped()
    engine.kill()
    client.join()
    wire.cut()
    engine.start()
    check_runs(engine, name, *SIZES)
    assert engine.post(f"/images/{name}/push").lines()[-1]["aux"]["Digest"] == before["Id"]


def try_push(engine: Engine, name: str) -> None:
    with suppress(OSError, http.client.HTTPException):
        engine.post(f"/images/{name}/push")


def received(engine: Engine) -> int:
    """Bytes on the disk of what is on its way."""
    return sum(path.stat().st_size for path in (engine.data_root / "content/partial").iterdir())


def blobs(storage: Path) -> list[Path]:
    return list((storage / "docker/registry/v2/blobs").rglob("data"))


def descriptors(engine: Engine, part: str) -> int:
    """Of the engine, those of files whose path has this part."""
    count = 0
    for fd in Path(f"/proc/{engine.pid}/fd").iterdir():
        try:
            count += part in os.readlink(fd)
        except FileNotFoundError:
            continue
    return count
