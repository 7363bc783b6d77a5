"""Answers that a handler gives back, and the bytes of an answer's head."""

from collections.abc import AsyncIterable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

import msgspec

from wharfd.api.transport.channel import Chunk
from wharfd.model.json import Json

HeaderList = Sequence[tuple[str, str]]

_STATUS_LINES = {
    (minor, status.value): f"HTTP/1.{minor} {status.value} {status.phrase}\r\n".encode()
    for minor in (0, 1)
    for status in HTTPStatus
}
_encode_json = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Response:
    """A whole answer.  Content-Length is added.  One object may be sent many times: its head is encoded once."""

    status: int = 200
    headers: HeaderList = ()
    body: bytes = b""
    lines: bytes | None = field(default=None, init=False, repr=False, compare=False)

    def encode(self, minor: int, defaults: bytes, is_head: bool) -> bytes:
        """All of the message; `defaults` are further header lines, each with its CRLF."""
        lines = self.lines
        if lines is None:
            lines = encode_headers(self.headers)
            if may_have_body(self.status):
                lines += b"Content-Length: %d\r\n" % len(self.body)
            self.lines = lines
        line = _STATUS_LINES.get((minor, self.status)) or status_line(minor, self.status)
        body = self.body if not is_head and may_have_body(self.status) else b""
        return b"%b%b%b\r\n%b" % (line, lines, defaults, body)


@dataclass(slots=True, kw_only=True)
class StreamResponse:
    """An answer whose body is produced while it is sent, at the client's pace.

    The head goes out with the first piece, so that an error before it becomes a status; `flush_head` sends it at once.  `length` in
    bytes if known, else the body is chunked.  `endless` marks a body without an end of its own: it is ended when the engine stops.
    An iterator with `aclose` is closed in every case.
    """

    body: AsyncIterable[Chunk]
    status: int = 200
    headers: HeaderList = ()
    length: int | None = None
    flush_head: bool = False
    endless: bool = False


def json_response(value: Json, status: int = 200, headers: HeaderList = ()) -> Response:
    """Docker: JSON answers end in a newline."""
    return Response(status, [("Content-Type", "application/json"), *headers], _encode_json(value) + b"\n")


def may_have_body(status: int) -> bool:
    return status >= 200 and status not in {204, 304}


def status_line(minor: int, status: int) -> bytes:
    line = _STATUS_LINES.get((1 if minor else 0, status))
    return line if line is not None else f"HTTP/1.{1 if minor else 0} {status} Status {status}\r\n".encode()


def encode_headers(headers: HeaderList) -> bytes:
    """One line per header.  A line end inside a value becomes a blank, as in Go: a value cannot add headers."""
    text = "".join([f"{name}: {value}\r\n" for name, value in headers])
    if text.count("\n") != len(headers) or text.count("\r") != len(headers):
        clean = [(one_line(name), one_line(value)) for name, value in headers]
        text = "".join([f"{name}: {value}\r\n" for name, value in clean])
    return text.encode("utf-8", "replace")


def one_line(text: str) -> str:
    return text.replace("\r", " ").replace("\n", " ")
