"""`/containers/{id}/logs` over the socket: what is refused, when the head comes, what is announced, and when it ends."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.integration.api.rig import ApiRig
from tests.integration.transport.rig import Answer
from tests.waiting import until
from wharfd.api.handlers.logs import LogHandlers
from wharfd.drivers.logs.kinds import log_drivers
from wharfd.engine.containers.logs import Logs
from wharfd.engine.containers.waiters import Waiters
from wharfd.engine.events import EventBus
from wharfd.engine.ledger import Ledger
from wharfd.model.config import LogConfig
from wharfd.model.container import ContainerRecord, State
from wharfd.sys.blocking import Pool
from wharfd.testing.builders import a_container, a_host_config
from wharfd.testing.clock import START_NS, FakeClock
from wharfd.testing.records import FakeRecords
from wharfd.wire.crilog import Record, format_record, record_time
from wharfd.wire.stdcopy import Decoder

START_S = START_NS // 10**9


@pytest.fixture
def pool() -> Iterator[Pool]:
    pool = Pool("logs", 1)
    yield pool
    pool.close()


class Engine:
    def __init__(self, folder: Path, pool: Pool) -> None:
        self.log_path = str(folder / "c1-json.log")
        self.waiters = Waiters()
        self.ledger = Ledger(FakeRecords(), EventBus())
        logs = Logs(ledger=self.ledger, waiters=self.waiters, drivers=log_drivers(pool))
        self.rig = ApiRig(folder / "api.sock", LogHandlers(logs, FakeClock().now_ns).routes())

    def have(self, **over: object) -> ContainerRecord:
        record = a_container(**{"name": "web", "log_path": self.log_path, **over})  # type: ignore[arg-type]
        self.ledger.post(record)
        return record

    def write(self, text: str, stream: int = 1, second: int = 0) -> None:
        with open(self.log_path, "ab") as file:
            file.write(format_record(Record(stream, record_time(START_NS + second * 10**9), False, text.encode())))

    async def ask(self, query: str, version: str = "", ref: str = "web") -> Answer:
        client = await self.rig.connect()
        await client.request(f"GET {version}/containers/{ref}/logs{query}", "Host: x")
        return await client.answer()


@pytest.fixture
async def engine(tmp_path: Path, pool: Pool) -> AsyncIterator[Engine]:
    made = Engine(tmp_path, pool)
    await made.ledger.open()
    await made.rig.start()
    yield made
    await made.rig.stop()


@pytest.mark.parametrize(
    ("version", "tty", "content_type"),
    [
        ("/v1.41", False, "raw-stream"),
        ("/v1.42", False, "multiplexed-stream"),
        ("", False, "multiplexed-stream"),
        ("", True, "raw-stream"),
    ],
)
async def test_what_the_body_is(engine: Engine, version: str, tty: bool, content_type: str) -> None:
    engine.have(tty=tty)
    engine.write("hello world")
    answer = await engine.ask("?stdout=1", version)
    assert answer.status == 200
    assert answer.header("Content-Type") == f"application/vnd.docker.{content_type}"
    assert answer.body == b"hello world\n" if tty else answer.body == b"\1\0\0\0\0\0\0\x0chello world\n"


@pytest.mark.parametrize(
    ("query", "seen"),
    [
        ("?stdout=1&stderr=1", ["0", "1", "2", "3"]),
        ("?stdout=True&stderr=no", ["0", "2"]),
        ("?stderr=1", ["1", "3"]),
        ("?stdout=1&stderr=1&tail=1", ["3"]),
        ("?stdout=1&stderr=1&tail=0", []),
        ("?stdout=1&stderr=1&tail=all", ["0", "1", "2", "3"]),
        ("?stdout=1&stderr=1&tail=-1", ["0", "1", "2", "3"]),
        ("?stdout=1&stderr=1&tail=many", ["0", "1", "2", "3"]),
        (f"?stdout=1&stderr=1&since={START_S + 2}", ["2", "3"]),
        (f"?stdout=1&stderr=1&since={START_S + 1}.000000001", ["2", "3"]),
        (f"?stdout=1&stderr=1&until={START_S + 1}", ["0", "1"]),
        ("?stdout=1&stderr=1&until=0&since=0", ["0", "1", "2", "3"]),
        ("?stdout=1&stderr=1&follow=1", ["0", "1", "2", "3"]),
        ("?stdout=1&tail=2&timestamps=1&details=1", ["2023-11-14T22:13:22.000000000Z  2"]),
    ],
)
async def test_queries(engine: Engine, query: str, seen: list[str]) -> None:
    engine.have(state=State.EXITED)
    for second in range(4):
        engine.write(str(second), 1 + second % 2, second)
    frames = Decoder().feed((await engine.ask(query)).body)
    assert [text.decode() for _, text in frames] == [f"{line}\n" for line in seen]


@pytest.mark.parametrize(
    ("query", "over", "status", "message"),
    [
        ("", {}, 400, "Bad parameters: you must choose at least one stream"),
        ("?stdout=0&stderr=false", {}, 400, "Bad parameters: you must choose at least one stream"),
        ("?stdout=1&since=when", {}, 400, 'failed to parse value as time or duration: "when"'),
        (
            "?stdout=1",
            {"state": State.REMOVING},
            409,
            "can not get logs from container which is dead or marked for removal",
        ),
        (
            "?stdout=1",
            {"host_config": a_host_config(log_config=LogConfig(type="none"))},
            501,
            "configured logging driver does not support reading",
        ),
    ],
)
async def test_refusals(engine: Engine, query: str, over: dict[str, object], status: int, message: str) -> None:
    engine.have(**over)
    answer = await engine.ask(query)
    assert (answer.status, json.loads(answer.body)) == (status, {"message": message})


async def test_no_such_container(engine: Engine) -> None:
    answer = await engine.ask("?stdout=1", ref="nobody")
    assert (answer.status, json.loads(answer.body)) == (404, {"message": "No such container: nobody"})


async def test_following_sends_the_head_at_once_then_lines_as_they_come_and_ends_with_the_run(engine: Engine) -> None:
    record = engine.have(state=State.RUNNING, tty=True)
    client = await engine.rig.connect()
    await client.request("GET /containers/web/logs?stdout=1&follow=1", "Host: x")
    assert (await client.head()).status == 200
    for text in ("one", "two"):
        engine.write(text)
        assert await client.chunk() == f"{text}\n".encode()
    engine.waiters.exited(record)
    assert await client.chunk() == b""
    assert not engine.waiters.by_container


async def test_a_follower_that_leaves_is_forgotten(engine: Engine) -> None:
    engine.have(state=State.RUNNING)
    client = await engine.rig.connect()
    await client.request("GET /containers/web/logs?stdout=1&follow=1", "Host: x")
    await client.head()
    assert engine.waiters.by_container
    client.close()
    await until(lambda: not engine.waiters.by_container)


async def test_following_ends_when_the_engine_stops(engine: Engine) -> None:
    engine.have(state=State.RUNNING)
    client = await engine.rig.connect()
    await client.request("GET /containers/web/logs?stdout=1&follow=1", "Host: x")
    await client.head()
    await engine.rig.server.shutdown(20)
    assert await client.chunk() == b""


async def test_a_reader_that_is_slow_costs_no_memory(engine: Engine) -> None:
    """What is not taken is not read either."""
    engine.have()
    for _ in range(40):
        with open(engine.log_path, "ab") as file:
            file.write(format_record(Record(1, record_time(START_NS), False, b"x" * 100)) * 10_000)
    client = await engine.rig.connect()
    await client.request("GET /containers/web/logs?stdout=1", "Host: x")
    await client.head()
    [connection] = engine.rig.server.connections
    await until(lambda: connection.transport.get_write_buffer_size() > 0)
    assert connection.transport.get_write_buffer_size() < 2_000_000
    total = 0
    while piece := await client.chunk():
        total += len(piece)
    assert total == 400_000 * 109
