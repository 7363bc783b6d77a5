"""A side that stops reading holds the other side up; memory does not grow, and nothing is lost."""

import asyncio
import hashlib

import pytest

from tests.integration.transport.rig import Rig, settled
from tests.waiting import until
from wharfd.api.transport import Request, Response
from wharfd.api.transport.channel import READ_HIGH, WRITE_HIGH

PIECE = 100_000
PIECES = 400
KERNEL = 1 << 20  # more than a UNIX socket's buffers hold
LOOP_READ = 256 * 1024  # what the loop reads at once


def piece(number: int) -> bytes:
    return number.to_bytes(4, "big") * (PIECE // 4)


DIGEST = hashlib.sha256(b"".join(map(piece, range(PIECES)))).hexdigest()


@pytest.mark.parametrize("kind", ["chunked", "length", "hijack"])
async def test_a_reader_that_stops_holds_the_handler_up(rig: Rig, kind: str) -> None:
    sent = 0

    @rig.on("/out")
    async def out(request: Request) -> None:
        nonlocal sent
        if kind == "hijack":
            write = (await request.hijack()).write
        else:
            write = request.stream(200, length=PIECE * PIECES if kind == "length" else None).send
        for number in range(PIECES):
            await write(piece(number))
            sent += PIECE

    client = await rig.connect()
    await client.request("GET /out", "Connection: close")
    stuck = await settled(lambda: sent)
    assert 0 < stuck <= WRITE_HIGH + KERNEL
    await client.head()
    digest = hashlib.sha256()
    if kind == "chunked":
        while data := await client.chunk():
            digest.update(data)
    else:
        digest.update(await client.take(PIECE * PIECES))
        assert await client.take_all() == b""
    assert digest.hexdigest() == DIGEST


@pytest.mark.parametrize("kind", ["chunked", "length", "hijack"])
async def test_a_handler_that_stops_holds_the_client_up(rig: Rig, kind: str) -> None:
    go = asyncio.Event()
    seen: list[Request] = []

    @rig.on("/in")
    async def sink(request: Request) -> Response | None:
        seen.append(request)
        digest = hashlib.sha256()
        if kind == "hijack":
            stream = await request.hijack()
            await go.wait()
            while data := await stream.read():
                digest.update(data)
            await stream.write(digest.hexdigest().encode())
            return None
        await go.wait()
        async for data in request.body:
            digest.update(data)
        return Response(200, [], digest.hexdigest().encode())

    client = await rig.connect()
    lines = {"chunked": ["Transfer-Encoding: chunked"], "length": [f"Content-Length: {PIECE * PIECES}"], "hijack": []}[
        kind
    ]
    await client.request("POST /in", *lines)
    if kind == "hijack":
        await client.head()
    sent = 0

    async def send() -> None:
        nonlocal sent
        for number in range(PIECES):
            data = piece(number)
            await client.send(b"%x\r\n%b\r\n" % (PIECE, data) if kind == "chunked" else data)
            sent += PIECE
        if kind == "chunked":
            await client.send(b"0\r\n\r\n")
        elif kind == "hijack":
            client.half_close()

    sending = asyncio.get_running_loop().create_task(send())
    stuck = await settled(lambda: sent)
    assert 0 < stuck <= READ_HIGH + LOOP_READ + KERNEL
    assert seen[0].channel.size <= READ_HIGH + LOOP_READ
    go.set()
    await sending
    answer = await client.take_all() if kind == "hijack" else (await client.answer()).body
    assert answer.decode() == DIGEST


async def test_requests_pipelined_without_reading_answers_are_bounded(rig: Rig) -> None:
    answered = 0

    @rig.on("/big")
    def big(request: Request) -> Response:
        nonlocal answered
        answered += 1
        return Response(200, [], bytes(50_000))

    client = await rig.connect()
    one = b"GET /big HTTP/1.1\r\n\r\n"
    sending = asyncio.get_running_loop().create_task(client.send(one * 3000))
    stuck = await settled(lambda: answered)
    assert stuck * 50_000 <= WRITE_HIGH + KERNEL + 50_000
    for _ in range(3000):
        assert len((await client.answer()).body) == 50_000
    await sending


async def test_pipelined_requests_are_answered_after_a_half_close_too(rig: Rig) -> None:
    @rig.on("/big")
    def big(request: Request) -> Response:
        return Response(200, [], bytes(50_000))

    client = await rig.connect()
    await client.send(b"GET /big HTTP/1.1\r\n\r\n" * 100)
    client.half_close()
    await asyncio.sleep(0.05)  # the first answers fill every buffer
    for _ in range(100):
        assert len((await client.answer()).body) == 50_000
    assert await client.take_all() == b""


@pytest.mark.parametrize("is_sync", [False, True])
async def test_a_large_answer_after_a_half_close_ends_the_connection(rig: Rig, is_sync: bool) -> None:
    response = Response(200, [], bytes(2_000_000))

    @rig.on("/big")
    def big(request: Request) -> Response:
        return response

    @rig.on("/slow")
    async def slow(request: Request) -> Response:
        await asyncio.sleep(0.02)
        return response

    client = await rig.connect()
    await client.request("GET /big" if is_sync else "GET /slow")
    client.half_close()
    await asyncio.sleep(0.05)
    assert len((await client.answer()).body) == 2_000_000
    assert await client.take_all() == b""
    await until(lambda: not rig.server.connections)
