"""HTTP/2 (RFC 9113) as gRPC uses it: the frames and the state of one connection, in either role.  No I/O.

    connection = Connection(is_client=False)
    connection.start()                        # preface and settings wait in `take_output`
    for event in connection.feed(data): …     # raises Http2Error: send what waits, then close

What is asked for is queued; `take_output` gives the bytes to be sent.  The peer may send on until its window is used up, which opens
again only by `acknowledge`: whoever keeps data without acknowledging it bounds what he has to keep.  Settings, pings and window updates
are answered here.  There is no push and no priority.  Frames of streams that have ended are thrown away and acknowledged.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, IntFlag

import hpack

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
STREAM_WINDOW = (
    4 << 20
)  # bytes; with the 64 KiB that HTTP/2 begins with, a sender waits for the receiver most of the time
CONNECTION_WINDOW = 8 << 20  # more than a stream's: one whose reader is slow does not hold up the others
DEFAULT_WINDOW = 65_535
MAX_WINDOW = (1 << 31) - 1
DEFAULT_FRAME = 16_384
MAX_FRAME = 1 << 20  # bytes of an inbound frame; the fewer frames, the less work
MAX_HEADERS = 1 << 20  # bytes of one header block
MAX_STREAMS = 1000  # at once
_HEAD = struct.Struct(">HBBBL")  # length (16 high bits, 8 low bits), type, flags, stream
_SETTING = struct.Struct(">HL")
_NUMBER = struct.Struct(">L")

HeaderList = Sequence[tuple[str, str]]


class Code(IntEnum):
    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    ENHANCE_YOUR_CALM = 11


class Kind(IntEnum):
    DATA = 0
    HEADERS = 1
    PRIORITY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9


class Flag(IntFlag):
    END_STREAM = 1
    ACK = 1
    END_HEADERS = 4
    PADDED = 8
    PRIORITY = 32


class Setting(IntEnum):
    HEADER_TABLE_SIZE = 1
    ENABLE_PUSH = 2
    MAX_CONCURRENT_STREAMS = 3
    INITIAL_WINDOW_SIZE = 4
    MAX_FRAME_SIZE = 5
    MAX_HEADER_LIST_SIZE = 6


class Http2Error(Exception):
    """The peer breaks the protocol; the connection is of no more use.  The words for it wait in `take_output`."""

    def __init__(self, code: Code, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class Headers:
    """The first of a stream begin it (or its answer), the second are trailers."""

    stream: int
    headers: list[tuple[str, str]]
    ended: bool


@dataclass(frozen=True, slots=True)
class Data:
    """`size`: what has to be acknowledged, padding and all."""

    stream: int
    data: memoryview
    size: int
    ended: bool


@dataclass(frozen=True, slots=True)
class Reset:
    stream: int
    code: int


@dataclass(frozen=True, slots=True)
class WindowOpened:
    """More may be sent, on any stream."""


@dataclass(frozen=True, slots=True)
class GoAway:
    """The peer ends the connection; streams beyond `last` were not looked at."""

    last: int
    code: int
    text: str


Event = Headers | Data | Reset | WindowOpened | GoAway


class Stream:
    __slots__ = ("local_ended", "receive_window", "remote_ended", "send_window", "unacknowledged")

    def __init__(self, send_window: int) -> None:
        self.send_window = send_window
        self.receive_window = STREAM_WINDOW
        self.unacknowledged = 0
        self.local_ended = False
        self.remote_ended = False


class Connection:
    def __init__(self, *, is_client: bool) -> None:
        self.is_client = is_client
        self.streams: dict[int, Stream] = {}  # that have not ended in both directions
        self.send_window = DEFAULT_WINDOW
        self.peer_frame_size = DEFAULT_FRAME
        self.peer_max_streams = MAX_WINDOW
        self._peer_stream_window = DEFAULT_WINDOW
        self._receive_window = CONNECTION_WINDOW
        self._unacknowledged = 0
        self._next = 1 if is_client else 2
        self._last = 0  # the highest stream that the peer has begun
        self._rest = b"" if is_client else None  # None: the preface is still to come
        self._early = b""
        self._block: tuple[int, bool, bytearray] | None = None  # a header block whose rest is to come
        self._has_settings = False
        self._output: list[bytes | memoryview] = []
        self._encoder = hpack.Encoder()
        self._decoder = hpack.Decoder(max_header_list_size=MAX_HEADERS)

    # --- sending ---------------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        if self.is_client:
            self._output.append(PREFACE)
        settings = {
            Setting.MAX_CONCURRENT_STREAMS: MAX_STREAMS,
            Setting.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
            Setting.MAX_FRAME_SIZE: MAX_FRAME,
            Setting.MAX_HEADER_LIST_SIZE: MAX_HEADERS,
        }
        if self.is_client:
            settings[Setting.ENABLE_PUSH] = 0
        self._frame(Kind.SETTINGS, 0, 0, b"".join(_SETTING.pack(key, value) for key, value in settings.items()))
        self._frame(Kind.WINDOW_UPDATE, 0, 0, _NUMBER.pack(CONNECTION_WINDOW - DEFAULT_WINDOW))

    def take_output(self) -> list[bytes | memoryview]:
        output, self._output = self._output, []
        return output

    @property
    def can_open(self) -> bool:
        """False while as many streams are open as the peer takes."""
        return len(self.streams) < self.peer_max_streams

    def open(self, headers: HeaderList, *, end: bool = False) -> int:
        """Begin a stream; its number."""
        number = self._next
        self._next += 2
        self.streams[number] = Stream(self._peer_stream_window)
        self.send_headers(number, headers, end=end)
        return number

    def send_headers(self, number: int, headers: HeaderList, *, end: bool = False) -> None:
        """Also trailers.  Nothing if the stream has been reset."""
        stream = self.streams.get(number)
        if stream is None or stream.local_ended:
            return
        block: bytes = self._encoder.encode(headers)
        first = block[: self.peer_frame_size]
        flags = Flag.END_STREAM if end else Flag(0)
        kind = Kind.HEADERS
        at = len(first)
        while True:
            if at == len(block):
                flags |= Flag.END_HEADERS
            self._frame(kind, flags, number, first)
            if at == len(block):
                break
            kind, flags = Kind.CONTINUATION, Flag(0)
            first = block[at : at + self.peer_frame_size]
            at += len(first)
        if end:
            self._local_end(number, stream)

    def sendable(self, number: int) -> int:
        """How many bytes of data the peer takes now; 0 for a stream that has ended."""
        stream = self.streams.get(number)
        if stream is None or stream.local_ended:
            return 0
        return max(0, min(self.send_window, stream.send_window))

    def send_data(self, number: int, data: memoryview, *, end: bool = False) -> None:
        """Not more than `sendable`.  `data` must not change afterwards."""
        stream = self.streams.get(number)
        if stream is None or stream.local_ended:
            return
        size = len(data)
        self.send_window -= size
        stream.send_window -= size
        at = 0
        while True:
            piece = data[at : at + self.peer_frame_size]
            at += len(piece)
            is_last = at == size
            self._frame(Kind.DATA, Flag.END_STREAM if end and is_last else 0, number, piece)
            if is_last:
                break
        if end:
            self._local_end(number, stream)

    def reset(self, number: int, code: Code) -> None:
        """Ends the stream in both directions, if it has not ended."""
        if self.streams.pop(number, None) is not None:
            self._frame(Kind.RST_STREAM, 0, number, _NUMBER.pack(code))

    def go_away(self, code: Code, text: str = "") -> None:
        self._frame(Kind.GOAWAY, 0, 0, struct.pack(">LL", self._last, code) + text.encode())

    def acknowledge(self, number: int, size: int) -> None:
        """The peer may send that much more.  Told to it when half a window has come together."""
        self._unacknowledged += size
        if self._unacknowledged >= CONNECTION_WINDOW // 2:
            self._frame(Kind.WINDOW_UPDATE, 0, 0, _NUMBER.pack(self._unacknowledged))
            self._receive_window += self._unacknowledged
            self._unacknowledged = 0
        stream = self.streams.get(number)
        if stream is None or stream.remote_ended:
            return
        stream.unacknowledged += size
        if stream.unacknowledged >= STREAM_WINDOW // 2:
            self._frame(Kind.WINDOW_UPDATE, 0, number, _NUMBER.pack(stream.unacknowledged))
            stream.receive_window += stream.unacknowledged
            stream.unacknowledged = 0

    def _frame(self, kind: Kind, flags: int, number: int, payload: bytes | memoryview = b"") -> None:
        size = len(payload)
        self._output.append(_HEAD.pack(size >> 8, size & 0xFF, kind, flags, number))
        if size:
            self._output.append(payload)

    def _local_end(self, number: int, stream: Stream) -> None:
        stream.local_ended = True
        if stream.remote_ended:
            del self.streams[number]

    def _remote_end(self, number: int, stream: Stream) -> None:
        stream.remote_ended = True
        if stream.local_ended:
            del self.streams[number]

    # --- receiving -------------------------------------------------------------------------------------------------------------

    def feed(self, data: bytes) -> list[Event]:
        """Raises Http2Error."""
        try:
            return self._read(data)
        except Http2Error as error:
            self.go_away(error.code, str(error))
            raise

    def _read(self, data: bytes) -> list[Event]:
        if self._rest is None:
            data = self._early + data
            if not data.startswith(PREFACE):
                if len(data) < len(PREFACE) and PREFACE.startswith(data):
                    self._early = data
                    return []
                raise Http2Error(Code.PROTOCOL_ERROR, "no HTTP/2 preface")
            data = data[len(PREFACE) :]
            self._rest = self._early = b""
        if self._rest:
            data = self._rest + data
        events: list[Event] = []
        view, at, end = memoryview(data), 0, len(data)
        while end - at >= 9:
            high, low, kind, flags, number = _HEAD.unpack_from(data, at)
            size = high << 8 | low
            if size > MAX_FRAME:
                raise Http2Error(Code.FRAME_SIZE_ERROR, f"frame of {size} bytes")
            if end - at - 9 < size:
                break
            self._on_frame(kind, flags, number & 0x7FFFFFFF, view[at + 9 : at + 9 + size], events)
            at += 9 + size
        self._rest = data[at:] if at else data
        return events

    def _on_frame(self, kind: int, flags: int, number: int, payload: memoryview, events: list[Event]) -> None:
        if self._block is not None and kind != Kind.CONTINUATION:
            raise Http2Error(Code.PROTOCOL_ERROR, "a header block is not at its end")
        if not self._has_settings:
            if kind != Kind.SETTINGS or flags & Flag.ACK:
                raise Http2Error(Code.PROTOCOL_ERROR, "settings come first")
            self._has_settings = True
        match kind:
            case Kind.DATA:
                self._on_data(flags, number, payload, events)
            case Kind.HEADERS:
                self._on_headers(flags, number, payload, events)
            case Kind.CONTINUATION:
                self._on_continuation(flags, number, payload, events)
            case Kind.RST_STREAM:
                expect_size(payload, 4)
                self._expect_known(number)
                if self.streams.pop(number, None) is not None:
                    events.append(Reset(number, _NUMBER.unpack(payload)[0]))
            case Kind.SETTINGS:
                self._on_settings(flags, number, payload, events)
            case Kind.PING:
                expect_size(payload, 8)
                if not flags & Flag.ACK:
                    self._frame(Kind.PING, Flag.ACK, 0, bytes(payload))
            case Kind.WINDOW_UPDATE:
                self._on_window_update(number, payload, events)
            case Kind.GOAWAY:
                if len(payload) < 8:
                    raise Http2Error(Code.FRAME_SIZE_ERROR, "short GOAWAY")
                last, code = struct.unpack_from(">LL", payload)
                events.append(GoAway(last & 0x7FFFFFFF, code, bytes(payload[8:]).decode(errors="replace")))
            case Kind.PUSH_PROMISE:
                raise Http2Error(Code.PROTOCOL_ERROR, "push is not allowed")
            case _:
                pass  # priorities, and what is unknown

    def _expect_known(self, number: int) -> None:
        """A stream that is open, or was."""
        is_own = number & 1 == (1 if self.is_client else 0)
        if number == 0 or (number >= self._next if is_own else number > self._last):
            raise Http2Error(Code.PROTOCOL_ERROR, f"stream {number} is idle")

    def _on_data(self, flags: int, number: int, payload: memoryview, events: list[Event]) -> None:
        self._expect_known(number)
        size = len(payload)
        data = without_padding(flags, payload)
        self._receive_window -= size
        stream = self.streams.get(number)
        if self._receive_window < 0:
            raise Http2Error(Code.FLOW_CONTROL_ERROR, "more data than the connection's window")
        if stream is None or stream.remote_ended:
            self.acknowledge(number, size)
            if stream is not None:
                raise Http2Error(Code.STREAM_CLOSED, f"data after the end of stream {number}")
            return
        stream.receive_window -= size
        if stream.receive_window < 0:
            raise Http2Error(Code.FLOW_CONTROL_ERROR, f"more data than the window of stream {number}")
        ended = bool(flags & Flag.END_STREAM)
        events.append(Data(number, data, size, ended))
        if ended:
            self._remote_end(number, stream)

    def _on_headers(self, flags: int, number: int, payload: memoryview, events: list[Event]) -> None:
        block = without_padding(flags, payload)
        if flags & Flag.PRIORITY:
            if len(block) < 5:
                raise Http2Error(Code.FRAME_SIZE_ERROR, "short HEADERS")
            block = block[5:]
        if number & 1 == 0:  # a server begins streams only to push
            raise Http2Error(Code.PROTOCOL_ERROR, f"headers on stream {number}")
        if self.is_client:
            self._expect_known(number)
        self._block = (number, bool(flags & Flag.END_STREAM), bytearray(block))
        if flags & Flag.END_HEADERS:
            self._end_of_block(events)

    def _on_continuation(self, flags: int, number: int, payload: memoryview, events: list[Event]) -> None:
        if self._block is None or self._block[0] != number:
            raise Http2Error(Code.PROTOCOL_ERROR, "continuation of nothing")
        self._block[2].extend(payload)
        if len(self._block[2]) > MAX_HEADERS:
            raise Http2Error(Code.ENHANCE_YOUR_CALM, "header block is too large")
        if flags & Flag.END_HEADERS:
            self._end_of_block(events)

    def _end_of_block(self, events: list[Event]) -> None:
        if self._block is None:
            return
        number, ended, block = self._block
        self._block = None
        try:
            headers = [(str(name), str(value)) for name, value in self._decoder.decode(bytes(block))]
        except (hpack.HPACKError, UnicodeError, IndexError, ValueError) as e:
            raise Http2Error(Code.COMPRESSION_ERROR, "header block cannot be read") from e
        stream = self.streams.get(number)
        if stream is None:
            if self.is_client or number <= self._last:
                return  # of a stream that has ended
            self._last = number
            if len(self.streams) >= MAX_STREAMS:
                self._frame(Kind.RST_STREAM, 0, number, _NUMBER.pack(Code.REFUSED_STREAM))
                return
            stream = self.streams[number] = Stream(self._peer_stream_window)
        elif stream.remote_ended:
            raise Http2Error(Code.STREAM_CLOSED, f"headers after the end of stream {number}")
        events.append(Headers(number, headers, ended))
        if ended:
            self._remote_end(number, stream)

    def _on_settings(self, flags: int, number: int, payload: memoryview, events: list[Event]) -> None:
        if number or len(payload) % 6 or (flags & Flag.ACK and len(payload)):
            raise Http2Error(Code.FRAME_SIZE_ERROR, "broken SETTINGS")
        if flags & Flag.ACK:
            return
        for key, value in _SETTING.iter_unpack(payload):
            self._on_setting(key, value)
        self._frame(Kind.SETTINGS, Flag.ACK, 0)
        events.append(WindowOpened())

    def _on_setting(self, key: int, value: int) -> None:
        match key:
            case Setting.INITIAL_WINDOW_SIZE:
                if value > MAX_WINDOW:
                    raise Http2Error(Code.FLOW_CONTROL_ERROR, "window is too large")
                for stream in self.streams.values():
                    stream.send_window += value - self._peer_stream_window
                    if stream.send_window > MAX_WINDOW:
                        raise Http2Error(Code.FLOW_CONTROL_ERROR, "window is too large")
                self._peer_stream_window = value
            case Setting.MAX_FRAME_SIZE:
                if not DEFAULT_FRAME <= value < 1 << 24:
                    raise Http2Error(Code.PROTOCOL_ERROR, f"frame size {value}")
                self.peer_frame_size = value
            case Setting.MAX_CONCURRENT_STREAMS:
                self.peer_max_streams = value
            case Setting.HEADER_TABLE_SIZE:
                self._encoder.header_table_size = min(value, 4096)
            case _:
                pass

    def _on_window_update(self, number: int, payload: memoryview, events: list[Event]) -> None:
        expect_size(payload, 4)
        more = _NUMBER.unpack(payload)[0] & 0x7FFFFFFF
        if more == 0:
            raise Http2Error(Code.PROTOCOL_ERROR, "window update by nothing")
        if number == 0:
            self.send_window += more
            if self.send_window > MAX_WINDOW:
                raise Http2Error(Code.FLOW_CONTROL_ERROR, "window is too large")
        else:
            self._expect_known(number)
            stream = self.streams.get(number)
            if stream is None:
                return
            stream.send_window += more
            if stream.send_window > MAX_WINDOW:
                raise Http2Error(Code.FLOW_CONTROL_ERROR, "window is too large")
        events.append(WindowOpened())


def expect_size(payload: memoryview, size: int) -> None:
    if len(payload) != size:
        raise Http2Error(Code.FRAME_SIZE_ERROR, f"frame of {len(payload)} bytes instead of {size}")


def without_padding(flags: int, payload: memoryview) -> memoryview:
    if not flags & Flag.PADDED:
        return payload
    if not payload or payload[0] >= len(payload):
        raise Http2Error(Code.PROTOCOL_ERROR, "more padding than payload")
    return payload[1 : len(payload) - payload[0]]
