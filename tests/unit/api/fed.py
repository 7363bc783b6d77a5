"""A request whose bytes are all there, without a socket."""

from typing import cast

from wharfd.api.transport import Request
from wharfd.api.transport.channel import Channel
from wharfd.wire.http1 import parse_head


class Fed:
    """What a body asks of its channel."""

    def __init__(self, *chunks: bytes) -> None:
        self.chunks = list(chunks)

    async def wait_readable(self) -> bool:
        return bool(self.chunks)

    def take(self) -> bytes:
        return self.chunks.pop(0)

    def put_back(self, data: bytes) -> None:
        if data:
            self.chunks.insert(0, data)


def fed(first: str, *lines: str, body: bytes = b"") -> Request:
    """`first` is method and target; Content-Length is added if there is a body and nothing says otherwise."""
    if body and not any(line.lower().startswith("transfer-encoding") for line in lines):
        lines = (*lines, f"Content-Length: {len(body)}")
    head = "\r\n".join([f"{first} HTTP/1.1", *lines, "", ""])
    return Request(cast("Channel", Fed(body)), parse_head(head.encode("latin-1")))
