"""What is no request, or too much of one: an answer, then a clean end."""

import asyncio

import pytest

from tests.integration.transport.rig import Rig
from tests.waiting import until
from wharfd.api.transport import Request, Response


@pytest.fixture(autouse=True)
def routes(rig: Rig) -> None:
    @rig.on("/ok")
    def ok(request: Request) -> Response:
        return Response(200, [], b"ok")


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /ok HTTP/1.1\r\nA: " + b"x" * 33_000 + b"\r\n\r\n", 431),
        (b"GET /ok HTTP/1.1\r\n" + b"A: b\r\n" * 300 + b"\r\n", 431),
        (b"GET /ok?" + b"x" * 40_000, 414),
        (b"GET /ok HTTP/3.0\r\n\r\n", 505),
        (b"nonsense\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\n\r\n", 400),
        (b"POST /ok HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    ],
)
async def test_refused_heads(rig: Rig, head: bytes, status: int) -> None:
    client = await rig.connect()
    await client.send(head + bytes(100_000))  # still sending when it is refused
    found = await client.answer()
    assert (found.status, found.header("Connection"), found.header("Api-Version")) == (status, "close", "9.9")
    assert await client.take_all() == b""
    client.close()
    await until(lambda: not rig.server.connections)


async def test_the_largest_head_is_taken(rig: Rig) -> None:
    client = await rig.connect()
    start = b"GET /ok HTTP/1.1\r\nA: "
    await client.send(start + b"x" * (32 * 1024 - len(start) - 4) + b"\r\n\r\n")
    assert (await client.answer()).status == 200
    await client.send(start + b"x" * (32 * 1024 - len(start) - 3) + b"\r\n\r\n")
    assert (await client.answer()).status == 431


async def test_a_pipelined_refusal_comes_after_the_answers_before_it(rig: Rig) -> None:
    client = await rig.connect()
    await client.send(b"GET /ok HTTP/1.1\r\n\r\nGET /ok HTTP/1.1\r\n\r\nbad\r\n\r\nGET /ok HTTP/1.1\r\n\r\n")
    assert [(await client.answer()).status for _ in range(3)] == [200, 200, 400]
    assert await client.take_all() == b""


async def test_a_head_that_does_not_become_complete(rig: Rig) -> None:
    server = rig.make_server(head_timeout_s=0.05)
    path = rig.path + "2"
    await server.serve_unix(path)
    rig.path, first = path, rig.path
    slow, idle = await rig.connect(), await rig.connect()
    await slow.send("GET /ok HTT")
    assert await slow.take_all() == b""
    await idle.request("GET /ok")  # never in the middle of a head: no timeout
    assert (await idle.answer()).body == b"ok"
    await idle.send("GET /ok HT")
    await idle.send("TP/1.1\r\n\r\n")
    assert (await idle.answer()).body == b"ok"
    await asyncio.sleep(0.1)
    await idle.request("GET /ok")
    assert (await idle.answer()).body == b"ok"
    rig.path = first
    await server.shutdown(1)


async def test_a_refusal_after_a_half_close_ends_at_once(rig: Rig) -> None:
    @rig.on("/slow")
    async def slow(request: Request) -> Response:
        await asyncio.sleep(0.02)
        return Response()

    client = await rig.connect()
    await client.send(b"GET /slow HTTP/1.1\r\n\r\nbad\r\n\r\n")
    client.half_close()
    assert [(await client.answer()).status for _ in range(2)] == [200, 400]
    await until(lambda: not any(connection.is_lingering for connection in rig.server.connections))
    assert await client.take_all() == b""
    async with asyncio.timeout(2):
        await until(lambda: not rig.server.connections)


async def test_half_a_head_and_the_end_of_input(rig: Rig) -> None:
    client = await rig.connect()
    await client.send("GET /ok HTTP/1.1\r\nHost")
    client.half_close()
    assert await client.take_all() == b""
    await until(lambda: not rig.server.connections)
