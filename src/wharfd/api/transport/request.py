"""One request as a handler sees it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from types import MappingProxyType

from wharfd.api.transport.body import Body
from wharfd.api.transport.channel import Channel, ClientGone, PeerCredentials
from wharfd.api.transport.response import HeaderList, Response, StreamResponse
from wharfd.api.transport.stream import HijackedStream, ResponseStream, switch_head, upgrade_head
from wharfd.api.versions.version import MAX, Version
from wharfd.wire.http1 import Head, Headers
from wharfd.wire.target import Query, parse_query

RAW_STREAM = "application/vnd.docker.raw-stream"
DEFAULT_BODY_LIMIT = 4 << 20  # bytes


class Request:
    """Handlers read from it and either return a Response or StreamResponse, or answer through `stream`, `hijack` or `take_transport`.

    `params`, `version` and `cancel_on_disconnect` are set by the router before the handler is called.
    `endless` is true while the answer has no end of its own: at shutdown it is ended at once instead of being waited for.
    """

    params: Mapping[str, str] = MappingProxyType({})  # names in the route's pattern
    version: Version = MAX
    cancel_on_disconnect: bool = False
    endless: bool = False
    response_stream: ResponseStream | None = None
    hijacked: HijackedStream | None = None
    is_transport_taken: bool = False
    parsed_query: Query | None = None
    opened_body: Body | None = None

    def __init__(self, channel: Channel, head: Head) -> None:
        self.channel = channel
        self.head = head
        self.method = head.method
        self.path = head.path  # decoded, slashes collapsed; the router takes the version prefix off

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.head.target}>"

    @property
    def raw_path(self) -> str:
        """As sent, percent escapes and all."""
        return self.head.raw_path

    @property
    def query(self) -> Query:
        """Raises InvalidParameter for a query that Go would not parse."""
        if self.parsed_query is None:
            self.parsed_query = parse_query(self.head.query)
        return self.parsed_query

    @property
    def headers(self) -> Headers:
        """In their order, names in lower case."""
        return self.head.headers

    def header(self, name: str, default: str = "") -> str:
        """The first value of a header, whatever the case of its name."""
        return self.head.header(name.lower(), default)

    def header_all(self, name: str) -> list[str]:
        name = name.lower()
        return [value for key, value in self.head.headers if key == name]

    @property
    def peer(self) -> PeerCredentials | None:
        """Who connected; None unless over a UNIX socket."""
        return self.channel.peer()

    @property
    def has_body(self) -> bool:
        """True if the head announces one (chunked counts, though it may turn out empty)."""
        return self.head.has_body

    async def pieces(self) -> AsyncIterator[bytes]:
        """Of the body, as they come; none if the head announces no body."""
        if self.has_body:
            async for piece in self.body:
                yield piece

    @property
    def body(self) -> Body:
        """Iterate for the body's bytes as they come; the client sends at the pace of the reader."""
        if self.opened_body is None:
            self.opened_body = Body(self.channel, self.head)
        return self.opened_body

    async def read(self, limit: int = DEFAULT_BODY_LIMIT) -> bytes:
        """The whole body.  Raises HttpError 413 beyond `limit` bytes, ClientGone if it ends early."""
        if not self.head.has_body:
            return b""
        return await self.body.read(limit)

    def stream(
        self, status: int = 200, headers: HeaderList = (), *, length: int | None = None, endless: bool = False
    ) -> ResponseStream:
        """Begin an answer that is sent piece by piece.  It is finished when the handler returns."""
        self._claim()
        self.endless = endless
        expected = self.body if self.head.expects_continue else None
        self.response_stream = ResponseStream(self.channel, self.head, status, headers, length, expected)
        return self.response_stream

    async def hijack(
        self,
        content_type: str = RAW_STREAM,
        headers: HeaderList = (),
        *,
        status: int | None = None,
        protocol: str = "tcp",
    ) -> HijackedStream:
        """Take the connection as a byte stream; its head is sent now.  It is closed when the handler returns.

        `status` None: 101 if the client sent an Upgrade header, else 200.  What is unread of the body belongs to the stream: raw after
        an upgrade (dockerode announces a chunked body there and then sends none), decoded otherwise, its end being a half-close.  After
        an upgrade a body of announced length is passed over: dockerode sends the query's options once more as one.

        Raises:
            ClientGone: the client is not there any more.
        """
        self._claim()
        if status is None:
            status = 101 if self.head.upgrade else 200
        self.channel.write(upgrade_head(status, content_type, headers, protocol, self.channel.default_lines()))
        is_raw = (
            status == 101 or not self.head.is_chunked or (self.opened_body is not None and self.opened_body.is_done)
        )
        has_length = status == 101 and self.head.has_body and not self.head.is_chunked
        self.hijacked = HijackedStream(self.channel, None if is_raw else self.body, self.body if has_length else None)
        self.channel.watch_hangup()
        return self.hijacked

    async def hijack_without_head(self) -> HijackedStream:
        """As `hijack`, but the handler writes the head itself (a WebSocket handshake, an error in Docker's own form)."""
        self._claim()
        self.hijacked = HijackedStream(self.channel, None)
        self.channel.watch_hangup()
        return self.hijacked

    async def take_transport(
        self, headers: HeaderList = (), *, protocol: str | None = None
    ) -> tuple[asyncio.Transport, bytes]:
        """Answer 101 and give the transport away, with what came behind the request.

        The new owner must call `transport.set_protocol` before it awaits anything, and closes the transport itself; the handler may
        return before that.  `protocol` None: the one that the client asked for.

        Raises:
            ClientGone: the client is not there any more, or has shut its writing side.
        """
        self._claim()
        channel = self.channel
        if channel.at_eof:
            raise ClientGone("client sends no more")
        name = self.head.upgrade if protocol is None else protocol
        lines = [("Connection", "Upgrade"), ("Upgrade", name), *headers]
        self.is_transport_taken = True
        channel.write(switch_head(lines, channel.default_lines()))
        leftover = channel.take_all()
        channel.release()
        return channel.transport, leftover

    def _claim(self) -> None:
        if self.response_stream is not None or self.hijacked is not None or self.is_transport_taken:
            raise RuntimeError("request is being answered already")


Outcome = Response | StreamResponse | None
Handler = Callable[[Request], Outcome | Awaitable[Outcome]]
ErrorResponse = Callable[[Request | None, BaseException], Response]
