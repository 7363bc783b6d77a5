"""Typed handlers out of functions on messages."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from wharfd.api.grpc.rpc import Call, Handler, RpcConnection
from wharfd.wire.grpc import Metadata, RpcError, StatusCode

Request = TypeVar("Request", bound=Message)
Reply = TypeVar("Reply", bound=Message)


def unary(
    request_type: type[Request], reply_type: type[Reply], work: Callable[[Request, Metadata], Awaitable[Reply]]
) -> Handler:
    """One message in, one out."""

    async def handle(call: Call) -> None:
        reply = await work(await only_message(call, request_type), call.metadata)
        await call.send(reply.SerializeToString())

    return handle


def streaming(
    request_type: type[Request],
    reply_type: type[Reply],
    work: Callable[[Request, Metadata], AsyncGenerator[Reply, None]],
    headers: Callable[[], Metadata] = dict,
) -> Handler:
    """One message in, any number out, at the client's pace.  `headers`: metadata that goes out at once."""

    async def handle(call: Call) -> None:
        request = await only_message(call, request_type)
        call.send_headers(headers())
        call.connection.flush()
        async with aclosing(work(request, call.metadata)) as replies:
            async for reply in replies:
                await call.send(reply.SerializeToString())

    return handle


async def only_message(call: Call, kind: type[Request]) -> Request:
    data = await call.receive()
    if data is None:
        raise RpcError(StatusCode.INTERNAL, "the client sent no message")
    return decode(kind, data)


def decode(kind: type[Request], data: bytes | memoryview) -> Request:
    """Raises RpcError."""
    try:
        return kind.FromString(data)  # type: ignore[arg-type]  # memoryview is taken, too
    except DecodeError as e:
        raise RpcError(StatusCode.INVALID_ARGUMENT, f"message cannot be read: {e}") from e


async def ask(
    connection: RpcConnection, path: str, request: Message, reply_type: type[Reply], metadata: Metadata | None = None
) -> Reply:
    """A call of one message each way.  Raises RpcError."""
    async with connection.call(path, metadata) as call:
        await call.send(request.SerializeToString(), end=True)
        data = await call.receive()
        if data is None:
            raise RpcError(StatusCode.INTERNAL, f"{path} gave no answer")
        reply = decode(reply_type, data)
        if await call.receive() is not None:
            raise RpcError(StatusCode.INTERNAL, f"{path} gave more than one answer")
        return reply
