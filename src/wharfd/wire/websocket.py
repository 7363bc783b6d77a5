"""The server's side of a WebSocket (RFC 6455), as a carrier of bytes: messages and their limits mean nothing here.

    accept_headers(headers)      the headers of the 101 that answers a client's opening handshake
    frame(opcode, payload)       one frame to the client
    Decoder().feed(data)         the client's frames, unmasked, in any pieces; a long payload comes as it arrives

No extension is ever agreed on.
"""

import base64
import hashlib
from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

from wharfd.model.errors import InvalidParameter

VERSION = "13"
NORMAL_CLOSURE, PROTOCOL_ERROR = 1000, 1002
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CONTROL_LIMIT = 125  # bytes of a control frame's payload
_FINAL, _RESERVED, _OPCODE, _MASKED, _LENGTH = 0x80, 0x70, 0x0F, 0x80, 0x7F


class Opcode(IntEnum):
    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


class Piece(NamedTuple):
    """A control frame, or some of the bytes of a data frame (then `opcode` is that of the message)."""

    opcode: Opcode
    data: bytes


class BrokenFrame(InvalidParameter):
    """The client does not keep to the protocol; the connection is to be closed with PROTOCOL_ERROR."""


def accept_headers(headers: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """What answers an opening handshake; `headers` are the request's, names in lower case.

    Docker: of the subprotocols that a client offers it takes the first, whatever it is.

    Raises:
        InvalidParameter: this is no opening handshake.
    """
    values = dict(reversed(headers))
    upgrades = [word.strip().lower() for word in values.get("upgrade", "").split(",")]
    connection = [word.strip().lower() for name, value in headers if name == "connection" for word in value.split(",")]
    if "websocket" not in upgrades or "upgrade" not in connection:
        raise InvalidParameter("not websocket protocol")
    if values.get("sec-websocket-version", "").strip() != VERSION:
        raise InvalidParameter("missing or bad WebSocket Version")
    key = values.get("sec-websocket-key", "").strip()
    if not _is_key(key):
        raise InvalidParameter("missing or bad WebSocket key")
    digest = hashlib.sha1((key + _GUID).encode(), usedforsecurity=False).digest()
    answer = [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Accept", base64.b64encode(digest).decode()),
    ]
    protocol = values.get("sec-websocket-protocol", "").partition(",")[0].strip()
    if protocol:
        answer.append(("Sec-WebSocket-Protocol", protocol))
    return answer


def _is_key(key: str) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == 16
    except ValueError:
        return False


def frame(opcode: Opcode, payload: bytes | bytearray | memoryview = b"") -> bytes:
    """One frame, final and unmasked as a server's are."""
    length = len(payload)
    first = _FINAL | opcode
    if length <= _CONTROL_LIMIT:
        head = bytes((first, length))
    elif length < 1 << 16:
        head = bytes((first, 126)) + length.to_bytes(2, "big")
    else:
        head = bytes((first, 127)) + length.to_bytes(8, "big")
    return b"".join((head, payload))


def close_frame(code: int = NORMAL_CLOSURE) -> bytes:
    return frame(Opcode.CLOSE, code.to_bytes(2, "big"))


class Decoder:
    """Takes a client's bytes in any pieces.  Holds at most a header or a control frame that is not complete."""

    __slots__ = ("_at", "_buffer", "_is_final", "_left", "_mask", "_message")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._message: Opcode | None = None  # kind of the message under way
        self._is_final = True  # of the data frame under way:
        self._left = 0  # bytes of its payload that are still to come
        self._at = 0  # where in its payload the next byte lies
        self._mask = b""

    def feed(self, data: bytes) -> list[Piece]:
        """Raises BrokenFrame; nothing can be read after that."""
        pieces: list[Piece] = []
        self._buffer += data
        while self._buffer and (self._take_payload(pieces) if self._left else self._take_head(pieces)):
            pass
        return pieces

    def _take_payload(self, pieces: list[Piece]) -> bool:
        count = min(self._left, len(self._buffer))
        payload = _unmask(bytes(self._buffer[:count]), self._mask, self._at)
        del self._buffer[:count]
        self._left -= count
        self._at += count
        assert self._message is not None
        pieces.append(Piece(self._message, payload))
        self._end_if_complete()
        return True

    def _take_head(self, pieces: list[Piece]) -> bool:
        """False: the head, or the control frame, is not complete."""
        buffer = self._buffer
        if len(buffer) < 2:
            return False
        first, second = buffer[0], buffer[1]
        opcode = _checked_opcode(first, second)
        length, size = second & _LENGTH, 2
        if length > _CONTROL_LIMIT:
            size = 4 if length == 126 else 10
            length = int.from_bytes(buffer[2:size], "big")
        if opcode >= Opcode.CLOSE:
            if size > 2 or not first & _FINAL:
                raise BrokenFrame("a control frame is short and whole")
            end = size + 4 + length
            if len(buffer) < end:
                return False
            pieces.append(Piece(opcode, _unmask(bytes(buffer[6:end]), bytes(buffer[2:6]), 0)))
            del buffer[:end]
            return True
        if len(buffer) < size + 4:
            return False
        if length >> 63:
            raise BrokenFrame("a frame's length has its highest bit set")
        if (opcode is Opcode.CONTINUATION) != (self._message is not None):
            raise BrokenFrame("a message begins within another one, or goes on without having begun")
        if self._message is None:
            self._message = opcode
        self._is_final = bool(first & _FINAL)
        self._left, self._at, self._mask = length, 0, bytes(buffer[size : size + 4])
        del buffer[: size + 4]
        self._end_if_complete()
        return True

    def _end_if_complete(self) -> None:
        if not self._left and self._is_final:
            self._message = None


def _checked_opcode(first: int, second: int) -> Opcode:
    if first & _RESERVED:
        raise BrokenFrame("reserved bits are set, though no extension was agreed on")
    if not second & _MASKED:
        raise BrokenFrame("a client's frame must be masked")
    try:
        return Opcode(first & _OPCODE)
    except ValueError:
        raise BrokenFrame(f"unknown opcode {first & _OPCODE}") from None


def _unmask(data: bytes, mask: bytes, at: int) -> bytes:
    """`data` lies `at` bytes behind the payload's start.  One big XOR: a loop over bytes would be a hundred times slower."""
    length = len(data)
    turn = at % 4
    repeated = ((mask[turn:] + mask[:turn]) * (length // 4 + 1))[:length]
    return (int.from_bytes(data, "little") ^ int.from_bytes(repeated, "little")).to_bytes(length, "little")
