"""Whatever breaks in the middle of a pull, load, push, deletion or prune: what is listed runs, `verify` finds nothing wrong, and the same
request succeeds the next time.

    the engine dies            at calls of its drivers, spread over each operation: so many as WHARF_TEST_DEATHS says
    the connection breaks      at every tenth of what is pulled
    the registry refuses       in the middle, by passing errors and by lasting ones
    the disk is full           while layers are unpacked
"""

import asyncio
import gzip
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web

from tests.engine import PATIENCE, Engine
from tests.images import archive, image, layer
from tests.integration.engine.dying import all_calls, faulty_engine, is_dead, order, tried
from tests.integration.engine.rig import done, until
from tests.integration.exchange.images import check_runs, runnable_layers
from tests.registries.daemon import real_registry
from tests.registries.faults import Fault as Bad
from tests.registries.faults import FaultProxy
from tests.registries.inside import Wire, registry_inside
from tests.tars import entry
from wharfd.app.verify.check import WRONG, Finding, Kind, check
from wharfd.sys import netns
from wharfd.testing.faults import Fault

pytestmark = [pytest.mark.root, pytest.mark.timeout(600 * PATIENCE)]

PORT = 5000
DEATHS = int(os.environ.get("WHARF_TEST_DEATHS", "8"))
MANY = 2  # of writes there are as many as the line makes of the bytes; so many there always are
SIZES = (300_000, 700_000)
REF = f"127.0.0.1:{PORT}/fault/table:1"
LAYERS = runnable_layers(*SIZES)
PULLED = "Status: Downloaded newer image for"


def packed(name: str) -> bytes:
    stored = [gzip.compress(each, 1, mtime=0) for each in LAYERS]
    return archive(image(name, layers=LAYERS, stored=stored), oci=True)


def found(engine: Engine) -> list[Finding]:
    return check(str(engine.data_root), digests=True).findings


def is_whole(engine: Engine) -> None:
    """What `verify` says of an engine that does nothing now; what is listed runs."""
    until(lambda: not [each for each in found(engine) if each.kind in WRONG], lambda: str(found(engine)))
    for each in engine.get("/images/json").json:
        for name in each["RepoTags"]:
            if "fault/table" in name:
                check_runs(engine, name, *SIZES)


def is_empty(engine: Engine) -> None:
    done(engine.post("/images/prune"), 200)
    looked = check(str(engine.data_root))
    assert looked.findings == []
    assert not [image for image in looked.records.images if REF in image.tags]


# The engine dies


def load(engine: Engine) -> int:
    return tried(lambda: engine.post("/images/load", packed(REF)))


def pull(engine: Engine) -> int:
    return tried(lambda: engine.post("/images/create", query={"fromImage": REF}))


def push(engine: Engine) -> int:
    return tried(lambda: engine.post(f"/images/{REF}/push"))


def remove(engine: Engine) -> int:
    return tried(lambda: engine.delete(f"/images/{REF}"))


def prune(engine: Engine) -> int:
    return tried(lambda: engine.post("/images/prune", query={"filters": {"dangling": ["false"]}}))


def nothing(engine: Engine) -> None:
    prune(engine)


def loaded(engine: Engine) -> None:
    assert load(engine) == 200


def pulled_once(engine: Engine) -> None:
    """It is in the registry, and not here."""
    prune(engine)
    assert pull(engine) == 200
    prune(engine)


def lists(engine: Engine) -> bool:
    return engine.get(f"/images/{REF}/json").status == 200


@dataclass(frozen=True)
class Operation:
    prepare: Callable[[Engine], None]
    operate: Callable[[Engine], int]
    leaves_image: bool


OPERATIONS = {
    "load": Operation(nothing, load, True),
    "push": Operation(loaded, push, True),
    "pull": Operation(pulled_once, pull, True),
    "delete": Operation(loaded, remove, False),
    "prune": Operation(loaded, prune, False),
}


@pytest.fixture(scope="module")
def dying(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("dying")
    with faulty_engine(folder / "engine") as engine, registry_inside(engine.netns, folder / "registry", PORT):
        # Every operation finds the image in the registry.
        done(engine.post("/images/load", packed(REF)), 200)
        assert b'"error"' not in engine.post(f"/images/{REF}/push").body
        yield engine


def spread(calls: list[Fault]) -> list[Fault]:
    calls = [each for each in calls if each.nth <= MANY or not each.point.endswith(".write")]
    return [calls[len(calls) * number // DEATHS] for number in range(DEATHS)] if len(calls) > DEATHS else calls


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_engine_dies(dying: Engine, name: str) -> None:
    engine, operation = dying, OPERATIONS[name]
    operation.prepare(engine)
    order(engine, None)
    operation.operate(engine)
    for fault in spread(all_calls(engine)):
        operation.prepare(engine)
        order(engine, fault)
        operation.operate(engine)
        until(lambda: is_dead(engine), f"the engine does not come to {fault}")
        engine.start()
        try:
            is_whole(engine)
            assert operation.operate(engine) in (200, 404)  # 404: it was deleted before
            assert lists(engine) is operation.leaves_image
            is_whole(engine)
        except AssertionError as error:
            raise AssertionError(f"died {fault.phase} call {fault.nth} of {fault.point}: {error}") from error
    prune(engine)
    is_empty(engine)


# The way and the registry


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Engine(tmp_path_factory.mktemp("engine")) as engine:
        yield engine


def test_the_connection_breaks_at_every_tenth(engine: Engine, tmp_path: Path) -> None:
    with registry_inside(engine.netns, tmp_path, PORT):
        done(engine.post("/images/load", packed(REF)), 200)
        assert b'"error"' not in engine.post(f"/images/{REF}/push").body
        prune(engine)
        wire = Wire(engine.netns, PORT)
        name = f"127.0.0.1:{wire.port}/fault/table:1"
        try:
            for tenth in range(10):
                wire.stop_after(sum(SIZES) * tenth // 10, spares=2000)
                answers = asyncio.run(pulled_while(engine, name, wire))
                assert answers.startswith(PULLED)
                check_runs(engine, name, *SIZES)
                done(engine.delete(f"/images/{name}"), 200)
                is_empty(engine)
        finally:
            wire.close()


async def pulled_while(engine: Engine, name: str, wire: Wire) -> str:
    """The last thing that the client was told, of a pull whose connections break once."""
    asked = asyncio.create_task(asyncio.to_thread(engine.post, "/images/create", query={"fromImage": name}))
    assert await asyncio.to_thread(wire.wait_stopped)
    wire.cut()
    last: str = (await asked).lines()[-1]["status"]
    return last


LASTING = [
    Bad(match="/blobs/", status=status, body=b'{"errors":[{"code":"X","message":"no"}]}') for status in (401, 403, 404)
]
PASSING = [Bad(match="/blobs/", status=status) for status in (500, 429, 503)]


async def test_the_registry_refuses_in_the_middle(engine: Engine, tmp_path: Path) -> None:
    """A blob is cut, and when the engine comes back for the rest of it, it is refused."""
    async with real_registry(tmp_path / "registry") as registry:
        proxy = FaultProxy(registry.url)
        listener = netns.run_in(engine.netns, lambda: socket.create_server(("127.0.0.1", 0)))
        runner = web.ServerRunner(web.Server(proxy.answer), shutdown_timeout=0.1)  # type: ignore[arg-type]
        await runner.setup()
        await web.SockSite(runner, listener).start()
        name = f"127.0.0.1:{listener.getsockname()[1]}/fault/table:1"
        try:
            await asyncio.to_thread(engine.post, "/images/load", packed(name))
            assert b'"error"' not in (await asyncio.to_thread(engine.post, f"/images/{name}/push")).body
            for bad in (*PASSING, *LASTING):
                prune(engine)
                proxy.faults.clear()
                proxy.next(Bad(match="/blobs/", cut_after=100_000), times=2)
                proxy.next(bad, times=1 if bad in PASSING else 30)
                last = (await pulled(engine, name))[-1]
                assert ("error" in last) is (bad in LASTING), (bad, last)
                await asyncio.to_thread(is_whole, engine)
                proxy.faults.clear()
                assert "error" not in (await pulled(engine, name))[-1]
                await asyncio.to_thread(check_runs, engine, name, *SIZES)
                await asyncio.to_thread(is_whole, engine)
        finally:
            await runner.cleanup()


async def pulled(engine: Engine, name: str) -> list[dict[str, str]]:
    answer = await asyncio.to_thread(engine.post, "/images/create", query={"fromImage": name})
    return answer.lines() if answer.status == 200 else [{"error": answer.message}]


# The disk is full

ROOM, MORE_ROOM = "160m", "600m"  # of which the engine leaves 64 MiB free
HUGE = layer(*(entry(f"huge{number}", b"\0" * (20 << 20)) for number in range(8)))


def test_the_disk_is_full_while_layers_are_unpacked(tmp_path: Path) -> None:
    data = tmp_path / "engine" / "data"
    data.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", str(data)], check=True)
    name = f"127.0.0.1:{PORT}/fault/huge:1"
    layers = [*LAYERS, HUGE]
    whole = archive(image(name, layers=layers, stored=[gzip.compress(each, 1, mtime=0) for each in layers]), oci=True)
    try:
        with Engine(tmp_path / "engine") as engine, registry_inside(engine.netns, tmp_path / "registry", PORT):
            done(engine.post("/images/load", packed(REF)), 200)
            subprocess.run(["mount", "-o", f"remount,size={MORE_ROOM}", str(data)], check=True)
            assert "error" not in engine.post("/images/load", whole).lines()[-1]
            assert b'"error"' not in engine.post(f"/images/{name}/push").body
            done(engine.delete(f"/images/{name}"), 200)
            until(lambda: found(engine) == [], lambda: str(found(engine)))
            subprocess.run(["mount", "-o", f"remount,size={ROOM}", str(data)], check=True)
            for path, body in (("/images/load", whole), (f"/images/create?fromImage={name}", None)):
                answer = engine.post(path, body)
                assert "no space left on device" in answer.body.decode(), answer.body
                is_whole(engine)
                assert [each.kind for each in found(engine)] in ([], [Kind.RESUMABLE] * len(found(engine)))
            subprocess.run(["mount", "-o", f"remount,size={MORE_ROOM}", str(data)], check=True)
            assert engine.post("/images/create", query={"fromImage": name}).lines()[-1]["status"].startswith(PULLED)
            check_runs(engine, name, *SIZES)
            is_whole(engine)
    finally:
        subprocess.run(["umount", "-q", "-l", str(data)], check=False)
