"""gRPC on one connection, in either role: a task per call that is served, flow control in both directions, ends and failures.

    await RpcConnection(is_client=False, handlers={"/pkg.Service/Method": handler}).run(transport, rest)

    connection = RpcConnection(is_client=True)
    … run(transport, rest) in a task of its own …
    async with connection.call("/pkg.Service/Method", {"key": ["value"]}) as call:
        await call.send(data)
        while (message := await call.receive()) is not None: …

A message that nobody takes keeps its place in the sender's window, so a peer can fill no more memory than the windows and one message
per call.  A peer that does not read is waited for; one that only makes us answer (pings) without reading is cut off.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Protocol, cast

from wharfd.api.grpc.failures import rpc_error
from wharfd.wire import http2
from wharfd.wire.grpc import (
    PREFIX_BYTES,
    MessageReader,
    Metadata,
    RpcError,
    StatusCode,
    decode_metadata,
    decode_status,
    encode_metadata,
    encode_status,
    frame_message,
    parse_timeout,
)

log = logging.getLogger(__name__)

CONTENT_TYPE = ("content-type", "application/grpc")
WRITE_HIGH = 1 << 20  # bytes unsent at which senders wait
UNSENT_LIMIT = 16 << 20  # bytes of answers to a peer that does not read them
PARTIAL_LIMIT = 64 << 20  # bytes of incomplete messages, over all calls of a connection
JOIN_BELOW = 64 << 10  # bytes of output that are sent as one piece


class Wire(Protocol):
    """What a connection is sent over: a transport, or something that looks like one."""

    def write(self, data: bytes) -> None: ...

    def writelines(self, list_of_data: list[bytes | memoryview]) -> None: ...

    def is_closing(self) -> bool: ...

    def get_write_buffer_size(self) -> int: ...

    def close(self) -> None: ...

    def abort(self) -> None: ...


class Call:
    """One call.  One reader and one writer at a time.  Both sides of the role use it; see `ClientCall` for what a client has more."""

    def __init__(self, connection: "RpcConnection", number: int, headers: list[tuple[str, str]]) -> None:
        self.connection = connection
        self.number = number
        self.headers = headers
        self.has_sent_headers = False
        self.is_over = False  # nobody reads or writes any more
        self.failure: RpcError | None = None
        self.outcome: RpcError | None = RpcError(StatusCode.CANCELLED, "context canceled")
        self.task: asyncio.Task[None] | None = None
        self._reader = MessageReader()
        self._messages: deque[tuple[bytes | memoryview, int]] = deque()  # with what is to be acknowledged for it
        self._held = 0  # bytes that are not acknowledged
        self._is_ended = False
        self._arrival: asyncio.Future[None] | None = None

    @property
    def metadata(self) -> dict[str, list[str]]:
        return decode_metadata(self.headers)

    async def receive(self) -> bytes | memoryview | None:
        """The peer's next message; None when it sends no more.  Raises RpcError when the call has failed."""
        while not self._messages:
            if self.failure is not None:
                raise self.failure
            if self._is_ended:
                self.check_end()
                return None
            self._arrival = self.connection.loop.create_future()
            await self._arrival
        message, size = self._messages.popleft()
        if size:
            self._held -= size
            self.connection.acknowledge(self.number, size)
        return message

    def check_end(self) -> None:
        """At the end of the peer's messages."""

    async def send(self, message: bytes, *, end: bool = False) -> None:
        """Waits while the peer's window is used up.  `end`: we send no more.  Raises RpcError when the call has failed."""
        self.send_headers()
        await self._send_data(memoryview(frame_message(message)), end)

    async def end(self) -> None:
        """We send no more (a client's half-close)."""
        self.send_headers()
        await self._send_data(memoryview(b""), True)

    def send_headers(self, metadata: Metadata | None = None) -> None:
        if not self.has_sent_headers:
            self.has_sent_headers = True
            headers = [(":status", "200"), CONTENT_TYPE, *encode_metadata(metadata or {})]
            self.connection.http2.send_headers(self.number, headers)

    async def _send_data(self, data: memoryview, end: bool) -> None:
        connection = self.connection
        while True:
            if self.failure is not None:
                raise self.failure
            if self.number not in connection.http2.streams:
                return  # the peer wants no more
            room = connection.http2.sendable(self.number)
            if connection.is_write_paused or (room == 0 and data):
                await connection.wait_room()
                continue
            piece, data = data[:room], data[room:]
            connection.http2.send_data(self.number, piece, end=end and not data)
            connection.flush()
            if not data:
                return

    # --- events of the connection ----------------------------------------------------------------------------------------------

    def on_headers(self, headers: list[tuple[str, str]], ended: bool) -> None:
        if ended:
            self._is_ended = True
            self._wake()

    def on_data(self, event: http2.Data) -> None:
        """Raises RpcError for a message that is not taken."""
        before = self._reader.partial
        messages = self._reader.feed(event.data)
        partial = self._reader.partial
        self.connection.partial += partial - before
        # What lies in an incomplete message is acknowledged at once, or a message longer than the window would never be complete.
        owed = event.size - len(event.data) + partial - before
        for number, message in enumerate(messages):
            size = PREFIX_BYTES + len(message)
            if number == 0:
                size -= before
                owed += before
            self._messages.append((message, size))
            self._held += size
        if owed:
            self.connection.http2.acknowledge(self.number, owed)
        if event.ended:
            self._is_ended = True
        if messages or event.ended:
            self._wake()

    def fail(self, error: RpcError) -> None:
        """The peer has broken the call off, or is gone."""
        if self.failure is None:
            self.failure = error
            if self.task is not None:
                self.task.cancel()
        self._wake()

    def refuse(self, error: RpcError) -> None:
        """What the peer sends is not taken; whoever reads gets to know it."""
        if self.failure is None:
            self.failure = error
        self._wake()

    def release(self) -> None:
        """Nothing of it is wanted any more."""
        self.is_over = True
        self.connection.partial -= self._reader.partial
        self._messages.clear()
        if self._held:
            self.connection.http2.acknowledge(self.number, self._held)
            self._held = 0

    def _wake(self) -> None:
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)


class ClientCall(Call):
    """A call that we make.  Its status is the last thing that comes: `receive` raises it."""

    def __init__(self, connection: "RpcConnection", number: int) -> None:
        super().__init__(connection, number, [])
        self.has_sent_headers = True
        self._trailers: list[tuple[str, str]] | None = None

    def on_headers(self, headers: list[tuple[str, str]], ended: bool) -> None:
        if not self.headers:
            self.headers = headers
        if ended:
            self._trailers = headers
        super().on_headers(headers, ended)

    def check_end(self) -> None:
        error = decode_status(self._trailers) if self._trailers is not None else None
        if self._trailers is None:
            error = RpcError(StatusCode.INTERNAL, "the peer ended the call without a status")
        if error is not None:
            raise error

    def fail(self, error: RpcError) -> None:
        """Go's servers end a call with trailers and a reset: what came before it counts."""
        if not self._is_ended:
            super().fail(error)


Handler = Callable[[Call], Awaitable[None]]


class RpcConnection(asyncio.Protocol):
    def __init__(self, *, is_client: bool, handlers: Mapping[str, Handler] | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        self.http2 = http2.Connection(is_client=is_client)
        self.is_write_paused = False
        self.partial = 0  # bytes of incomplete messages
        self._handlers = handlers or {}
        self._calls: dict[int, Call] = {}
        self._group: asyncio.TaskGroup | None = None
        self._wire: Wire | None = None
        self._lost = self.loop.create_future()
        self._room: asyncio.Future[None] | None = None
        self._is_going_away = False

    async def run(self, transport: asyncio.Transport, rest: bytes) -> None:
        """Take the transport over (at once) and serve it until the connection ends.  Being cancelled ends it."""
        async with asyncio.TaskGroup() as group:
            transport.set_write_buffer_limits(high=WRITE_HIGH)
            self.begin(group, as_wire(transport))
            transport.set_protocol(self)
            if rest:
                self.data_received(rest)
            await self.wait_end()

    def begin(self, group: asyncio.TaskGroup, wire: Wire) -> None:
        """For a wire that is no transport: who has it calls `data_received` and `connection_lost`."""
        self._group = group
        self._wire = wire
        self.http2.start()
        self.flush()

    async def wait_end(self) -> None:
        try:
            await asyncio.shield(self._lost)
        finally:
            self.close()

    @property
    def is_lost(self) -> bool:
        return self._lost.done()

    def close(self) -> None:
        """Tell the peer, send what is queued, and close."""
        if self._wire is not None and not self._wire.is_closing():
            self.http2.go_away(http2.Code.NO_ERROR)
            self.flush()
            self._wire.close()
        self._end("connection closed")

    # --- the transport ---------------------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self.is_lost or self._wire is None:
            return
        try:
            events = self.http2.feed(data)
        except http2.Http2Error as error:
            log.info("gRPC connection broken error=%s", error)
            self.flush()
            self._wire.close()
            self._end(str(error))
            return
        for event in events:
            self._on_event(event)
        self.flush()
        if self._wire.get_write_buffer_size() > UNSENT_LIMIT:
            log.warning("gRPC connection cut off: the peer does not read")
            self._wire.abort()

    def eof_received(self) -> bool | None:
        return False  # HTTP/2 knows no half-close: the transport closes itself

    def connection_lost(self, exc: Exception | None) -> None:
        self._end("connection closed")

    def pause_writing(self) -> None:
        self.is_write_paused = True

    def resume_writing(self) -> None:
        self.is_write_paused = False
        self._wake_writers()

    def flush(self) -> None:
        output = self.http2.take_output()
        wire = self._wire
        if not output or wire is None or wire.is_closing():
            return
        if sum(map(len, output)) < JOIN_BELOW:
            wire.write(b"".join(output))
        else:
            wire.writelines(output)

    async def wait_room(self) -> None:
        """Returns when more may be sent than before, or something has ended."""
        if self.is_lost:
            raise RpcError(StatusCode.UNAVAILABLE, "connection closed")
        if self._room is None:
            self._room = self.loop.create_future()
        await asyncio.shield(self._room)

    def _wake_writers(self) -> None:
        if self._room is not None:
            self._room.set_result(None)
            self._room = None

    def acknowledge(self, number: int, size: int) -> None:
        self.http2.acknowledge(number, size)
        self.flush()

    def _end(self, reason: str) -> None:
        if self._lost.done():
            return
        self._lost.set_result(None)
        for call in self._calls.values():
            call.fail(RpcError(StatusCode.UNAVAILABLE, reason))
        self._wake_writers()

    # --- calls -----------------------------------------------------------------------------------------------------------------

    def _on_event(self, event: http2.Event) -> None:
        match event:
            case http2.Data():
                self._on_data(event)
            case http2.Headers(stream=number, headers=headers, ended=ended):
                call = self._calls.get(number)
                if call is not None:
                    call.on_headers(headers, ended)
                elif not self.http2.is_client:
                    self._accept(number, headers, ended)
            case http2.Reset(stream=number, code=code):
                call = self._calls.get(number)
                if call is not None:
                    call.fail(RpcError(reset_status(code), f"the call was reset by the peer, code {code}"))
                self._wake_writers()
            case http2.WindowOpened():
                self._wake_writers()
            case http2.GoAway():
                self._is_going_away = True

    def _on_data(self, event: http2.Data) -> None:
        call = self._calls.get(event.stream)
        if call is None or call.is_over or call.failure is not None:
            self.http2.acknowledge(event.stream, event.size)
            return
        try:
            call.on_data(event)
            if self.partial > PARTIAL_LIMIT:
                raise RpcError(StatusCode.RESOURCE_EXHAUSTED, "too many incomplete messages")
        except RpcError as error:
            self.http2.acknowledge(event.stream, event.size)
            call.refuse(error)

    def _accept(self, number: int, headers: list[tuple[str, str]], ended: bool) -> None:
        call = Call(self, number, headers)
        call.on_headers(headers, ended)
        fields = dict(headers)
        handler = self._handlers.get(fields.get(":path", ""))
        if fields.get(":method") != "POST" or not fields.get("content-type", "").startswith("application/grpc"):
            self.http2.send_headers(number, [(":status", "415")], end=True)
            self.http2.reset(number, http2.Code.NO_ERROR)
        elif handler is None:
            path = fields.get(":path", "")
            self._finish(call, RpcError(StatusCode.UNIMPLEMENTED, f"unknown method {path}"))
        elif self._group is not None and not self.is_lost:
            self._calls[number] = call
            work = self._serve(call, handler, parse_timeout(fields.get("grpc-timeout", "")))
            call.task = self._group.create_task(work, name=f"grpc:{fields[':path']}")
            call.task.add_done_callback(lambda _: self._served(call))

    async def _serve(self, call: Call, handler: Handler, timeout_s: float | None) -> None:
        deadline = asyncio.timeout(timeout_s)
        try:
            async with deadline:
                await handler(call)
            call.outcome = None
        except Exception as e:  # noqa: BLE001 - the outer end of a call
            if deadline.expired():
                call.outcome = RpcError(StatusCode.DEADLINE_EXCEEDED, "context deadline exceeded")
            else:
                call.outcome = rpc_error(e)

    def _served(self, call: Call) -> None:
        """The task has ended; it may have been cancelled before its first step."""
        self._calls.pop(call.number, None)
        self._finish(call, call.outcome)

    def _finish(self, call: Call, error: RpcError | None) -> None:
        call.release()
        status = encode_status(error)
        if not call.has_sent_headers:
            status = [(":status", "200"), CONTENT_TYPE, *status]
        self.http2.send_headers(call.number, status, end=True)
        self.http2.reset(call.number, http2.Code.NO_ERROR)  # if the client is still sending
        self.flush()

    @asynccontextmanager
    async def call(self, path: str, metadata: Metadata | None = None) -> AsyncIterator[ClientCall]:
        """A call to the peer; leaving before its end breaks it off.  Raises RpcError if there is no connection any more."""
        while not self.http2.can_open and not self.is_lost:
            await self.wait_room()
        if self.is_lost or self._is_going_away:
            raise RpcError(StatusCode.UNAVAILABLE, "connection closed")
        headers = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", path),
            (":authority", "localhost"),
            ("te", "trailers"),
            CONTENT_TYPE,
            ("user-agent", "wharfd"),
            *encode_metadata(metadata or {}),
        ]
        number = self.http2.open(headers)
        call = ClientCall(self, number)
        self._calls[number] = call
        self.flush()
        try:
            yield call
        finally:
            del self._calls[number]
            call.release()
            self.http2.reset(number, http2.Code.CANCEL)
            self.flush()
            self._wake_writers()


def reset_status(code: int) -> StatusCode:
    match code:
        case http2.Code.CANCEL | http2.Code.NO_ERROR:
            return StatusCode.CANCELLED
        case http2.Code.REFUSED_STREAM:
            return StatusCode.UNAVAILABLE
        case http2.Code.ENHANCE_YOUR_CALM:
            return StatusCode.RESOURCE_EXHAUSTED
        case _:
            return StatusCode.INTERNAL


def as_wire(transport: asyncio.BaseTransport) -> Wire:
    # uvloop: its transports are no subclass of asyncio.Transport
    return cast("Wire", transport)
