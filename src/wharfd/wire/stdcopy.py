"""The 8-byte frames that carry stdout and stderr over one connection (attach, exec and logs without a tty).

byte 0: stream    bytes 1-3: zero    bytes 4-7: length, big-endian    then the payload
"""

import struct
from enum import IntEnum

from wharfd.model.errors import InvalidParameter

HEADER_SIZE = 8
MAX_PAYLOAD = 32 * 1024  # bytes; larger output is cut into several frames, so that no reader needs a big buffer

_pack_header = struct.Struct(">B3xI").pack
_unpack_header = struct.Struct(">B3sI").unpack_from


class Stream(IntEnum):
    STDIN = 0
    STDOUT = 1
    STDERR = 2
    SYSTEM_ERROR = 3


def header(stream: int, length: int) -> bytes:
    """The 8 bytes before a payload of `length` bytes."""
    return _pack_header(stream, length)


def frame(stream: int, payload: bytes | bytearray | memoryview) -> bytes:
    """One frame, whatever the payload's size."""
    return b"".join((_pack_header(stream, len(payload)), payload))


def frames(stream: int, payload: bytes | bytearray | memoryview, limit: int = MAX_PAYLOAD) -> bytes:
    """The payload in frames of at most `limit` bytes; nothing for an empty payload."""
    if 0 < len(payload) <= limit:
        return frame(stream, payload)
    view = memoryview(payload)
    return b"".join(frame(stream, view[at : at + limit]) for at in range(0, len(view), limit))


class Decoder:
    """Takes a byte stream in any pieces and gives whole frames.

    Holds at most one unfinished frame; `limit` bounds its payload.
    """

    __slots__ = ("_buffer", "_limit")

    def __init__(self, limit: int = 1 << 30) -> None:
        self._buffer = bytearray()
        self._limit = limit

    @property
    def at_boundary(self) -> bool:
        """True if no frame is half received: a stream may end here."""
        return not self._buffer

    def feed(self, data: bytes | bytearray | memoryview) -> list[tuple[Stream, bytes]]:
        """The frames that the new bytes complete.

        Raises:
            InvalidParameter: the header names no known stream, its padding is not zero, or its length exceeds the limit.
        """
        buffer = self._buffer
        buffer += data
        out: list[tuple[Stream, bytes]] = []
        at, end = 0, len(buffer)
        try:
            while end - at >= HEADER_SIZE:
                number, padding, length = _unpack_header(buffer, at)
                if number > Stream.SYSTEM_ERROR or padding != b"\0\0\0":
                    raise InvalidParameter(f"Unrecognized input header: {number}")
                if length > self._limit:
                    raise InvalidParameter(f"frame of {length} bytes exceeds the limit of {self._limit}")
                stop = at + HEADER_SIZE + length
                if stop > end:
                    break
                out.append((Stream(number), bytes(buffer[at + HEADER_SIZE : stop])))
                at = stop
        finally:
            del buffer[:at]
        return out
