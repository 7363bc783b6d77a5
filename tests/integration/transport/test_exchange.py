"""Requests and answers on one connection, one after another."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.integration.transport.rig import Rig
from tests.waiting import until
from wharfd.api.transport import Request, Response, StreamResponse


@pytest.fixture(autouse=True)
def routes(rig: Rig) -> None:
    @rig.on("/sync")
    def sync(request: Request) -> Response:
        return Response(200, [("Content-Type", "text/plain")], b"sync")

    @rig.on("/slow")
    async def slow(request: Request) -> Response:
        await asyncio.sleep(0.02)
        return Response(201, [], b"slow")

    @rig.on("/echo-head")
    async def echo(request: Request) -> Response:
        return Response(200, [], f"{request.method} {request.path} {request.head.query}".encode())

    async def pieces() -> AsyncIterator[bytes]:
        yield b"one"
        yield b""
        await asyncio.sleep(0)
        yield b"two"
        yield bytes(20_000)

    @rig.on("/stream")
    async def stream(request: Request) -> StreamResponse:
        return StreamResponse(body=pieces(), headers=[("Content-Type", "x/y")])

    @rig.on("/known")
    async def known(request: Request) -> StreamResponse:
        return StreamResponse(body=pieces(), length=20_006)

    @rig.on("/empty-stream")
    async def empty(request: Request) -> None:
        request.stream(200)

    @rig.on("/no-content")
    def no_content(request: Request) -> Response:
        return Response(204)

    @rig.on("/not-modified")
    def not_modified(request: Request) -> Response:
        return Response(304)

    @rig.on("/raise")
    async def fail(request: Request) -> Response:
        raise RuntimeError("it broke")

    @rig.on("/raise-sync")
    def fail_sync(request: Request) -> Response:
        raise RuntimeError("it broke at once")

    @rig.on("/nothing")
    async def nothing(request: Request) -> None:
        return None


async def test_keep_alive(rig: Rig) -> None:
    client = await rig.connect()
    for path, status, body in [
        ("/sync", 200, b"sync"),
        ("/slow", 201, b"slow"),
        ("/none", 404, b"no route\n"),
        ("/sync", 200, b"sync"),
    ]:
        await client.request(f"GET {path}", "Host: x")
        found = await client.answer()
        assert (found.status, found.body) == (status, body)
        assert found.header("Api-Version") == "9.9"
        assert found.header("Connection") is None
        assert found.header("Date")
    assert len(rig.server.connections) == 1


async def test_pipelined_requests_are_answered_in_order(rig: Rig) -> None:
    client = await rig.connect()
    await client.send("GET /slow HTTP/1.1\r\n\r\nGET /sync HTTP/1.1\r\n\r\nGET /stream HTTP/1.1\r\n\r\nGET /sync HT")
    assert (await client.answer()).body == b"slow"
    assert (await client.answer()).body == b"sync"
    assert (await client.answer()).body == b"onetwo" + bytes(20_000)
    await client.send("TP/1.1\r\n\r\n")
    assert (await client.answer()).body == b"sync"


async def test_many_pipelined_requests_in_one_segment(rig: Rig) -> None:
    client = await rig.connect()
    await client.send(b"GET /sync HTTP/1.1\r\n\r\n" * 2000)
    for _ in range(2000):
        assert (await client.answer()).body == b"sync"


async def test_a_head_in_single_bytes(rig: Rig) -> None:
    client = await rig.connect()
    for byte in b"\r\nGET /echo-head?a=b HTTP/1.1\r\nHost: x\r\n\r\n":
        await client.send(bytes([byte]))
        await asyncio.sleep(0)
    assert (await client.answer()).body == b"GET /echo-head a=b"


@pytest.mark.parametrize(
    "target", ["/echo-head", "//echo-head", "http://localhost/echo-head", "http:////echo-head", "/%65cho-head"]
)
async def test_targets(rig: Rig, target: str) -> None:
    client = await rig.connect()
    await client.request(f"GET {target}", "Host: a b%2F")
    assert (await client.answer()).body == b"GET /echo-head "


async def test_http_1_0_closes(rig: Rig) -> None:
    client = await rig.connect()
    await client.request("GET /sync", version="HTTP/1.0")
    raw = await client.take_all()
    assert raw.startswith(b"HTTP/1.0 200 OK\r\n")
    assert raw.endswith(b"Connection: close\r\n\r\nsync")


async def test_http_1_0_keep_alive(rig: Rig) -> None:
    client = await rig.connect()
    for _ in range(2):
        await client.request("GET /sync", "Connection: keep-alive", version="HTTP/1.0")
        found = await client.answer()
        assert (found.header("Connection"), found.body) == ("keep-alive", b"sync")


async def test_http_1_0_stream_ends_by_close(rig: Rig) -> None:
    client = await rig.connect()
    await client.request("GET /stream", "Connection: keep-alive", version="HTTP/1.0")
    found = await client.answer()
    assert found.header("Transfer-Encoding") is None
    assert found.header("Connection") == "close"
    assert found.body == b"onetwo" + bytes(20_000)


async def test_connection_close_is_honoured(rig: Rig) -> None:
    client = await rig.connect()
    await client.request("GET /stream", "Connection: close")
    found = await client.answer()
    assert found.header("Connection") == "close"
    assert await client.take_all() == b""


async def test_streams(rig: Rig) -> None:
    client = await rig.connect()
    await client.request("GET /stream")
    found = await client.answer()
    assert (found.header("Transfer-Encoding"), found.header("Content-Type")) == ("chunked", "x/y")
    await client.request("GET /known")
    found = await client.answer()
    assert (found.header("Content-Length"), found.body) == ("20006", b"onetwo" + bytes(20_000))
    await client.request("GET /empty-stream")
    assert (await client.answer()).body == b""
    await client.request("GET /sync")
    assert (await client.answer()).body == b"sync"


async def test_head_has_no_body(rig: Rig) -> None:
    client = await rig.connect()
    for path, length in [("/sync", "4"), ("/stream", None), ("/known", "20006"), ("/none", "9")]:
        await client.request(f"HEAD {path}")
        found = await client.answer(head_only=True)
        assert found.header("Content-Length") == length
    await client.request("GET /sync")
    assert (await client.answer()).body == b"sync"


async def test_bodiless_statuses(rig: Rig) -> None:
    client = await rig.connect()
    for path, status in [("/no-content", 204), ("/not-modified", 304)]:
        await client.request(f"GET {path}")
        found = await client.answer()
        assert (found.status, found.header("Content-Length"), found.header("Transfer-Encoding")) == (status, None, None)
    await client.request("GET /sync")
    assert (await client.answer()).body == b"sync"


async def test_errors_become_answers_and_the_connection_goes_on(rig: Rig) -> None:
    client = await rig.connect()
    for path, body in [
        ("/raise", b"it broke"),
        ("/raise-sync", b"it broke at once"),
        ("/nothing", b"handler gave no answer"),
    ]:
        await client.request(f"GET {path}")
        found = await client.answer()
        assert (found.status, found.body) == (500, body)
    await client.request("GET /sync")
    assert (await client.answer()).body == b"sync"


async def test_an_error_before_the_first_piece_is_a_status(rig: Rig) -> None:
    async def broken() -> AsyncIterator[bytes]:
        if rig.errors == []:
            raise RuntimeError("too early")
        yield b""

    @rig.on("/early")
    async def early(request: Request) -> StreamResponse:
        return StreamResponse(body=broken())

    client = await rig.connect()
    await client.request("GET /early")
    found = await client.answer()
    assert (found.status, found.body) == (500, b"too early")


@pytest.mark.parametrize("length", [None, 10])
async def test_an_error_after_the_first_piece_cuts_the_answer(rig: Rig, length: int | None) -> None:
    closed = []

    async def broken() -> AsyncIterator[bytes]:
        try:
            yield b"begin"
            raise RuntimeError("too late")
        finally:
            closed.append(True)

    @rig.on("/late")
    async def late(request: Request) -> StreamResponse:
        return StreamResponse(body=broken(), length=length)

    client = await rig.connect()
    await client.request("GET /late")
    raw = await client.take_all()
    assert raw.endswith(b"5\r\nbegin\r\n" if length is None else b"begin")
    assert closed == [True]


async def test_an_answer_shorter_than_promised_closes_the_connection(rig: Rig) -> None:
    @rig.on("/short")
    async def short(request: Request) -> None:
        await request.stream(200, length=10).send(b"abc")

    client = await rig.connect()
    await client.request("GET /short")
    assert (await client.take_all()).endswith(b"\r\n\r\nabc")


async def test_header_values_cannot_add_headers(rig: Rig) -> None:
    @rig.on("/inject")
    def inject(request: Request) -> Response:
        return Response(200, [("X-Name", "a\r\nEvil: 1\n"), ("X-Next", "é")], b"")

    client = await rig.connect()
    await client.request("GET /inject")
    found = await client.answer()
    assert (found.header("X-Name"), found.header("Evil")) == ("a  Evil: 1", None)
    assert found.header("X-Next") == "é".encode().decode("latin-1")


async def test_flushed_head_arrives_before_the_body(rig: Rig) -> None:
    go = asyncio.Event()

    @rig.on("/wait")
    async def wait(request: Request) -> None:
        stream = request.stream(200, [("Content-Type", "application/json")])
        stream.flush_head()
        await go.wait()
        await stream.send(b"{}")

    client = await rig.connect()
    await client.request("POST /wait")
    assert (await client.head()).status == 200
    go.set()
    assert await client.chunk() == b"{}"
    assert await client.chunk() == b""


async def test_the_same_response_object_serves_every_kind_of_request(rig: Rig) -> None:
    constant = Response(200, [("A", "b")], b"body")

    @rig.on("/constant")
    def handler(request: Request) -> Response:
        return constant

    for method, version in [("GET", "HTTP/1.1"), ("HEAD", "HTTP/1.1"), ("GET", "HTTP/1.0"), ("GET", "HTTP/1.1")]:
        client = await rig.connect()
        await client.request(f"{method} /constant", version=version)
        found = await client.answer(head_only=method == "HEAD")
        assert (found.header("A"), found.header("Content-Length"), found.body) == (
            "b",
            "4",
            b"" if method == "HEAD" else b"body",
        )


async def test_idle_connections_leave_when_the_client_does(rig: Rig) -> None:
    clients = [await rig.connect() for _ in range(50)]
    await until(lambda: len(rig.server.connections) == 50)
    for client in clients:
        client.close()
    await until(lambda: not rig.server.connections)


async def test_an_answer_still_comes_after_a_half_close(rig: Rig) -> None:
    client = await rig.connect()
    await client.request("GET /slow")
    client.half_close()
    assert (await client.answer()).body == b"slow"
    assert await client.take_all() == b""
    await until(lambda: not rig.server.connections)


async def test_request_accessors(rig: Rig) -> None:
    seen: list[Request] = []

    @rig.on("/look")
    def look(request: Request) -> Response:
        seen.append(request)
        return Response()

    client = await rig.connect()
    await client.request("GET //look?a=1&a=2&b=x+y", "X-Meta: one", "x-meta: two", "Host: h")
    await client.answer()
    request = seen[0]
    assert (request.method, request.path, request.raw_path) == ("GET", "/look", "//look")
    assert (request.query.all("a"), request.query["b"]) == (["1", "2"], "x y")
    assert (request.header("X-META"), request.header_all("X-Meta"), request.header("none", "-")) == (
        "one",
        ["one", "two"],
        "-",
    )
