"""An answer that is sent piece by piece, and a connection taken over by a handler."""

import asyncio

from wharfd.api.transport.body import Body
from wharfd.api.transport.channel import WRITE_HIGH, Channel, Chunk, ClientGone
from wharfd.api.transport.response import HeaderList, encode_headers, may_have_body, status_line
from wharfd.wire.http1 import Head

READ_TURN_S = 0.0005
JOIN_BELOW = 8 * 1024  # bytes: smaller pieces are copied into one buffer with their chunk's frame


class ResponseStream:
    """The head goes out with the first piece, or by `flush_head`.  After an error nothing but closing is left.

    Until the head is out an exception in the handler still becomes an error status.
    """

    def __init__(
        self,
        channel: Channel,
        head: Head,
        status: int,
        headers: HeaderList,
        length: int | None,
        expected: Body | None = None,
    ) -> None:
        self._channel = channel
        self._expected = expected  # a body that the client sends only after `100 Continue`
        self._status = status
        self._headers = headers
        self._minor = head.minor
        self._has_body = head.method != "HEAD" and may_have_body(status)
        self._length = length
        self._sent = 0  # bytes of the body
        self._is_chunked = self._has_body and length is None and head.minor >= 1
        self.head_sent = False
        self.is_finished = False
        self.keep_alive = head.keep_alive and not (self._has_body and length is None and head.minor == 0)

    def _encode_head(self) -> bytes:
        if self._expected is not None:
            self._expected.send_continue()
        self.head_sent = True
        self._channel.transport.set_write_buffer_limits(high=WRITE_HIGH)
        framing = b""
        if self._is_chunked:
            framing = b"Transfer-Encoding: chunked\r\n"
        elif self._length is not None and may_have_body(self._status):
            framing = b"Content-Length: %d\r\n" % self._length
        if not self.keep_alive:
            framing += b"Connection: close\r\n"
        elif not self._minor:
            framing += b"Connection: keep-alive\r\n"
        return b"".join(
            (
                status_line(self._minor, self._status),
                encode_headers(self._headers),
                self._channel.default_lines(),
                framing,
                b"\r\n",
            )
        )

    def flush_head(self) -> None:
        """Send the head now.  Raises ClientGone."""
        if not self.head_sent:
            self._channel.write(self._encode_head())

    async def send(self, data: Chunk) -> None:
        """Send a piece; waits while the client is behind.  `data` must not change afterwards.

        Raises:
            ClientGone: nobody reads any more.
        """
        self.send_now(data)
        if self._channel.is_write_paused:
            await self._channel.drain()

    def send_now(self, data: Chunk) -> None:
        """Send without waiting, for the few bytes of a last word."""
        size = data.nbytes if isinstance(data, memoryview) else len(data)
        if self.is_finished:
            raise RuntimeError("answer is finished")
        self._sent += size
        if self._length is not None and self._sent > self._length:
            raise RuntimeError("answer is longer than its Content-Length")
        if not size or not self._has_body:
            self.flush_head()
            return
        head = b"" if self.head_sent else self._encode_head()
        if not self._is_chunked:
            self._channel.write_pieces((head, data)) if head else self._channel.write(data)
        elif size < JOIN_BELOW:
            self._channel.write(b"".join((head, b"%x\r\n" % size, data, b"\r\n")))
        else:
            self._channel.write_pieces((b"%b%x\r\n" % (head, size), data, b"\r\n"))

    def finish(self) -> bool:
        """Ends the answer; true if the connection can go on.  Called when the handler returns."""
        if self.is_finished:
            return self.keep_alive
        self.flush_head()
        self.is_finished = True
        if self._is_chunked:
            self._channel.write(b"0\r\n\r\n")
        elif self._has_body and self._length is not None and self._sent < self._length:
            self.keep_alive = False  # fewer bytes than promised: the client must see a broken answer
        return self.keep_alive


class HijackedStream:
    """A connection after its upgrade: bytes in both directions, each closed on its own.

    Nothing is buffered on the way out; what came right behind the request is read first.
    """

    def __init__(self, channel: Channel, body: Body | None, unwanted: Body | None = None) -> None:
        self._channel = channel
        self._body = body  # a body that is still to be decoded: its end is the end of input
        self._unwanted = unwanted  # a body that nobody has read: the input begins behind it
        self._rest = b""  # taken from the channel, but beyond the last read's limit
        self._is_eof_written = False
        self._is_closed = False

    async def read(self, limit: int = 1 << 20) -> bytes:
        """At least one byte and at most `limit`; empty when the client sends no more (half-close, full close, reset)."""
        if self._unwanted is not None and not await self.pass_over(self._unwanted):
            return b""
        if self._rest:
            data = self._rest
        elif self._body is not None:
            try:
                data = await self._body.read_some()
            except ClientGone:
                return b""
        elif await self._channel.wait_readable():
            data = self._channel.take()
        else:
            return b""
        self._rest = data[limit:]
        return data[:limit]

    async def pass_over(self, body: Body) -> bool:
        """False if the client has left before its end."""
        try:
            while await body.read_some():
                pass
        except ClientGone:
            return False
        self._unwanted = None
        return True

    async def write(self, data: Chunk) -> None:
        """Send; waits while the client is behind.  `data` must not change afterwards.  Raises ClientGone."""
        if data:
            self._channel.write(data)
        if self._channel.is_write_paused:
            await self._channel.drain()

    async def wait_read(self, limit_s: float) -> None:
        """Returns when the client has taken from its socket all that was sent, or after that time.

        docker-py reads the head through a buffer and throws away what came along with it, so nothing may follow on its heels.
        """
        deadline = self._channel.loop.time() + limit_s
        while not self.is_closed and self._channel.unread() and self._channel.loop.time() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(READ_TURN_S)

    async def write_eof(self) -> None:
        """Half-close: the client reads to the end of input; its own input still comes."""
        channel = self._channel
        if not self._is_eof_written and not channel.lost and not channel.transport.is_closing():
            self._is_eof_written = True
            channel.transport.write_eof()

    async def wait_closed(self) -> None:
        """Returns when the client has closed fully, or the connection is gone; not for a half-close."""
        await self._channel.wait_gone()

    @property
    def is_closed(self) -> bool:
        """True if the client has closed fully or we have."""
        return self._is_closed or self._channel.gone or self._channel.lost

    def abort(self) -> None:
        """Closes both directions now; what is queued is thrown away.  For a client that does not read."""
        self._is_closed = True
        if not self._channel.lost:
            self._channel.transport.abort()

    def close(self) -> None:
        """Sends what is queued, then closes both directions without a reset.  Idempotent."""
        if not self._is_closed:
            self._is_closed = True
            self._channel.end()


def upgrade_head(status: int, content_type: str, headers: HeaderList, protocol: str, defaults: bytes) -> bytes:
    """The head of a hijacked connection.

    # Docker: `101 UPGRADED` if the client asked for an upgrade, else a plain 200 whose body ends by close.
    """
    if status == 101:
        first = (
            f"HTTP/1.1 101 UPGRADED\r\nContent-Type: {content_type}\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n"
        )
    else:
        first = f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n"
    return b"".join((first.encode(), encode_headers(headers), defaults, b"\r\n"))


def switch_head(headers: HeaderList, defaults: bytes) -> bytes:
    """The head of a connection that is given away to another protocol."""
    return b"".join((status_line(1, 101), encode_headers(headers), defaults, b"\r\n"))
