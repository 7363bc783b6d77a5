"""Calls between two connections over a socket pair."""

import asyncio
import socket
from collections.abc import AsyncGenerator

import pytest

from tests.unit.api.grpc.pairs import connected
from wharfd.api.grpc.methods import ask, streaming, unary
from wharfd.api.grpc.rpc import Call, ClientCall, RpcConnection
from wharfd.model.errors import NotFound
from wharfd.wire import http2
from wharfd.wire.grpc import MESSAGE_LIMIT, Metadata, RpcError, StatusCode
from wharfd.wire.proto.session_pb2 import BytesMessage


async def echo(call: Call) -> None:
    while (message := await call.receive()) is not None:
        await call.send(bytes(message))


async def never(call: Call) -> None:
    await asyncio.Event().wait()


async def fail(call: Call) -> None:
    raise NotFound("no such thing: ä\n")


async def test_messages_both_ways() -> None:
    async with connected({"/echo": echo}) as (client, _), client.call("/echo") as call:
        for text in (b"a", b"", b"c" * 100_000):
            await call.send(text)
            assert await call.receive() == text
        await call.end()
        assert await call.receive() is None


async def test_messages_longer_than_the_window() -> None:
    async with connected({"/echo": echo}) as (client, _), client.call("/echo") as call:
        for _ in range(3):
            message = bytes(MESSAGE_LIMIT - 100)
            await call.send(message)
            assert await call.receive() == message
        assert client.partial == 0


async def test_a_message_beyond_the_limit() -> None:
    async with connected({"/echo": echo}) as (client, server):
        with pytest.raises(RpcError, match="larger than max"):
            async with client.call("/echo") as call:
                await call.send(bytes(MESSAGE_LIMIT + 1))
                await call.receive()
        async with client.call("/echo") as call:
            await call.send(b"x")
            assert await call.receive() == b"x"
        assert server.partial == 0


async def test_failures_are_told() -> None:
    async with connected({"/fail": fail}) as (client, _):
        with pytest.raises(RpcError, match="no such thing: ä\n") as caught:
            await ask(client, "/fail", BytesMessage(), BytesMessage)
        assert caught.value.code is StatusCode.NOT_FOUND
        with pytest.raises(RpcError, match="unknown method /other") as caught:
            await ask(client, "/other", BytesMessage(), BytesMessage)
        assert caught.value.code is StatusCode.UNIMPLEMENTED


async def test_typed_methods_see_metadata() -> None:
    async def one(request: BytesMessage, metadata: Metadata) -> BytesMessage:
        return BytesMessage(data=request.data + ",".join(metadata["k"]).encode())

    async def many(request: BytesMessage, metadata: Metadata) -> AsyncGenerator[BytesMessage, None]:
        for _ in range(3):
            yield request

    handlers = {"/one": unary(BytesMessage, BytesMessage, one), "/many": streaming(BytesMessage, BytesMessage, many)}
    async with connected(handlers) as (client, _):
        reply = await ask(client, "/one", BytesMessage(data=b"x"), BytesMessage, {"k": ["1", "2"]})
        assert reply.data == b"x1,2"
        async with client.call("/many") as call:
            await call.send(BytesMessage(data=b"y").SerializeToString(), end=True)
            seen = []
            while (message := await call.receive()) is not None:
                seen.append(BytesMessage.FromString(bytes(message)).data)
        assert seen == [b"y"] * 3


async def test_broken_messages_are_refused() -> None:
    async def one(request: BytesMessage, metadata: Metadata) -> BytesMessage:
        return request

    async with connected({"/one": unary(BytesMessage, BytesMessage, one)}) as (client, _):
        with pytest.raises(RpcError) as caught:
            async with client.call("/one") as call:
                await call.send(b"\xff\xff", end=True)
                await call.receive()
        assert caught.value.code is StatusCode.INVALID_ARGUMENT


async def test_a_deadline_passes() -> None:
    async with connected({"/never": never}) as (client, _):
        number = client.http2.open(
            [(":method", "POST"), (":path", "/never"), ("content-type", "application/grpc"), ("grpc-timeout", "10m")]
        )
        call = client._calls[number] = ClientCall(client, number)
        client.flush()
        with pytest.raises(RpcError) as caught:
            await call.receive()
        assert caught.value.code is StatusCode.DEADLINE_EXCEEDED
        del client._calls[number]


async def test_leaving_a_call_cancels_it_at_the_other_end() -> None:
    cancelled = asyncio.Event()

    async def wait(call: Call) -> None:
        try:
            await call.send(b"y")
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with connected({"/wait": wait}) as (client, server):
        async with client.call("/wait") as call:
            await call.send(b"x")
            assert await call.receive() == b"y"
        await cancelled.wait()
        async with client.call("/wait") as call:
            await call.send(b"at once")
        await asyncio.sleep(0.05)
        assert not server._calls


async def test_the_end_of_the_connection_ends_calls_at_both_ends() -> None:
    cancelled = asyncio.Event()

    async def wait(call: Call) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with connected({"/wait": wait}) as (client, server):
        with pytest.raises(RpcError) as caught:
            async with client.call("/wait") as call:
                await call.send(b"x")
                asyncio.get_running_loop().call_later(0.01, server.close)
                await call.receive()
        assert caught.value.code is StatusCode.UNAVAILABLE
        await cancelled.wait()
        with pytest.raises(RpcError):
            async with client.call("/wait"):
                pass


async def test_a_reader_that_does_not_read_holds_the_sender_up() -> None:
    sent = 0

    async def flood(call: Call) -> None:
        nonlocal sent
        while True:
            await call.send(bytes(1 << 16))
            sent += 1

    async with connected({"/flood": flood, "/echo": echo}) as (client, _):
        async with client.call("/flood") as call:
            await call.end()
            await call.receive()
            last = -1
            while sent != last:
                last = sent
                await asyncio.sleep(0.05)
            assert sent * (1 << 16) <= http2.STREAM_WINDOW + (4 << 20)
            async with client.call("/echo") as other:
                await other.send(b"x")
                assert await other.receive() == b"x"
        async with client.call("/echo") as other:
            for _ in range(20):
                await other.send(bytes(1 << 20))
                assert len(await other.receive() or b"") == 1 << 20


async def test_what_is_no_http2_ends_the_connection() -> None:
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    server = RpcConnection(is_client=False)
    transport, _ = await loop.create_connection(asyncio.Protocol, sock=ours)
    async with asyncio.TaskGroup() as group:
        group.create_task(server.run(transport, b"GET / HTTP/1.1\r\n\r\n"))
    theirs.close()
    assert server.is_lost
