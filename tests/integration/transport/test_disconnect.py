"""A client that goes away while its request is worked on."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.integration.transport.rig import Rig
from tests.waiting import until
from wharfd.api.transport import ClientGone, Request, Response, StreamResponse


class Work:
    """A handler that waits, and what became of it."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.go = asyncio.Event()
        self.outcome = ""

    async def __call__(self, request: Request) -> Response:
        try:
            self.begun.set()
            await self.go.wait()
        except asyncio.CancelledError:
            self.outcome = "cancelled"
            raise
        self.outcome = "done"
        return Response(200, [], b"done")


@pytest.fixture
def work(rig: Rig) -> Work:
    found = Work()
    rig.on("/stop")(found)
    rig.on("/wait", cancel=True)(found)
    return found


async def test_a_route_that_says_so_is_cancelled(rig: Rig, work: Work) -> None:
    client = await rig.connect()
    await client.request("POST /wait")
    await work.begun.wait()
    client.close()
    await until(lambda: not rig.server.connections and not rig.server.tasks)
    assert work.outcome == "cancelled"


async def test_another_route_is_carried_through(rig: Rig, work: Work) -> None:
    client = await rig.connect()
    await client.request("POST /stop")
    await work.begun.wait()
    client.close()
    await asyncio.sleep(0.05)
    assert work.outcome == ""
    work.go.set()
    await until(lambda: not rig.server.connections and not rig.server.tasks)
    assert work.outcome == "done"


async def test_a_half_close_cancels_nothing(rig: Rig, work: Work) -> None:
    client = await rig.connect()
    await client.request("POST /wait")
    client.half_close()
    await work.begun.wait()
    await asyncio.sleep(0.05)
    assert work.outcome == ""
    work.go.set()
    assert (await client.answer()).body == b"done"


async def test_a_full_close_after_a_half_close_cancels(rig: Rig, work: Work) -> None:
    client = await rig.connect()
    await client.request("POST /wait")
    client.half_close()
    await work.begun.wait()
    client.close()
    await until(lambda: work.outcome == "cancelled")


async def test_going_is_noticed_while_reading_is_paused(rig: Rig, work: Work) -> None:
    client = await rig.connect()
    await client.request("POST /wait", "Content-Length: 10000000")
    sending = asyncio.get_running_loop().create_task(client.send(bytes(10_000_000)))
    await until(lambda: any(connection.is_read_paused for connection in rig.server.connections))
    sending.cancel()
    await asyncio.wait([sending])
    client.close()
    await until(lambda: work.outcome == "cancelled")


async def test_a_stream_to_a_client_that_has_gone_is_closed(rig: Rig) -> None:
    closed = []

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield bytes(10_000)
        finally:
            closed.append(True)

    @rig.on("/endless")
    async def handler(request: Request) -> StreamResponse:
        return StreamResponse(body=endless())

    client = await rig.connect()
    await client.request("GET /endless")
    await client.head()
    client.close()
    await until(lambda: closed and not rig.server.connections)


async def test_a_quiet_stream_is_cancelled_when_the_client_goes(rig: Rig) -> None:
    closed = []

    async def quiet() -> AsyncIterator[bytes]:
        try:
            yield b"begin"
            await asyncio.Event().wait()
        finally:
            closed.append(True)

    @rig.on("/quiet", cancel=True)
    async def handler(request: Request) -> StreamResponse:
        return StreamResponse(body=quiet(), endless=True)

    client = await rig.connect()
    await client.request("GET /quiet")
    await client.head()
    assert await client.chunk() == b"begin"
    client.close()
    await until(lambda: closed and not rig.server.connections)


async def test_a_handler_may_go_on_after_its_stream_broke(rig: Rig) -> None:
    outcome: list[str] = []

    @rig.on("/pull")
    async def pull(request: Request) -> None:
        stream = request.stream(200)
        try:
            while True:
                await stream.send(b"progress")
                await asyncio.sleep(0)
        except ClientGone:
            await asyncio.sleep(0.01)
            outcome.append("pulled on")

    client = await rig.connect()
    await client.request("POST /pull")
    await client.head()
    client.close()
    await until(lambda: outcome and not rig.server.connections and not rig.server.tasks)
