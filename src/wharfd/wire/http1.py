"""HTTP/1.x request heads and chunked bodies (RFC 9112), without I/O.

`parse_head` takes the bytes of one whole head and gives a `Head` or raises `HttpError`, which carries the status to answer with.
`find_head_end` says where a head ends.  `ChunkedDecoder` takes a body in any pieces.  What may be read in two ways is refused, since
a proxy in front may read it the other way: Content-Length beside Transfer-Encoding, two lengths, folded lines, blanks before a colon.

Leniencies, both Go's too: a bare LF ends a line of the head, and any Host (also none) is taken, since nothing depends on it.
"""

import re
from dataclasses import dataclass

from wharfd.model.errors import InvalidParameter
from wharfd.wire.target import decode_path, split_target

MAX_HEAD_BYTES = 32 * 1024
MAX_HEADERS = 256
MAX_CHUNK_LINE = 4096  # bytes of a chunk's size and extensions, as in Go
MAX_TRAILER_BYTES = 8 * 1024

_HEAD_END = re.compile(rb"\n\r?\n")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)")
_REQUEST_LINE = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([^ ]+) HTTP/([0-9])\.([0-9])")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_LENGTH = re.compile(r"[0-9]{1,18}")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?", re.DOTALL)

Headers = tuple[tuple[str, str], ...]


class HttpError(Exception):
    """A message that is not HTTP as we take it.  The connection cannot go on after it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Head:
    """One request head.  Names of headers are in lower case; repeated headers stay apart, in their order."""

    method: str
    target: str  # as sent
    minor: int  # HTTP/1.minor
    headers: Headers
    raw_path: str  # before decoding, without scheme and host
    path: str  # decoded, slashes collapsed
    query: str  # as sent
    content_length: int  # 0 if absent or chunked
    is_chunked: bool
    keep_alive: bool  # what the client wants
    expects_continue: bool
    upgrade: (
        str  # the Upgrade header's value, empty without one (Docker: its presence decides, whatever Connection says)
    )

    @property
    def has_body(self) -> bool:
        return self.is_chunked or self.content_length > 0

    def header(self, name: str, default: str = "") -> str:
        """The first value of a header; `name` in lower case."""
        for key, value in self.headers:
            if key == name:
                return value
        return default


def find_head_end(data: bytes, start: int = 0) -> int:
    """Index behind the empty line that ends the head, or -1.  An empty line at `start` itself is not an end."""
    found = _HEAD_END.search(data, start)
    return -1 if found is None else found.end()


def parse_head(data: bytes, max_headers: int = MAX_HEADERS) -> Head:
    """One head, with its final empty line.

    Raises:
        HttpError: 400 malformed or ambiguous, 417 unknown expectation, 431 too many headers, 501 unknown transfer coding,
            505 not HTTP/1.
    """
    text = data.decode("latin-1")
    bad = _CONTROL.search(text)
    if bad is not None:
        raise HttpError(400, "malformed HTTP request: control character in head")
    request_line, *lines = text.replace("\r\n", "\n").split("\n")
    method, target, minor = parse_request_line(request_line)
    while lines and not lines[-1]:
        lines.pop()
    if len(lines) > max_headers:
        raise HttpError(431, f"too many headers: {len(lines)} exceed the limit of {max_headers}")
    headers = tuple(map(parse_field, lines))
    try:
        raw_path, query = split_target(target)
        path = decode_path(raw_path)
    except InvalidParameter as error:
        raise HttpError(400, str(error)) from error
    return frame_head(method, target, minor, headers, raw_path, path, query)


def parse_request_line(line: str) -> tuple[str, str, int]:
    found = _REQUEST_LINE.fullmatch(line)
    if found is None:
        raise HttpError(400, f"malformed HTTP request {line[:64]!r}")
    method, target, major, minor = found.groups()
    if major != "1":
        raise HttpError(505, f"unsupported protocol version HTTP/{major}.{minor}")
    return method, target, int(minor)


def parse_field(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or _TOKEN.fullmatch(name) is None:
        raise HttpError(400, f"malformed HTTP header {line[:64]!r}")
    return name.lower(), value.strip(" \t")


def frame_head(method: str, target: str, minor: int, headers: Headers, raw_path: str, path: str, query: str) -> Head:
    """Decides how long the body is and whether the connection goes on; refuses what is ambiguous."""
    lengths: list[str] = []
    codings: list[str] = []
    connection: list[str] = []
    expects_continue = False
    upgrade = ""
    hosts = 0
    for name, value in headers:
        if name == "content-length":
            lengths.append(value)
        elif name == "transfer-encoding":
            codings += value.lower().split(",")
        elif name == "connection":
            connection += value.lower().split(",")
        elif name == "host":
            hosts += 1
        elif name == "upgrade":
            upgrade = upgrade or value
        elif name == "expect":
            if value.lower() != "100-continue":
                raise HttpError(417, f"unsupported expectation {value[:64]!r}")
            expects_continue = minor >= 1
    if hosts > 1:
        raise HttpError(400, "too many Host headers")
    options = {option.strip(" \t") for option in connection}
    keep_alive = "close" not in options and (minor >= 1 or "keep-alive" in options)
    length = body_length(lengths, [coding.strip(" \t") for coding in codings], minor)
    return Head(
        method=method,
        target=target,
        minor=minor,
        headers=headers,
        raw_path=raw_path,
        path=path,
        query=query,
        content_length=max(length, 0),
        is_chunked=length < 0,
        keep_alive=keep_alive,
        expects_continue=expects_continue and length != 0,
        upgrade=upgrade,
    )


def body_length(lengths: list[str], codings: list[str], minor: int) -> int:
    """Bytes of the body, -1 for chunked."""
    if codings:
        if lengths:
            raise HttpError(400, "both Content-Length and Transfer-Encoding")
        if minor == 0:
            raise HttpError(400, "Transfer-Encoding in an HTTP/1.0 request")
        if codings != ["chunked"]:
            if codings.count("chunked") > 1:
                raise HttpError(400, "chunked more than once")
            raise HttpError(501, f"unsupported transfer encoding {','.join(codings)[:64]!r}")
        return -1
    if not lengths:
        return 0
    if len(lengths) > 1:
        raise HttpError(400, "more than one Content-Length")
    if _LENGTH.fullmatch(lengths[0]) is None:
        raise HttpError(400, f"bad Content-Length {lengths[0][:64]!r}")
    return int(lengths[0])


class ChunkedDecoder:
    """Takes a chunked body in any pieces; gives the payload back and keeps nothing but an unfinished line.

    After the last chunk and the trailers (which are dropped) `is_done` is true and `rest` holds what came behind the body.
    """

    __slots__ = ("_left", "_line", "_state", "_trailer_bytes", "is_done", "rest")

    def __init__(self) -> None:
        self._state = "size"  # size, data, data end, trailer
        self._left = 0  # bytes of the present chunk still to come
        self._line = b""  # an unfinished line
        self._trailer_bytes = 0
        self.is_done = False
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        """The payload in `data`.

        Raises:
            HttpError: 400 for a broken size or missing line end, 431 for endless extensions or trailers.
        """
        if self.is_done:
            self.rest += data
            return b""
        at = 0
        out: list[memoryview] = []
        view = memoryview(data)
        done = False
        while at < len(data) and not done:
            if self._state == "data":
                piece = view[at : at + self._left]
                out.append(piece)
                at += len(piece)
                self._left -= len(piece)
                if not self._left:
                    self._state = "data end"
                continue
            stop = data.find(b"\n", at)
            line_end = len(data) if stop < 0 else stop + 1
            if len(self._line) + line_end - at > MAX_CHUNK_LINE:
                raise HttpError(431, "chunk header or trailer line too long")
            self._line += data[at:line_end]
            at = line_end
            if stop >= 0:
                line, self._line = self._line, b""
                done = self._take_line(line)
        if done:
            self.is_done = True
            self.rest = data[at:]
        if len(out) == 1:
            return data if len(out[0]) == len(data) else bytes(out[0])
        return b"".join(out)

    def _take_line(self, line: bytes) -> bool:
        """Moves on by one line; true if it was the last of the body."""
        if not line.endswith(b"\r\n") or b"\r" in line[:-2]:
            raise HttpError(400, "malformed chunked encoding: line does not end in CRLF")
        line = line[:-2]
        match self._state:
            case "size":
                found = _CHUNK_SIZE.fullmatch(line)
                if found is None:
                    raise HttpError(400, "malformed chunked encoding: bad size")
                self._left = int(found.group(1), 16)
                self._state = "data" if self._left else "trailer"
            case "data end":
                if line:
                    raise HttpError(400, "malformed chunked encoding: data longer than its size")
                self._state = "size"
            case _:
                self._trailer_bytes += len(line)
                if self._trailer_bytes > MAX_TRAILER_BYTES:
                    raise HttpError(431, "trailers too long")
                return not line
        return False
