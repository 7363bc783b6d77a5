"""`/events` over the socket: when the head comes, what follows it, and when it ends."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.integration.api.rig import ApiRig
from tests.integration.transport.rig import Client
from tests.waiting import until
from wharfd.api.handlers.events import EventHandlers
from wharfd.engine.events import EventBus, EventFeed
from wharfd.engine.ledger import Ledger
from wharfd.model.json import JsonObject
from wharfd.testing.builders import a_container, an_event
from wharfd.testing.clock import START_NS, FakeClock
from wharfd.testing.records import FakeRecords

START_S = START_NS // 10**9


class Engine:
    def __init__(self, path: Path) -> None:
        self.clock = FakeClock()
        self.bus = EventBus()
        records = FakeRecords()
        self.ledger = Ledger(records, self.bus)
        self.rig = ApiRig(path, EventHandlers(EventFeed(self.bus, records, self.clock.now_ns)).routes())

    async def happen(self, **event: object) -> None:
        await self.ledger.commit(events=[an_event(**{"at_ns": self.clock.now_ns(), **event})])


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    made = Engine(tmp_path / "api.sock")
    await made.ledger.open()
    await made.rig.start()
    yield made
    await made.rig.stop()


async def ask(engine: Engine, query: str = "", *lines: str, version: str = "") -> Client:
    client = await engine.rig.connect()
    await client.request(f"GET {version}/events{query}", "Host: x", *lines)
    return client


async def told(client: Client) -> JsonObject:
    document: JsonObject = json.loads(await client.chunk())
    return document


async def test_the_head_comes_before_anything_happens_and_what_happens_then_is_told(engine: Engine) -> None:
    client = await ask(engine)
    head = await client.head()
    assert (head.status, head.header("Content-Type")) == (200, "application/json")
    await engine.happen(action="start", actor_id="c1")
    assert await told(client) == {
        "Type": "container",
        "Action": "start",
        "Actor": {"ID": "c1", "Attributes": {"image": "busybox", "name": "box"}},
        "scope": "local",
        "time": START_S,
        "timeNano": START_NS,
    }


async def test_the_past_is_told_only_if_a_bound_is_given(engine: Engine) -> None:
    for action in ("create", "start", "die"):
        await engine.happen(action=action)
        engine.clock.advance(1)
    client = await ask(engine)
    await client.head()
    await engine.happen(action="destroy")
    assert (await told(client))["Action"] == "destroy"
    client = await ask(engine, f"?since={START_S + 1}")
    await client.head()
    assert [(await told(client))["Action"] for _ in range(3)] == ["start", "die", "destroy"]
    await engine.happen(action="prune")
    assert (await told(client))["Action"] == "prune"


async def test_until_in_the_past_ends_the_answer(engine: Engine) -> None:
    for action in ("create", "start", "die"):
        await engine.happen(action=action)
        engine.clock.advance(1)
    client = await ask(engine, f"?until={START_S + 1}.0")
    assert [json.loads(line)["Action"] for line in (await client.answer()).body.splitlines()] == ["create", "start"]


async def test_until_in_the_future_ends_the_answer_then(engine: Engine) -> None:
    client = await ask(engine, f"?until={START_S}.2")
    await client.head()
    await engine.happen(action="start")
    assert (await told(client))["Action"] == "start"
    assert await client.chunk() == b""


@pytest.mark.parametrize(
    ("version", "accept", "content_type", "prefix"),
    [
        ("/v1.52", "application/x-ndjson", "application/x-ndjson", ""),
        ("/v1.52", "*/*", "application/jsonl", ""),
        ("", "application/json-seq, application/jsonl;q=0.9", "application/json-seq", "\x1e"),
        ("/v1.55", "text/html", "application/json", ""),
        ("/v1.51", "application/x-ndjson", "application/json", ""),
    ],
)
async def test_content_types(engine: Engine, version: str, accept: str, content_type: str, prefix: str) -> None:
    client = await ask(engine, "", f"Accept: {accept}", version=version)
    assert (await client.head()).header("Content-Type") == content_type
    await engine.happen()
    line = (await client.chunk()).decode()
    assert line.startswith(prefix + "{")
    assert line.endswith("}\n")


async def test_old_clients_get_the_old_keys_and_no_image_create(engine: Engine) -> None:
    old, new = await ask(engine, version="/v1.45"), await ask(engine, version="/v1.46")
    await old.head()
    await new.head()
    await engine.happen(type="image", action="create", actor_id="i1", attributes={})
    await engine.happen(type="container", action="create", actor_id="c1")
    assert (await told(new))["Action"] == "create"
    first = await told(old)
    assert {key: first[key] for key in ("Type", "status", "id", "from")} == {
        "Type": "container",
        "status": "create",
        "id": "c1",
        "from": "busybox",
    }


async def test_filters_choose(engine: Engine) -> None:
    client = await ask(engine, "?filters=" + quote('{"type":["container"],"event":["exec_start"]}'))
    await client.head()
    for event in (
        {"type": "network", "action": "exec_start"},
        {"action": "start"},
        {"action": "exec_start: ls -l", "actor_id": "wanted"},
    ):
        await engine.happen(**event)
    assert (await told(client))["Actor"]["ID"] == "wanted"


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("?since=20&until=10", "`since` time (20) cannot be after `until` time (10)"),
        ("?since=yesterday", 'failed to parse value as time or duration: "yesterday"'),
        ("?filters=nonsense", "invalid filter"),
    ],
)
async def test_bad_queries_are_refused(engine: Engine, query: str, message: str) -> None:
    answer = await (await ask(engine, query)).answer()
    assert (answer.status, json.loads(answer.body)) == (400, {"message": message})


async def test_a_listener_that_leaves_is_forgotten(engine: Engine) -> None:
    client = await ask(engine)
    await client.head()
    assert len(engine.bus.subscriptions) == 1
    client.close()
    await until(lambda: not engine.bus.subscriptions)


async def test_the_answer_ends_when_the_engine_stops(engine: Engine) -> None:
    client = await ask(engine)
    await client.head()
    await engine.ledger.commit(a_container())
    await engine.rig.server.shutdown(20)
    assert await client.chunk() == b""
    assert not engine.bus.subscriptions
