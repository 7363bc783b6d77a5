"""Bodies of requests: with a length, chunked, announced by Expect, unread, broken, too large."""

import asyncio

import pytest

from tests.integration.transport.rig import Client, Rig
from tests.waiting import until
from wharfd.api.transport import ClientGone, Request, Response

CHUNKED = "Transfer-Encoding: chunked"


@pytest.fixture(autouse=True)
def routes(rig: Rig) -> None:
    @rig.on("/read")
    async def read(request: Request) -> Response:
        return Response(200, [], await request.read(1 << 20))

    @rig.on("/pieces")
    async def pieces(request: Request) -> Response:
        return Response(200, [], b"".join([piece async for piece in request.body]))

    @rig.on("/ignore")
    async def ignore(request: Request) -> Response:
        return Response(200, [], b"ignored")

    @rig.on("/ignore-sync")
    def ignore_sync(request: Request) -> Response:
        return Response(200, [], b"ignored")


async def still_alive(client: Client) -> None:
    await client.request("POST /read", "Content-Length: 2", body=b"ok")
    assert (await client.answer()).body == b"ok"


@pytest.mark.parametrize("path", ["/read", "/pieces"])
async def test_bodies_of_known_length(rig: Rig, path: str) -> None:
    client = await rig.connect()
    for body in (b"", b"x", b"y" * 700_000):
        await client.request(f"POST {path}", f"Content-Length: {len(body)}", body=body)
        assert (await client.answer()).body == body


@pytest.mark.parametrize("path", ["/read", "/pieces"])
async def test_chunked_bodies(rig: Rig, path: str) -> None:
    client = await rig.connect()
    await client.request(f"POST {path}", CHUNKED, body=b"3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nTrailer: x\r\n\r\n")
    assert (await client.answer()).body == b"abcdefg"
    await client.request(f"POST {path}", CHUNKED, body=b"0\r\n\r\n")
    assert (await client.answer()).body == b""
    await still_alive(client)


async def test_a_chunked_body_in_single_bytes_with_the_next_request_behind(rig: Rig) -> None:
    client = await rig.connect()
    await client.request("POST /read", CHUNKED)
    for byte in b"3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\nPOST /read HTTP/1.1\r\nContent-Length: 1\r\n\r\nz":
        await client.send(bytes([byte]))
        await asyncio.sleep(0)
    assert (await client.answer()).body == b"abc0123456789"
    assert (await client.answer()).body == b"z"


async def test_continue_is_sent_when_the_handler_reads(rig: Rig) -> None:
    client = await rig.connect()
    for lines, body in [(["Content-Length: 3"], b"abc"), ([CHUNKED], b"3\r\nabc\r\n0\r\n\r\n")]:
        await client.request("POST /read", "Expect: 100-continue", *lines)
        assert (await client.take_until(b"\r\n\r\n")) == b"HTTP/1.1 100 Continue\r\n\r\n"
        await client.send(body)
        assert (await client.answer()).body == b"abc"


async def test_continue_is_not_sent_if_the_body_is_there_already(rig: Rig) -> None:
    client = await rig.connect()
    await client.request("POST /read", "Expect: 100-continue", "Content-Length: 3", body=b"abc")
    found = await client.answer()
    assert (found.status, found.body) == (200, b"abc")


async def test_continue_comes_before_the_head_of_a_stream(rig: Rig) -> None:
    @rig.on("/load")
    async def load(request: Request) -> None:
        stream = request.stream(200)
        stream.flush_head()
        await stream.send(await request.read())

    client = await rig.connect()
    await client.request("POST /load", "Expect: 100-continue", "Content-Length: 3")
    assert await client.take_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert (await client.head()).status == 200
    await client.send(b"abc")
    assert [await client.chunk(), await client.chunk()] == [b"abc", b""]


async def test_an_expected_body_that_nobody_reads_ends_the_connection(rig: Rig) -> None:
    client = await rig.connect()
    await client.request("POST /ignore", "Expect: 100-continue", "Content-Length: 3")
    found = await client.answer()
    assert (found.status, found.body, found.header("Connection")) == (200, b"ignored", "close")
    assert await client.take_all() == b""


@pytest.mark.parametrize("path", ["/ignore", "/ignore-sync"])
@pytest.mark.parametrize(
    ("lines", "body"),
    [
        (["Content-Length: 5"], b"abcde"),
        ([CHUNKED], b"5\r\nabcde\r\n0\r\n\r\n"),
        (["Content-Length: 200000"], bytes(200_000)),
    ],
)
async def test_a_small_unread_body_is_skipped(rig: Rig, path: str, lines: list[str], body: bytes) -> None:
    client = await rig.connect()
    await client.request(f"POST {path}", *lines, body=body)
    assert (await client.answer()).body == b"ignored"
    await still_alive(client)


@pytest.mark.parametrize("path", ["/ignore", "/ignore-sync"])
async def test_a_small_unread_body_may_come_after_the_answer(rig: Rig, path: str) -> None:
    client = await rig.connect()
    await client.request(f"POST {path}", "Content-Length: 5", body=b"ab")
    found = await client.answer()
    assert (found.body, found.header("Connection")) == (b"ignored", None)
    await client.send(b"cdePOST /read HTTP/1.1\r\nContent-Length: 1\r\n\r\n!")
    assert (await client.answer()).body == b"!"


@pytest.mark.parametrize("path", ["/ignore", "/ignore-sync"])
async def test_after_a_large_unread_body_the_connection_is_closed_without_a_reset(rig: Rig, path: str) -> None:
    size = 8_000_000
    client = await rig.connect()
    await client.request(f"POST {path}", f"Content-Length: {size}")
    sending = asyncio.get_running_loop().create_task(client.send(bytes(size)))
    found = await client.answer()
    assert (found.body, found.header("Connection")) == (b"ignored", "close")
    await sending
    assert await client.take_all() == b""
    client.close()
    await until(lambda: not rig.server.connections)


async def test_too_large(rig: Rig) -> None:
    client = await rig.connect()
    await client.request("POST /read", f"Content-Length: {(1 << 20) + 1}")
    found = await client.answer()
    assert (found.status, found.header("Connection")) == (413, "close")
    assert await client.take_all() == b""


async def test_too_large_while_it_comes(rig: Rig) -> None:
    client = await rig.connect()
    await client.request("POST /read", CHUNKED, body=b"180000\r\n" + bytes(0x180000) + b"\r\n0\r\n\r\n")
    assert (await client.answer()).status == 413


async def test_broken_chunks(rig: Rig) -> None:
    client = await rig.connect()
    await client.request("POST /read", CHUNKED, body=b"3\r\nabcdef\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n")
    found = await client.answer()
    assert (found.status, found.header("Connection")) == (400, "close")
    assert await client.take_all() == b""


async def test_broken_chunks_that_nobody_reads(rig: Rig) -> None:
    client = await rig.connect()
    await client.request("POST /ignore", CHUNKED, body=b"zzz\r\nGET /smuggled HTTP/1.1\r\n\r\n")
    assert (await client.answer()).body == b"ignored"
    assert await client.take_all() == b""


@pytest.mark.parametrize(("line", "body"), [("Content-Length: 10", b"abc"), (CHUNKED, b"5\r\nabc")])
async def test_a_body_that_breaks_off(rig: Rig, line: str, body: bytes) -> None:
    outcome = asyncio.get_running_loop().create_future()

    @rig.on("/broken-off")
    async def handler(request: Request) -> Response:
        try:
            await request.read()
        except ClientGone as error:
            outcome.set_result(str(error))
        return Response()

    client = await rig.connect()
    await client.request("POST /broken-off", line, body=body)
    await until(lambda: rig.server.tasks)
    client.close()
    assert await outcome == "unexpected EOF in request body"
    await until(lambda: not rig.server.connections)


async def test_answering_while_still_reading(rig: Rig) -> None:
    @rig.on("/duplex")
    async def duplex(request: Request) -> None:
        stream = request.stream(200)
        async for piece in request.body:
            await stream.send(piece.upper())

    client = await rig.connect()
    await client.request("POST /duplex", CHUNKED, body=b"1\r\na\r\n")
    assert (await client.head()).status == 200
    assert await client.chunk() == b"A"
    await client.send(b"1\r\nb\r\n")
    assert await client.chunk() == b"B"
    await client.send(b"0\r\n\r\n")
    assert await client.chunk() == b""
    await still_alive(client)
