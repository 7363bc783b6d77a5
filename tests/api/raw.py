"""Requests as bytes on the socket, for what an HTTP library would not send."""

import json
import socket
from dataclasses import dataclass

from tests.engine import Engine


@dataclass(frozen=True)
class RawAnswer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def message(self) -> str:
        text: str = json.loads(self.body)["message"]
        return text


def ask(engine: Engine, request: str, body: bytes = b"") -> RawAnswer:
    """Send it (lines ended by LF here), read until the engine closes: `Connection: close` is the caller's."""
    head = request.strip("\n").replace("\n", "\r\n") + "\r\n\r\n"
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(engine.timeout)
        connection.connect(engine.socket)
        connection.sendall(head.encode("latin-1") + body)
        received = b""
        while piece := connection.recv(65536):
            received += piece
    return parse(received)


def parse(received: bytes) -> RawAnswer:
    top, _, body = received.partition(b"\r\n\r\n")
    first, *lines = top.decode("latin-1").split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return RawAnswer(int(first.split(" ")[1]), {k.lower(): v for k, v in headers.items()}, body)
