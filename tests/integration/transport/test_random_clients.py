"""Clients that send random mixtures of requests in random pieces, read at random paces, and leave at random moments.

One that stays to the end must get every answer, whole and in order; after all have left, nothing may be left in the server.
"""

import asyncio
import random
from dataclasses import dataclass

import pytest

from tests.integration.transport.rig import Client, Rig
from tests.waiting import until
from wharfd.api.transport import ClientGone, Request, Response

BIG = bytes(range(256)) * 2000


@dataclass(frozen=True)
class Exchange:
    sent: bytes
    status: int
    body: bytes
    ends: bool = False  # the server closes after it
    is_head: bool = False


def chunked(rng: random.Random, body: bytes) -> bytes:
    out, at = b"", 0
    while at < len(body):
        size = rng.choice([1, 10, 5000, 100_000])
        piece = body[at : at + size]
        out += b"%x\r\n%b\r\n" % (len(piece), piece)
        at += size
    return out + b"0\r\n\r\n"


def exchange(rng: random.Random) -> Exchange:
    body = rng.randbytes(rng.choice([0, 1, 50, 5000, 300_000]))
    length = b"Content-Length: %d\r\n" % len(body)
    match rng.randrange(10):
        case 0:
            return Exchange(b"GET /sync HTTP/1.1\r\n\r\n", 200, b"sync")
        case 1:
            return Exchange(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n", 200, b"slow")
        case 2:
            return Exchange(b"GET /big HTTP/1.1\r\n\r\n", 200, BIG)
        case 3:
            return Exchange(b"GET /stream HTTP/1.1\r\n\r\n", 200, BIG)
        case 4:
            return Exchange(b"POST /echo HTTP/1.1\r\n" + length + b"\r\n" + body, 200, body)
        case 5:
            return Exchange(
                b"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(rng, body), 200, body
            )
        case 6:
            small = body[:100]
            return Exchange(b"POST /sync HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(small) + small, 200, b"sync")
        case 7:
            return Exchange(b"HEAD /big HTTP/1.1\r\n\r\n", 200, b"", is_head=True)
        case 8:
            return Exchange(b"GET /none HTTP/1.1\r\n\r\n", 404, b"no route\n")
        case _:
            if rng.random() < 0.7:
                return Exchange(
                    b"POST /duplex HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(rng, body), 200, body
                )
            return rng.choice(
                [
                    Exchange(b"GET /stream HTTP/1.0\r\n\r\n", 200, BIG, ends=True),
                    Exchange(b"GET /big HTTP/1.1\r\nConnection: close\r\n\r\n", 200, BIG, ends=True),
                    Exchange(b"bad\r\n\r\n", 400, b"malformed HTTP request 'bad'", ends=True),
                ]
            )


async def send(rng: random.Random, client: Client, data: bytes) -> None:
    at = 0
    while at < len(data):
        size = rng.choice([1, 3, 100, 5000, 400_000])
        await client.send(data[at : at + size])
        at += size
        if rng.random() < 0.3:
            await asyncio.sleep(rng.choice([0, 0, 0.001]))


async def stay_to_the_end(rng: random.Random, rig: Rig) -> None:
    exchanges = []
    for _ in range(rng.randrange(1, 12)):
        exchanges.append(exchange(rng))
        if exchanges[-1].ends:
            break
    client = await rig.connect()

    async def converse() -> None:
        await send(rng, client, b"".join(found.sent for found in exchanges))
        client.half_close()

    async with asyncio.TaskGroup() as group:
        group.create_task(converse())
        await asyncio.sleep(rng.choice([0, 0.01]))
        for want in exchanges:
            got = await client.answer(head_only=want.is_head)
            assert (got.status, got.body) == (want.status, want.body)
            if rng.random() < 0.2:
                await asyncio.sleep(0.002)
        assert await client.take_all() == b""
    client.close()


async def leave_early(rng: random.Random, rig: Rig) -> None:
    client = await rig.connect()
    data = b"".join(exchange(rng).sent for _ in range(5))
    try:
        async with asyncio.timeout(rng.choice([0, 0.001, 0.01])):
            await send(rng, client, data[: rng.randrange(1, len(data))])
            if rng.random() < 0.5:
                client.half_close()
            while await client.more():
                client.buffer = b""
    except (TimeoutError, ConnectionError):
        pass
    client.close()


@pytest.mark.parametrize("seed", range(4))
async def test_random_clients(rig: Rig, seed: int) -> None:
    @rig.on("/sync")
    def sync(request: Request) -> Response:
        return Response(200, [], b"sync")

    @rig.on("/slow")
    async def slow(request: Request) -> Response:
        await asyncio.sleep(0.001)
        return Response(200, [], b"slow")

    @rig.on("/big")
    def big(request: Request) -> Response:
        return Response(200, [], BIG)

    @rig.on("/stream", cancel=True)
    async def stream(request: Request) -> None:
        out = request.stream()
        for at in range(0, len(BIG), 50_000):
            await out.send(BIG[at : at + 50_000])

    @rig.on("/echo")
    async def echo(request: Request) -> Response:
        return Response(200, [], await request.read(1 << 20))

    @rig.on("/duplex")
    async def duplex(request: Request) -> None:
        out = request.stream()
        async for piece in request.body:
            await out.send(piece)

    rng = random.Random(seed)
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        for _ in range(40):
            kind = stay_to_the_end if rng.random() < 0.5 else leave_early
            group.create_task(kind(random.Random(rng.random()), rig))
    await until(lambda: not rig.server.connections and not rig.server.tasks)
    assert all(isinstance(error, ClientGone) or str(error).startswith("malformed") for error in rig.errors), rig.errors
