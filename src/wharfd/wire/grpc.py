"""gRPC over HTTP/2: messages in their 5-byte frames, statuses, metadata.  No I/O.

Request headers: `:path` /package.Service/Method, `content-type` application/grpc, `te` trailers, `grpc-timeout`, then metadata.  The answer
ends with trailers `grpc-status`, `grpc-message` and `grpc-status-details-bin`; all in the first headers if there is no message.
"""

import base64
import re
import struct
from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from urllib.parse import quote, unquote

from wharfd.wire.proto.status_pb2 import Status

MESSAGE_LIMIT = 16 << 20  # bytes; BuildKit's clients send no longer ones
PREFIX_BYTES = 5
PIECE_BYTES = 64 << 10
DETAILS_KEY = "grpc-status-details-bin"
_PREFIX = struct.Struct(">BL")
_TIMEOUT = re.compile(r"([0-9]{1,8})([HMSmun])")
_UNITS = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
_PLAIN = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")

Metadata = Mapping[str, Sequence[str]]
Detail = tuple[str, bytes]  # type URL and value of a google.protobuf.Any


class StatusCode(IntEnum):
    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class RpcError(Exception):
    """A call that has not ended well, in either role.  `details` are what clients show besides the message."""

    def __init__(self, code: StatusCode, message: str, details: Sequence[Detail] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details


class MessageReader:
    """Messages out of a stream's data, in any pieces.  A message within one piece is not copied."""

    def __init__(self, limit: int = MESSAGE_LIMIT) -> None:
        self._limit = limit
        self._pieces: list[bytearray] = []
        self.partial = 0  # bytes kept of a message that is not complete

    def feed(self, data: memoryview) -> list[bytes | memoryview]:
        """Raises RpcError for a message that is compressed or longer than the limit."""
        messages: list[bytes | memoryview] = []
        if self.partial:
            self._keep(data)
            self.partial += len(data)
            needed = self._needed()
            if self.partial < needed:
                return messages
            data = memoryview(b"".join(self._pieces))
            self._pieces.clear()
        at, end = 0, len(data)
        while end - at >= PREFIX_BYTES:
            size = self._size(data[at : at + PREFIX_BYTES])
            if end - at - PREFIX_BYTES < size:
                break
            at += PREFIX_BYTES
            messages.append(data[at : at + size])
            at += size
        self.partial = end - at
        if self.partial:
            self._keep(data[at:])
        return messages

    def _keep(self, data: memoryview) -> None:
        """A copy: small pieces must not cost many times their size, nor hold what they came in."""
        if self._pieces and len(self._pieces[-1]) < PIECE_BYTES:
            self._pieces[-1] += data
        else:
            self._pieces.append(bytearray(data))

    def _needed(self) -> int:
        """Bytes up to which nothing can be taken out: the rest of a prefix, or a whole message."""
        if len(self._pieces[0]) < PREFIX_BYTES:
            if self.partial < PREFIX_BYTES:
                return PREFIX_BYTES
            self._pieces[:] = [bytearray().join(self._pieces)]
        return PREFIX_BYTES + self._size(self._pieces[0][:PREFIX_BYTES])

    def _size(self, prefix: memoryview | bytearray) -> int:
        flag, size = _PREFIX.unpack(prefix)
        if flag:
            raise RpcError(StatusCode.UNIMPLEMENTED, "compressed messages are not taken")
        if size > self._limit:
            raise RpcError(
                StatusCode.RESOURCE_EXHAUSTED, f"grpc: received message larger than max ({size} vs. {self._limit})"
            )
        return int(size)


def frame_message(data: bytes) -> bytes:
    return _PREFIX.pack(0, len(data)) + data


def parse_timeout(text: str) -> float | None:
    """Seconds; None for what is no timeout."""
    match = _TIMEOUT.fullmatch(text)
    return int(match[1]) * _UNITS[match[2]] if match else None


def encode_status(error: RpcError | None) -> list[tuple[str, str]]:
    """The trailers."""
    if error is None:
        return [("grpc-status", "0")]
    trailers = [("grpc-status", str(int(error.code))), ("grpc-message", quote(error.message, safe=_PLAIN))]
    if error.details:
        status = Status(code=int(error.code), message=error.message)
        for url, value in error.details:
            status.details.add(type_url=url, value=value)
        trailers.append((DETAILS_KEY, base64.b64encode(status.SerializeToString()).rstrip(b"=").decode()))
    return trailers


def decode_status(headers: Iterable[tuple[str, str]]) -> RpcError | None:
    """None for OK."""
    fields = dict(headers)
    text = fields.get("grpc-status", "")
    if not text.isascii() or not text.isdigit():
        http = fields.get(":status", "200")
        return RpcError(StatusCode.UNKNOWN, f"no grpc-status, HTTP status {http}")
    number = int(text)
    if number == 0:
        return None
    code = StatusCode(number) if number in StatusCode.__members__.values() else StatusCode.UNKNOWN
    details: list[Detail] = []
    try:
        raw = fields.get(DETAILS_KEY, "")
        status = Status.FromString(base64.b64decode(raw + "=" * (-len(raw) % 4), validate=True))
        details = [(each.type_url, each.value) for each in status.details]
    except Exception:  # noqa: BLE001 - protobuf's own error, base 64's: details are an extra
        details = []
    return RpcError(code, unquote(fields.get("grpc-message", "")), details)


def encode_metadata(metadata: Metadata) -> list[tuple[str, str]]:
    """Header values have to be printable ASCII; others are the caller's to encode."""
    return [(key, value) for key, values in metadata.items() for value in values]


def decode_metadata(headers: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Without HTTP's and gRPC's own headers, and without binary ones."""
    metadata: dict[str, list[str]] = {}
    for key, value in headers:
        if not key.startswith((":", "grpc-")) and not key.endswith("-bin"):
            metadata.setdefault(key, []).append(value)
    return metadata
