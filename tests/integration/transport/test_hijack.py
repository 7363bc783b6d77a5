"""Connections that a handler takes over: what the head looks like, and that no byte is lost in either direction."""

import asyncio
import hashlib
import random
from typing import cast

import pytest

from tests.integration.transport.rig import Rig
from tests.waiting import until
from wharfd.api.transport import ClientGone, HijackedStream, Request, Response

UPGRADE = ("Connection: Upgrade", "Upgrade: tcp")


@pytest.fixture(autouse=True)
def routes(rig: Rig) -> None:
    @rig.on("/echo")
    async def echo(request: Request) -> None:
        stream = await request.hijack()
        while data := await stream.read():
            await stream.write(data)
        await stream.write(b"<end>")

    @rig.on("/exec")
    async def run(request: Request) -> None:
        body = await request.read()
        stream = await request.hijack("application/vnd.docker.multiplexed-stream")
        await stream.write(b"body=" + body + b" stdin=")
        while data := await stream.read():
            await stream.write(data)


async def test_the_head_with_upgrade(rig: Rig) -> None:
    client = await rig.connect()
    await client.request("POST /echo", *UPGRADE)
    head = await client.take_until(b"\r\n\r\n")
    assert head.startswith(
        b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\n"
        b"Connection: Upgrade\r\nUpgrade: tcp\r\nApi-Version: 9.9\r\n"
    )
    assert b"Content-Length" not in head
    assert b"chunked" not in head


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
async def test_the_head_without_upgrade(rig: Rig, version: str) -> None:
    client = await rig.connect()
    await client.request("POST /echo", version=version)
    head = await client.take_until(b"\r\n\r\n")
    assert head.startswith(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\nApi-Version: 9.9\r\n"
    )
    for name in (b"Content-Length", b"Transfer-Encoding", b"Connection", b"Upgrade"):
        assert name not in head


async def test_bytes_right_behind_the_head(rig: Rig) -> None:
    client = await rig.connect()
    await client.request("POST /echo", *UPGRADE, body=b"GET / HTTP/1.1\r\n\r\n\x00\xff")
    client.half_close()
    await client.head()
    assert await client.take_all() == b"GET / HTTP/1.1\r\n\r\n\x00\xff<end>"


async def test_bytes_right_behind_a_json_body(rig: Rig) -> None:
    client = await rig.connect()
    await client.request("POST /exec", *UPGRADE, "Content-Length: 2", body=b"{}input")
    client.half_close()
    await client.head()
    assert await client.take_all() == b"body={} stdin=input"


async def test_after_an_upgrade_an_unread_body_of_known_length_is_passed_over(rig: Rig) -> None:
    client = await rig.connect()
    await client.request("POST /echo", *UPGRADE, "Content-Length: 15", body=b'{"stdin":')
    await client.head()
    await client.send(b"true} input")
    client.half_close()
    assert await client.take_all() == b"input<end>"


async def test_bytes_right_behind_a_chunked_body(rig: Rig) -> None:
    client = await rig.connect()
    await client.request("POST /exec", "Transfer-Encoding: chunked", body=b"2\r\n{}\r\n0\r\n\r\ninput")
    client.half_close()
    await client.head()
    assert await client.take_all() == b"body={} stdin=input"


async def test_after_an_upgrade_an_announced_chunked_body_is_raw(rig: Rig) -> None:
    client = await rig.connect()
    await client.request("POST /echo", *UPGRADE, "Transfer-Encoding: chunked", body=b"raw, not chunked")
    client.half_close()
    await client.head()
    assert await client.take_all() == b"raw, not chunked<end>"


async def test_without_upgrade_a_chunked_body_is_the_input(rig: Rig) -> None:
    client = await rig.connect()
    await client.request("POST /echo", "Transfer-Encoding: chunked", body=b"3\r\nabc\r\n")
    await client.head()
    assert await client.take(3) == b"abc"
    await client.send(b"1\r\nd\r\n0\r\n\r\n")
    assert await client.take_all() == b"d<end>"


async def test_without_upgrade_an_unread_body_of_known_length_is_the_input(rig: Rig) -> None:
    client = await rig.connect()
    await client.request("POST /echo", "Content-Length: 3", body=b"abc and more")
    client.half_close()
    await client.head()
    assert await client.take_all() == b"abc and more<end>"


async def test_client_half_close_leaves_our_side_open(rig: Rig) -> None:
    go = asyncio.Event()

    @rig.on("/late")
    async def late(request: Request) -> None:
        stream = await request.hijack()
        assert await stream.read() == b"in"
        assert await stream.read() == b""
        assert await stream.read() == b""
        assert not stream.is_closed
        await go.wait()
        for number in range(100):
            await stream.write(b"%04d" % number)
            await asyncio.sleep(0)

    client = await rig.connect()
    await client.request("POST /late", *UPGRADE)
    await client.head()
    await client.send(b"in")
    client.half_close()
    await asyncio.sleep(0.05)
    go.set()
    assert await client.take_all() == b"".join(b"%04d" % number for number in range(100))
    await until(lambda: not rig.server.connections)
    assert rig.errors == []


async def test_our_half_close_leaves_the_clients_side_open(rig: Rig) -> None:
    received = bytearray()

    @rig.on("/first")
    async def first(request: Request) -> None:
        stream = await request.hijack()
        await stream.write(b"out")
        await stream.write_eof()
        await stream.write_eof()
        with pytest.raises(RuntimeError):
            await stream.write(b"more")
        while data := await stream.read():
            received.extend(data)

    client = await rig.connect()
    await client.request("POST /first", *UPGRADE)
    await client.head()
    assert await client.take_all() == b"out"
    await client.send(b"still ")
    await asyncio.sleep(0.02)
    await client.send(b"here")
    client.half_close()
    await until(lambda: not rig.server.connections)
    assert received == b"still here"


@pytest.mark.parametrize("half_first", [False, True])
@pytest.mark.parametrize("reading", [False, True])
async def test_full_close_is_told_from_half_close(rig: Rig, half_first: bool, reading: bool) -> None:
    closed = asyncio.Event()

    @rig.on("/watch")
    async def watch(request: Request) -> None:
        stream = await request.hijack()
        async with asyncio.TaskGroup() as group:
            reader = group.create_task(stream.read()) if reading else None
            await stream.wait_closed()
            assert stream.is_closed
            closed.set()
            if reader is not None:
                assert await reader == b""

    client = await rig.connect()
    await client.request("POST /watch", *UPGRADE)
    await client.head()
    if half_first:
        client.half_close()
        await asyncio.sleep(0.05)
    assert not closed.is_set()
    client.close()
    async with asyncio.timeout(10):
        await closed.wait()
    await until(lambda: not rig.server.connections)


async def test_full_close_is_seen_while_nothing_is_read_and_all_is_still_delivered(rig: Rig) -> None:
    """The client fills every buffer and goes: its bytes are not lost, and its going is seen before they are read."""
    total = asyncio.get_running_loop().create_future()

    @rig.on("/full")
    async def full(request: Request) -> None:
        stream = await request.hijack()
        await stream.wait_closed()
        size = 0
        while data := await stream.read():
            size += len(data)
        total.set_result(size)

    client = await rig.connect()
    await client.request("POST /full", *UPGRADE)
    await client.head()
    sent = 0
    while True:
        try:
            sent += client.sock.send(bytes(10_000))
            await asyncio.sleep(0)
        except BlockingIOError:
            await asyncio.sleep(0.02)
            try:
                sent += client.sock.send(bytes(10_000))
            except BlockingIOError:
                break
    client.close()
    async with asyncio.timeout(10):
        assert await total == sent


async def test_writing_to_a_client_that_has_gone(rig: Rig) -> None:
    outcome = asyncio.get_running_loop().create_future()

    @rig.on("/gone")
    async def gone(request: Request) -> None:
        stream = await request.hijack()
        await stream.wait_closed()
        try:
            for _ in range(10):
                await stream.write(bytes(1000))
                await asyncio.sleep(0)
        except ClientGone as error:
            outcome.set_result(error)
        stream.close()
        stream.close()

    client = await rig.connect()
    await client.request("POST /gone", *UPGRADE)
    await client.head()
    client.close()
    async with asyncio.timeout(10):
        await outcome
    await until(lambda: not rig.server.connections)


async def test_a_writer_that_waits_is_freed_when_the_client_goes(rig: Rig) -> None:
    outcome = asyncio.get_running_loop().create_future()

    @rig.on("/blocked")
    async def blocked(request: Request) -> None:
        stream = await request.hijack()
        try:
            while True:
                await stream.write(bytes(100_000))
        except ClientGone as error:
            outcome.set_result(error)

    client = await rig.connect()
    await client.request("POST /blocked", *UPGRADE)
    await client.head()
    await asyncio.sleep(0.05)
    client.close()
    async with asyncio.timeout(10):
        await outcome


async def test_our_close_with_unread_input_is_no_reset(rig: Rig) -> None:
    """A process that ends while its stdin is still being sent: its last output must arrive, then a plain end of input."""

    @rig.on("/deaf")
    async def deaf(request: Request) -> None:
        stream = await request.hijack()
        await asyncio.sleep(0.05)
        await stream.write(b"last words")

    client = await rig.connect()
    await client.request("POST /deaf", *UPGRADE, body=bytes(100_000))
    await client.head()
    assert await client.take_all() == b"last words"
    await client.send(bytes(300_000))  # is thrown away
    client.close()
    await until(lambda: not rig.server.connections)


async def test_an_exception_after_the_head_closes_the_stream(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    @rig.on("/broken")
    async def broken(request: Request) -> None:
        await request.hijack()
        raise RuntimeError("after the head")

    client = await rig.connect()
    await client.request("POST /broken", *UPGRADE)
    await client.head()
    assert await client.take_all() == b""
    assert "after the head" in caplog.text
    assert rig.errors == []


async def test_an_exception_before_the_head_is_a_status(rig: Rig) -> None:
    @rig.on("/refused")
    async def refused(request: Request) -> None:
        raise RuntimeError("no such container")

    client = await rig.connect()
    await client.request("POST /refused", *UPGRADE)
    found = await client.answer()
    assert (found.status, found.body) == (500, b"no such container")
    await client.request("POST /refused", *UPGRADE)
    assert (await client.answer()).status == 500


async def test_reads_have_a_limit(rig: Rig) -> None:
    pieces: list[bytes] = []

    @rig.on("/small")
    async def small(request: Request) -> None:
        stream = await request.hijack()
        while data := await stream.read(4):
            pieces.append(data)

    client = await rig.connect()
    await client.request("POST /small", body=b"0123456789")
    await client.head()
    client.half_close()
    assert await client.take_all() == b""
    assert b"".join(pieces) == b"0123456789"
    assert max(map(len, pieces)) == 4


async def test_everything_comes_back_whatever_the_pieces(rig: Rig) -> None:
    rng = random.Random(1)
    data = rng.randbytes(5_000_000)
    client = await rig.connect()
    await client.request("POST /echo", *UPGRADE, body=data[:1000])

    async def send() -> None:
        at = 1000
        while at < len(data):
            size = rng.choice([1, 7, 4096, 65_536, 300_000])
            await client.send(data[at : at + size])
            at += size
        client.half_close()

    sending = asyncio.get_running_loop().create_task(send())
    await client.head()
    back = await client.take_all()
    await sending
    assert back.endswith(b"<end>")
    assert hashlib.sha256(back[:-5]).digest() == hashlib.sha256(data).digest()


async def test_only_one_answer(rig: Rig) -> None:
    failures: list[type[BaseException]] = []

    @rig.on("/twice")
    async def twice(request: Request) -> None:
        await request.hijack()
        for again in (request.hijack(), request.take_transport()):
            try:
                await again
            except RuntimeError as error:
                failures.append(type(error))
        with pytest.raises(RuntimeError):
            request.stream()

    client = await rig.connect()
    await client.request("POST /twice")
    await client.head()
    assert await client.take_all() == b""
    assert failures == [RuntimeError, RuntimeError]


async def test_a_handler_may_write_its_own_head(rig: Rig) -> None:
    @rig.on("/ws")
    async def ws(request: Request) -> None:
        stream = await request.hijack_without_head()
        await stream.write(b"HTTP/1.1 409 Conflict\r\n\r\n")
        await stream.write(await stream.read())

    client = await rig.connect()
    await client.request("POST /ws", body=b"frame")
    assert await client.take_all() == b"HTTP/1.1 409 Conflict\r\n\r\nframe"


class Shout(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.transport.write(data.upper())


async def test_the_transport_is_given_away_with_what_came_behind_the_head(rig: Rig) -> None:
    @rig.on("/grpc")
    async def grpc(request: Request) -> None:
        transport, rest = await request.take_transport()
        protocol = Shout()
        protocol.connection_made(transport)
        transport.set_protocol(protocol)
        protocol.data_received(rest)

    client = await rig.connect()
    await client.request("POST /grpc", "Connection: Upgrade", "Upgrade: h2c", body=b"pri * ")
    head = await client.take_until(b"\r\n\r\n")
    assert head.startswith(
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nApi-Version: 9.9\r\n"
    )
    assert await client.take(6) == b"PRI * "
    await client.send(b"http/2.0")
    assert await client.take(8) == b"HTTP/2.0"
    await until(lambda: not rig.server.connections)
    client.half_close()
    assert await client.take_all() == b""


async def test_what_is_hijacked_is_a_stream_of_that_type(rig: Rig) -> None:
    kinds: list[object] = []

    @rig.on("/kind")
    async def kind(request: Request) -> Response | None:
        kinds.append(await request.hijack())
        return Response(500)  # too late: is not sent

    client = await rig.connect()
    await client.request("POST /kind")
    await client.head()
    assert await client.take_all() == b""
    assert isinstance(kinds[0], HijackedStream)
