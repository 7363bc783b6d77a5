"""The end of the server: idle connections close, answers are finished, endless ones are ended, the rest is cancelled after the grace."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.integration.transport.rig import Rig
from tests.waiting import until
from wharfd.api.transport import Request, Response, StreamResponse, connection, server


async def begin_shutdown(rig: Rig, grace_s: float = 10) -> asyncio.Task[None]:
    task = asyncio.get_running_loop().create_task(rig.server.shutdown(grace_s))
    await until(lambda: rig.server.is_draining)
    return task


async def test_idle_connections_are_closed_and_new_ones_refused(rig: Rig) -> None:
    @rig.on("/ok")
    def ok(request: Request) -> Response:
        return Response(200, [], b"ok")

    fresh, used = await rig.connect(), await rig.connect()
    await used.request("GET /ok")
    await used.answer()
    await until(lambda: len(rig.server.connections) == 2)
    async with asyncio.timeout(5):
        await rig.server.shutdown(60)
    assert await fresh.take_all() == b""
    assert await used.take_all() == b""
    with pytest.raises((FileNotFoundError, ConnectionRefusedError)):
        await rig.connect()


async def test_a_request_in_flight_gets_its_whole_answer(rig: Rig) -> None:
    go, begun = asyncio.Event(), asyncio.Event()

    @rig.on("/slow")
    async def slow(request: Request) -> Response:
        begun.set()
        await go.wait()
        return Response(200, [], bytes(2_000_000))

    client = await rig.connect()
    await client.request("POST /slow")
    await begun.wait()
    task = await begin_shutdown(rig)
    await asyncio.sleep(0.02)
    assert not task.done()
    go.set()
    found = await client.answer()
    assert (found.header("Connection"), found.body) == ("close", bytes(2_000_000))
    assert await client.take_all() == b""
    client.close()
    async with asyncio.timeout(5):
        await task


async def test_an_upload_in_flight_is_taken_to_its_end(rig: Rig) -> None:
    @rig.on("/load")
    async def load(request: Request) -> Response:
        return Response(200, [], b"%d" % len(await request.read(1 << 30)))

    client = await rig.connect()
    await client.request("POST /load", "Content-Length: 3000000", body=bytes(1_000_000))
    await until(lambda: rig.server.tasks)
    task = await begin_shutdown(rig)
    await client.send(bytes(2_000_000))
    assert (await client.answer()).body == b"3000000"
    client.close()
    await task


async def test_a_finite_stream_is_finished(rig: Rig) -> None:
    go = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b"first"
        await go.wait()
        yield b"last"

    @rig.on("/export")
    async def export(request: Request) -> StreamResponse:
        return StreamResponse(body=body())

    client = await rig.connect()
    await client.request("GET /export")
    await client.head()
    assert await client.chunk() == b"first"
    task = await begin_shutdown(rig)
    go.set()
    assert [await client.chunk(), await client.chunk()] == [b"last", b""]
    assert await client.take_all() == b""
    client.close()
    await task


async def test_an_endless_stream_ends_with_its_final_chunk(rig: Rig) -> None:
    closed = []

    async def events() -> AsyncIterator[bytes]:
        try:
            yield b"{}\n"
            await asyncio.Event().wait()
        finally:
            closed.append(True)

    @rig.on("/events")
    async def handler(request: Request) -> StreamResponse:
        return StreamResponse(body=events(), endless=True, flush_head=True)

    client = await rig.connect()
    await client.request("GET /events")
    await client.head()
    assert await client.chunk() == b"{}\n"
    task = await begin_shutdown(rig, grace_s=60)
    assert await client.chunk() == b""
    assert await client.take_all() == b""
    assert closed == [True]
    client.close()
    async with asyncio.timeout(5):
        await task


async def test_an_endless_request_without_a_head_yet_is_answered_503(rig: Rig) -> None:
    begun = asyncio.Event()

    @rig.on("/wait")
    async def wait(request: Request) -> Response:
        request.endless = True
        begun.set()
        await asyncio.Event().wait()
        return Response()

    client = await rig.connect()
    await client.request("POST /wait")
    await begun.wait()
    task = await begin_shutdown(rig, grace_s=60)
    found = await client.answer()
    assert (found.status, found.body) == (500, b"the engine is shutting down")
    client.close()
    await task


async def test_hijacked_connections_end_without_a_reset(rig: Rig) -> None:
    @rig.on("/attach")
    async def attach(request: Request) -> None:
        stream = await request.hijack()
        await stream.write(b"output")
        await asyncio.Event().wait()

    client = await rig.connect()
    await client.request("POST /attach", body=b"input that nobody reads")
    await client.head()
    assert await client.take(6) == b"output"
    task = await begin_shutdown(rig, grace_s=60)
    assert await client.take_all() == b""
    client.close()
    async with asyncio.timeout(5):
        await task


async def test_after_the_grace_what_runs_is_cancelled_and_looks_cut(rig: Rig) -> None:
    outcomes: list[str] = []

    @rig.on("/stuck")
    async def stuck(request: Request) -> None:
        stream = request.stream()
        await stream.send(b"half")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            outcomes.append("cancelled")
            raise

    client = await rig.connect()
    await client.request("GET /stuck")
    await client.head()
    assert await client.chunk() == b"half"
    async with asyncio.timeout(10):
        await rig.server.shutdown(0.05)
    assert outcomes == ["cancelled"]
    assert await client.take_all() == b""  # no final chunk
    assert not rig.server.tasks


async def test_a_slow_reader_gets_all_of_its_last_answer(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LINGER_S", 0.02)
    monkeypatch.setattr(server, "SWEEP_S", 0.02)

    @rig.on("/big")
    def big(request: Request) -> Response:
        return Response(200, [], bytes(3_000_000))

    client = await rig.connect()
    await client.request("GET /big", "Connection: close")
    await asyncio.sleep(0.2)
    assert len((await client.answer()).body) == 3_000_000


async def test_a_client_that_stays_after_the_last_answer_is_left(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LINGER_S", 0.02)
    client = await rig.connect()
    await client.request("GET /none", "Connection: close")
    assert (await client.answer()).status == 404
    assert await client.take_all() == b""
    await until(lambda: not rig.server.connections)


async def test_pipelined_requests_behind_the_last_answer_are_not_begun(rig: Rig) -> None:
    go, begun, count = asyncio.Event(), asyncio.Event(), 0

    @rig.on("/slow")
    async def slow(request: Request) -> Response:
        nonlocal count
        count += 1
        begun.set()
        await go.wait()
        return Response()

    client = await rig.connect()
    await client.send(b"POST /slow HTTP/1.1\r\n\r\nPOST /slow HTTP/1.1\r\n\r\n")
    await begun.wait()
    task = await begin_shutdown(rig)
    go.set()
    assert (await client.answer()).header("Connection") == "close"
    assert await client.take_all() == b""
    client.close()
    await task
    assert count == 1
