"""The body of a request, decoded as it is read: nothing is taken from the connection before someone asks for it."""

from collections.abc import AsyncIterator

from wharfd.api.transport.channel import Channel, ClientGone
from wharfd.wire.http1 import ChunkedDecoder, Head, HttpError

SKIP_LIMIT = 256 * 1024  # bytes of an unread body that are thrown away to keep the connection, as in Go


class Body(AsyncIterator[bytes]):
    """Iterate for pieces of any size, or `read` all of it.

    Raises (both): ClientGone if the client stops before the end, HttpError (400) for broken chunks.
    """

    __slots__ = ("_channel", "_decoder", "_head", "_left", "_owes_continue", "_skipped", "is_broken", "is_done")

    def __init__(self, channel: Channel, head: Head) -> None:
        self._channel = channel
        self._head = head
        self._decoder = ChunkedDecoder() if head.is_chunked else None
        self._left = head.content_length
        self._owes_continue = head.expects_continue
        self._skipped = 0
        self.is_done = not head.has_body
        self.is_broken = False

    def __aiter__(self) -> "Body":
        return self

    async def __anext__(self) -> bytes:
        data = await self.read_some()
        if not data:
            raise StopAsyncIteration
        return data

    async def read_some(self) -> bytes:
        """What has arrived, at least one byte; empty at the end."""
        while not self.is_done:
            self.send_continue()
            if not await self._channel.wait_readable():
                raise ClientGone("unexpected EOF in request body")
            data = self._decode(self._channel.take())
            if data:
                return data
        return b""

    def send_continue(self) -> None:
        """Tell a client that waits for it to send the body.  Must happen before the head of the answer, or not at all."""
        if self._owes_continue:
            self._owes_continue = False
            if not self._channel.chunks:
                self._channel.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    async def read(self, limit: int) -> bytes:
        """The whole body.  Raises HttpError 413 if it has more than `limit` bytes."""
        if self._left > limit:
            raise HttpError(413, f"request body of {self._left} bytes exceeds the limit of {limit}")
        pieces: list[bytes] = []
        size = 0
        async for data in self:
            pieces.append(data)
            size += len(data)
            if size > limit:
                raise HttpError(413, f"request body exceeds the limit of {limit} bytes")
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def skip(self) -> bool | None:
        """Throws away what has arrived.  True if the body ends in it, false if more must come, None if it is not worth waiting."""
        while not self.is_done:
            if self.is_broken or self._owes_continue or self._skipped + self._left > SKIP_LIMIT:
                return None
            data = self._channel.take()
            if not data:
                return None if self._channel.at_eof else False
            try:
                self._skipped += len(self._decode(data))
            except HttpError:
                return None
        return True

    def _decode(self, data: bytes) -> bytes:
        """The body's part of `data`; the rest goes back into the channel."""
        decoder = self._decoder
        if decoder is None:
            if len(data) > self._left:
                self._channel.put_back(data[self._left :])
                data = data[: self._left]
            self._left -= len(data)
            self.is_done = not self._left
            return data
        try:
            out = decoder.feed(data)
        except HttpError:
            self.is_broken = True
            raise
        if decoder.is_done:
            self.is_done = True
            self._channel.put_back(decoder.rest)
        return out
