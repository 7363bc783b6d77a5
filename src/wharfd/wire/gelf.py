"""Graylog Extended Log Format 1.1: a JSON object a message.

Over TCP each ends in a zero byte.  Over UDP it is compressed (gzip, zlib, or not), and what does not go into one datagram is cut
into chunks: 1e 0f, eight bytes that name the message, the chunk's number, and how many there are.
"""

import struct
import zlib
from collections.abc import Mapping

import msgspec

from wharfd.wire.crilog import STDERR
from wharfd.wire.loglines import Message

DATAGRAM = 1420
MOST_CHUNKS = 128
ERROR, INFO = 3, 6
COMPRESSIONS = ("gzip", "zlib", "none")
FASTEST = 1

_CHUNK = struct.Struct(">2s8sBB")
_MAGIC = b"\x1e\x0f"
_WINDOW = {"gzip": 16 + zlib.MAX_WBITS, "zlib": zlib.MAX_WBITS}

_encoder = msgspec.json.Encoder()


def encode(message: Message, hostname: str, extra: Mapping[str, str]) -> bytes:
    """`extra` are more fields, whose names begin with an underscore."""
    return _encoder.encode(
        {
            "version": "1.1",
            "host": hostname,
            "short_message": message.text.decode(errors="replace"),
            "timestamp": message.at_ns // 10**6 / 1000,
            "level": ERROR if message.stream == STDERR else INFO,
            **extra,
        }
    )


def field_name(name: str) -> str:
    return name if name.startswith("_") else f"_{name}"


def compress(data: bytes, kind: str, level: int) -> bytes:
    """`level` −1: the library's own choice."""
    if kind == "none":
        return data
    compressor = zlib.compressobj(level, zlib.DEFLATED, _WINDOW[kind])
    return compressor.compress(data) + compressor.flush()


def datagrams(data: bytes, message_id: bytes) -> list[bytes]:
    """What is to be sent for one message; nothing if it is too long for all chunks together.  `message_id`: eight bytes."""
    if len(data) <= DATAGRAM:
        return [data]
    room = DATAGRAM - _CHUNK.size
    pieces = [data[at : at + room] for at in range(0, len(data), room)]
    if len(pieces) > MOST_CHUNKS:
        return []
    return [_CHUNK.pack(_MAGIC, message_id, number, len(pieces)) + piece for number, piece in enumerate(pieces)]
