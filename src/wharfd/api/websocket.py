"""A WebSocket over a hijacked connection, used as a line of bytes: where messages begin and end means nothing."""

from wharfd.api.transport import ClientGone, HijackedStream
from wharfd.wire.websocket import PROTOCOL_ERROR, BrokenFrame, Decoder, Opcode, Piece, close_frame, frame


class WebSocketLine:
    """`is_binary`: how output is labelled; Docker: as text for old clients, whatever it holds."""

    def __init__(self, stream: HijackedStream, *, is_binary: bool) -> None:
        self._stream = stream
        self._opcode = Opcode.BINARY if is_binary else Opcode.TEXT
        self._decoder = Decoder()
        self._pieces: list[Piece] = []
        self._is_over = False

    async def read(self, limit: int = 1 << 20) -> bytes:
        """Empty when the client has closed, or broken the protocol."""
        while not self._is_over:
            received = b""
            while self._pieces and not self._is_over:
                received += await self._taken(self._pieces.pop(0))
            if received:
                return received
            if not self._is_over:
                await self._fill(limit)
        return b""

    async def _fill(self, limit: int) -> None:
        data = await self._stream.read(limit)
        if not data:
            self._is_over = True
            return
        try:
            self._pieces = self._decoder.feed(data)
        except BrokenFrame:
            await self._end(PROTOCOL_ERROR)

    async def _taken(self, piece: Piece) -> bytes:
        match piece.opcode:
            case Opcode.PING:
                await self._stream.write(frame(Opcode.PONG, piece.data))
            case Opcode.PONG:
                pass
            case Opcode.CLOSE:
                await self._end(int.from_bytes(piece.data[:2], "big"))
            case _:
                return piece.data
        return b""

    async def write(self, data: bytes) -> None:
        """Raises ClientGone."""
        await self._stream.write(frame(self._opcode, data))

    async def wait_read(self, limit_s: float) -> None:
        """A client of this protocol keeps what it has read."""

    async def _end(self, code: int) -> None:
        self._is_over = True
        try:
            await self._stream.write(close_frame(code) if code else frame(Opcode.CLOSE))
        except ClientGone:
            pass

    async def write_eof(self) -> None:
        if not self._is_over:
            await self._end(1000)
        await self._stream.write_eof()

    async def wait_closed(self) -> None:
        await self._stream.wait_closed()

    def abort(self) -> None:
        self._stream.abort()
