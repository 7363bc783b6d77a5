"""HTTP/1.1 on one connection: requests are taken off it one after another, each answered before the next is looked at.

    idle ── head complete ──> request ── answered ──> (rest of its body skipped) ──> idle
                                 │
                                 ├── hijack ────────> the handler has the bytes, then closes
                                 └── take_transport > another protocol has the transport; we are out

A handler that returns a Response without being a coroutine is answered within the same read, without a task.  Bytes that arrive
meanwhile wait in the channel.
"""

import asyncio
import logging
from collections.abc import Awaitable
from typing import Protocol, cast

from wharfd.api.transport.body import Body
from wharfd.api.transport.channel import Channel, ClientGone
from wharfd.api.transport.hangup import HangupWatch
from wharfd.api.transport.request import Handler, Outcome, Request
from wharfd.api.transport.response import Response, StreamResponse
from wharfd.wire.http1 import Head, HttpError, find_head_end, parse_head

log = logging.getLogger(__name__)

LINGER_S = 5.0  # how long a client may go on sending after an answer that closes the connection
CACHED_HEAD_BYTES = 512
CACHED_HEADS = 512
SECRET_HEADERS = frozenset(("authorization", "cookie", "x-registry-auth", "x-registry-config"))

# Clients repeat the same head over and over (pings, lists); parsing is a pure function of its bytes.
_heads: dict[bytes, Head] = {}


class Owner(Protocol):
    """What a connection needs of its server."""

    handler: Handler
    hangups: HangupWatch
    is_draining: bool
    max_head_bytes: int
    max_headers: int

    def error_response(self, request: Request | None, error: BaseException) -> Response: ...

    def header_lines(self) -> bytes: ...

    def spawn(self, connection: "Connection", request: Request, work: Awaitable[Outcome]) -> asyncio.Task[None]: ...

    def opened(self, connection: "Connection") -> None: ...

    def closed(self, connection: "Connection") -> None: ...

    def set_deadline(self, connection: "Connection", after_s: float | None) -> None:
        """Call `connection.timed_out` later; None: never."""

    def set_head_deadline(self, connection: "Connection") -> None:
        """The same, after the time that a head may take."""


class Connection(Channel):
    __slots__ = ("has_deadline", "is_lingering", "request", "server", "skipping", "task")

    def __init__(self, server: Owner, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop, server.hangups)
        self.server = server
        self.request: Request | None = None
        self.task: asyncio.Task[None] | None = None
        self.skipping: Body | None = None  # the rest of an answered request's body
        self.is_lingering = False
        self.has_deadline = False

    # --- events of the transport -----------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop: its transports are no subclass of asyncio.Transport
        self.transport = cast("asyncio.Transport", transport)
        self.server.opened(self)

    def data_received(self, data: bytes) -> None:
        if self.is_lingering:
            return
        if self.request is None:
            if not self.chunks and self.skipping is None and not self.is_write_paused:
                head = _heads.get(data)
                if head is not None:
                    self.begin(head)
                    return
            self.feed(data)
            self.advance()
        else:
            self.feed(data)

    def eof_received(self) -> bool | None:
        if self.request is None and not (self.chunks and self.is_write_paused):
            return False  # idle, lingering, or in the middle of a head: the transport closes itself
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.server.closed(self)

    def gone_away(self) -> None:
        super().gone_away()
        request, task = self.request, self.task
        if request is not None and task is not None and request.cancel_on_disconnect:
            task.cancel()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.request is None and (self.chunks or self.at_eof) and not self.lost:
            self.loop.call_soon(self.advance)  # not at once: asyncio's transports break if they are closed from here

    def timed_out(self) -> None:
        """The deadline has passed: a head that does not become complete, or a client that goes on sending."""
        if self.is_lingering and self.transport.get_write_buffer_size():
            self.server.set_deadline(self, LINGER_S)  # it still reads its answer, however slowly
            return
        self.has_deadline = False
        self.transport.abort() if self.is_lingering else self.transport.close()

    # --- requests --------------------------------------------------------------------------------------------------------------

    def advance(self) -> None:
        """Take as many requests off the connection as can be answered at once; none while answers pile up unsent."""
        while self.request is None and not (self.is_write_paused or self.is_lingering or self.transport.is_closing()):
            if self.skipping is not None and not self.skip_body(self.skipping):
                return
            if not self.chunks:
                if self.at_eof:
                    self.transport.close()
                return
            data = self.take_all()
            try:
                head, size = self.take_head(data)
            except HttpError as error:
                self.refuse(error)
                return
            if head is None:
                if self.at_eof:
                    self.transport.close()
                    return
                self.put_back(data)
                if not self.has_deadline:
                    self.has_deadline = True
                    self.server.set_head_deadline(self)
                return
            if self.has_deadline:
                self.clear_deadline()
            self.put_back(data[size:])
            self.begin(head)

    def take_head(self, data: bytes) -> tuple[Head | None, int]:
        """The head at the start of `data` and its size; None if it is not complete.  Raises HttpError."""
        start = 2 if data.startswith(b"\r\n") else 0  # an empty line before a request is forgiven (RFC 9112, 2.2)
        limit = self.server.max_head_bytes
        end = find_head_end(data, start)
        if end < 0 or end - start > limit:
            if len(data) - start <= limit:
                return None, 0
            if data.find(b"\n", start, start + limit) < 0:
                raise HttpError(414, f"request line exceeds the limit of {limit} bytes")
            raise HttpError(431, f"request head exceeds the limit of {limit} bytes")
        raw = data[start:end]
        head = _heads.get(raw)
        if head is None:
            head = parse_head(raw, self.server.max_headers)
            if len(raw) <= CACHED_HEAD_BYTES and not head.has_body and is_harmless(head):
                if len(_heads) >= CACHED_HEADS:
                    _heads.clear()
                _heads[raw] = head
        return head, end

    def refuse(self, error: HttpError) -> None:
        """Answer what is not a request, and close."""
        response = self.server.error_response(None, error)
        self.transport.write(response.encode(1, self.default_lines() + b"Connection: close\r\n", is_head=False))
        self.linger()

    def begin(self, head: Head) -> None:
        request = self.request = Request(self, head)
        try:
            outcome = self.server.handler(request)
        except Exception as error:  # noqa: BLE001  outer end of a request
            outcome = self.server.error_response(request, error)
        if outcome.__class__ is Response:
            self.answer(request, outcome)
        elif isinstance(outcome, Awaitable):
            self.task = self.server.spawn(self, request, outcome)
        else:
            self.task = self.server.spawn(self, request, ready(outcome))

    async def run(self, request: Request, work: Awaitable[Outcome]) -> None:
        """A handler's task."""
        outcome: Outcome = None
        try:
            outcome = await work
            if isinstance(outcome, StreamResponse):
                await send_all(request, outcome)
        except asyncio.CancelledError:
            self.task = None
            self.interrupted(request)
            raise
        except Exception as error:  # noqa: BLE001  outer end of a request
            outcome = self.failed(request, error)
        self.task = None
        try:
            self.settle(request, outcome if isinstance(outcome, Response) else None)
        except BaseException:
            self.transport.abort()  # our own fault, logged by the task's owner: the client must not wait for ever
            raise

    def interrupted(self, request: Request) -> None:
        """The handler was cancelled: the client has left, or the server ends."""
        stream = request.response_stream
        if stream is not None and stream.head_sent and not request.endless:
            self.transport.abort()  # a finite answer that is cut must look cut
        elif (stream is not None and stream.head_sent) or request.hijacked is not None or request.is_transport_taken:
            self.settle(request, None)
        else:
            request.response_stream = None
            text = "the engine is shutting down" if self.server.is_draining else "the request was cancelled"
            self.settle(request, self.server.error_response(request, ClientGone(text)))

    def failed(self, request: Request, error: Exception) -> Response | None:
        """What to answer after the handler raised; None if it is too late for a status."""
        stream = request.response_stream
        if request.hijacked is None and not request.is_transport_taken and (stream is None or not stream.head_sent):
            request.response_stream = None
            return self.server.error_response(request, error)
        if not isinstance(error, ClientGone):
            log.error("request=%r failed after its answer had begun error=%s", request, error, exc_info=error)
        if stream is not None:
            stream.is_finished = True  # no final chunk: the client must see that the answer is cut
            stream.keep_alive = False
        return None

    def settle(self, request: Request, response: Response | None) -> None:
        """The handler is through; end its answer and go on."""
        if request.is_transport_taken:
            self.request = None
            self.server.closed(self)
        elif self.lost:
            self.request = None
        elif request.hijacked is not None:
            request.hijacked.close()
        elif response is not None and request.response_stream is None:
            self.answer(request, response)
            self.advance()
        elif request.response_stream is not None:
            try:
                keep_alive = request.response_stream.finish()
            except ClientGone:
                keep_alive = False
            self.finish(request, keep_alive)
            self.advance()
        else:
            self.answer(request, self.server.error_response(request, RuntimeError("handler gave no answer")))
            self.advance()

    def answer(self, request: Request, response: Response) -> None:
        head = request.head
        keep_alive = head.keep_alive and not self.server.is_draining
        if head.has_body and keep_alive:
            keep_alive = request.body.skip() is not None
        defaults = self.server.header_lines()
        if not keep_alive:
            defaults += b"Connection: close\r\n"
        elif not head.minor:
            defaults += b"Connection: keep-alive\r\n"
        if not self.lost:
            self.transport.write(response.encode(head.minor, defaults, head.method == "HEAD"))
        self.finish(request, keep_alive)

    def finish(self, request: Request, keep_alive: bool) -> None:
        """The answer is out."""
        self.request = None
        if self.lost:
            return
        if not keep_alive or self.server.is_draining:
            self.end()
        elif request.head.has_body and not request.body.is_done:
            self.skipping = request.body

    def skip_body(self, body: Body) -> bool:
        """True if the rest of an answered request's body is behind us."""
        done = body.skip()
        if done:
            self.skipping = None
        elif done is None:
            self.linger()
        elif self.at_eof:
            self.transport.close()
        return bool(done)

    # --- the end ---------------------------------------------------------------------------------------------------------------

    def end(self) -> None:
        if not self.lost and not self.is_lingering:
            self.linger()

    def linger(self) -> None:
        """Close our side, throw away what still comes, and close when the client does.

        # Linux: a UNIX socket that is closed with unread input resets the other end, which may lose it our last words.
        """
        self.request = None
        if self.transport.is_closing():
            return
        if self.at_eof or self.gone:
            self.transport.close()  # nothing more will come
            return
        self.is_lingering = True
        self.take_all()
        self.transport.write_eof()
        if self.is_read_paused:
            self.resume_reading()
        self.has_deadline = True
        self.server.set_deadline(self, LINGER_S)

    def drain_now(self) -> None:
        """The server ends: close if idle, end an endless answer, else let the request come to its end."""
        if self.request is None:
            if not self.is_lingering:
                self.transport.close()
        elif self.task is not None and (self.request.endless or self.request.hijacked is not None):
            self.task.cancel()

    def clear_deadline(self) -> None:
        self.has_deadline = False
        self.server.set_deadline(self, None)

    def default_lines(self) -> bytes:
        return self.server.header_lines()


def is_harmless(head: Head) -> bool:
    """True if no header carries a secret that must not stay in memory."""
    return not any(name in SECRET_HEADERS for name, _ in head.headers)


async def ready(outcome: Outcome) -> Outcome:
    return outcome


async def send_all(request: Request, response: StreamResponse) -> None:
    """The body of a StreamResponse, whose iterator is closed in every case."""
    stream = request.stream(response.status, response.headers, length=response.length, endless=response.endless)
    if response.flush_head:
        stream.flush_head()
    iterator = aiter(response.body)
    try:
        if request.method == "HEAD":
            return
        async for piece in iterator:
            await stream.send(piece)
    finally:
        close = getattr(iterator, "aclose", None)
        if close is not None:
            await close()
