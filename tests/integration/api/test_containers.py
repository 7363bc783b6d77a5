"""Containers and volumes over the socket, on fake drivers: the tables of tests/api, and what needs a closer look at bytes and time."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.api.bodies import REFUSED, Body
from tests.api.steps import run
from tests.api.tables import TABLES, VERSIONS
from tests.integration.api.rig import ApiRig
from tests.integration.transport.rig import Answer, Client
from tests.unit.engine.containers.maker import Maker
from tests.waiting import until
from wharfd.api.handlers.container_life import ContainerLifeHandlers
from wharfd.api.handlers.containers import UNBUILT_UNDOCUMENTED, ContainerHandlers
from wharfd.api.handlers.volumes import VolumeHandlers
from wharfd.engine.volumes.create import CreateVolume
from wharfd.engine.volumes.prune import PruneVolumes
from wharfd.engine.volumes.remove import RemoveVolume
from wharfd.engine.volumes.shared import SharedListing


class Engine:
    def __init__(self, path: Path, maker: Maker) -> None:
        self.maker = maker
        drivers = {"local": maker.world.volumes}
        remove = RemoveVolume(ledger=maker.ledger, locks=maker.locks, clock=maker.clock, drivers=drivers)
        handlers = (
            ContainerHandlers(
                create=maker.create,
                list_containers=maker.list,
                inspect=maker.inspect,
                rename=maker.rename,
                top=maker.top,
                update=maker.update,
                remove=maker.remove,
                prune=maker.prune,
            ),
            ContainerLifeHandlers(
                start=maker.start,
                stop=maker.stop,
                restart=maker.restart,
                kill=maker.kill,
                pause=maker.pause,
                unpause=maker.unpause,
                wait=maker.wait,
            ),
            VolumeHandlers(
                ledger=maker.ledger,
                shared=SharedListing(ledger=maker.ledger, clock=maker.clock, drivers=drivers),
                create=CreateVolume(ledger=maker.ledger, locks=maker.locks, maker=maker.volume_maker),
                remove=remove,
                prune=PruneVolumes(ledger=maker.ledger, clock=maker.clock, drivers=drivers, remove=remove),
            ),
        )
        self.rig = ApiRig(path, [route for each in handlers for route in each.routes()])

    async def answer(self, first: str, *lines: str, body: bytes = b"") -> Answer:
        is_head = first.startswith("HEAD")
        client = await self.rig.connect()
        if body:
            lines = (*lines, "Content-Type: application/json", f"Content-Length: {len(body)}")
        await client.request(first, "Host: x", *lines, body=body)
        return await client.answer(is_head)

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        data = b"" if body is None else json.dumps(body).encode()
        answer = await self.answer(f"{method} {quote(path, safe='/?=&%')}", body=data)
        return answer.status, answer.body


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    maker = await Maker.of()
    made = Engine(tmp_path / "api.sock", maker)
    await made.rig.start()
    yield made
    await made.rig.stop()
    await maker.tasks.close()


@pytest.mark.parametrize("minor", VERSIONS)
@pytest.mark.parametrize("table", TABLES)
async def test_tables(engine: Engine, table: str, minor: int) -> None:
    await run(TABLES[table], engine.call, minor, image="alpine")


REFUSED_BY_DECODING = [body for body in REFUSED if body.message.startswith("invalid JSON")]


@pytest.mark.parametrize("case", REFUSED_BY_DECODING, ids=str)
async def test_bodies_of_the_wrong_type(engine: Engine, case: Body) -> None:
    status, raw = await engine.call("POST", "/v1.51/containers/create", case.body)
    assert (status, json.loads(raw)) == (case.status, {"message": case.message})


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"{", "invalid JSON: unexpected EOF"),
        (b"x", "invalid JSON: invalid character 'x' looking for beginning of value"),
        (b'{"Image":"alpine"} x', "unexpected content after JSON"),
        (b"[" * 20_000, "invalid JSON: exceeded max depth"),
        (b'{"Image":"al\xffpine"}', "invalid reference format"),
        (b'{"Image":"a\\ud800"}', "invalid reference format"),
        (b'{"HostConfig":{"Memory":1e400},"Image":"a"}', "of type int64"),
    ],
)
async def test_broken_bodies(engine: Engine, body: bytes, text: str) -> None:
    answer = await engine.answer("POST /containers/create", body=body)
    assert answer.status == 400
    assert text in json.loads(answer.body)["message"]


async def test_a_body_must_say_that_it_is_json(engine: Engine) -> None:
    body = b'{"Image":"alpine"}'
    answer = await engine.answer("POST /containers/create", "Content-Type: text/plain", "Content-Length: 0")
    client = await engine.rig.connect()
    await client.request(
        "POST /containers/create", "Host: x", "Content-Type: text/plain", f"Content-Length: {len(body)}", body=body
    )
    answer = await client.answer()
    assert answer.status == 400
    assert "unsupported Content-Type header (text/plain): must be 'application/json'" in answer.body.decode()


async def test_the_list_is_one_line_of_json(engine: Engine) -> None:
    await engine.maker.make(name="web")
    answer = await engine.answer("GET /containers/json?all=1")
    assert answer.header("Content-Type") == "application/json"
    assert answer.body.endswith(b"]\n")
    assert answer.body.count(b"\n") == 1


# wait


async def created(engine: Engine) -> str:
    record = await engine.maker.make(name="web")
    await engine.maker.start(record.id)
    return record.id


async def waiting(engine: Engine, query: str = "", version: str = "") -> Client:
    client = await engine.rig.connect()
    await client.request(f"POST {version}/containers/web/wait{query}", "Host: x", "Content-Length: 0")
    return client


async def test_the_head_of_wait_comes_before_the_end(engine: Engine) -> None:
    container_id = await created(engine)
    client = await waiting(engine, "?condition=next-exit")
    head = await client.head()
    assert (head.status, head.header("Content-Type")) == (200, "application/json")
    engine.maker.world.runtime.exit(container_id, 3)
    assert json.loads(await client.chunk()) == {"StatusCode": 3}
    assert await client.chunk() == b""


async def test_before_1_30_wait_answers_at_the_end_and_knows_no_condition(engine: Engine) -> None:
    container_id = await created(engine)
    client = await waiting(engine, "?condition=nonsense", "/v1.29")
    await until(lambda: bool(engine.maker.waiters.by_container))
    engine.maker.world.runtime.exit(container_id, 3)
    answer = await client.answer()
    assert (answer.status, json.loads(answer.body)) == (200, {"StatusCode": 3})


async def test_a_client_that_goes_away_waits_no_more(engine: Engine) -> None:
    await created(engine)
    client = await waiting(engine)
    await client.head()
    assert engine.maker.waiters.by_container
    client.sock.close()
    await until(lambda: not engine.maker.waiters.by_container)


@pytest.mark.parametrize(("version", "body"), [("/v1.33", b""), ("/v1.34", None)])
async def test_a_removal_that_failed(engine: Engine, version: str, body: bytes | None) -> None:
    container_id = await created(engine)
    client = await waiting(engine, "?condition=removed", version)
    await client.head()
    engine.maker.world.rootfs.fail_next("remove", OSError("busy"))
    await engine.call("DELETE", f"/containers/{container_id}?force=1")
    piece = await client.chunk()
    if body is not None:
        assert piece == body
    else:
        assert "Error" in json.loads(piece)


async def test_a_stop_goes_on_without_its_client(engine: Engine) -> None:
    container_id = await created(engine)
    engine.maker.world.runtime.obeys[container_id] = frozenset()
    client = await engine.rig.connect()
    await client.request("POST /containers/web/stop?t=30", "Host: x", "Content-Length: 0")
    await until(lambda: bool(engine.maker.world.runtime.signals))
    client.sock.close()
    await asyncio.sleep(0)
    engine.maker.world.runtime.exit(container_id, 0)
    await until(lambda: engine.maker.ledger.container(container_id).state == "exited")
    assert engine.maker.ledger.container(container_id).manually_stopped


# routes that are not built


@pytest.mark.parametrize("route", UNBUILT_UNDOCUMENTED, ids=lambda route: route[2])
async def test_not_built_says_so(engine: Engine, route: tuple[str, ...]) -> None:
    method, pattern, *_ = route
    status, raw = await engine.call(method, pattern.format(id="web", checkpoint="one"))
    assert status == 501
    if method != "HEAD":
        assert json.loads(raw)["message"].endswith("is not implemented by this engine")
