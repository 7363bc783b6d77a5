"""A small, fast HTTP client for measurements: one connection, kept alive, over a UNIX socket.

The client's own work must not hide the engine's, so answers are read with as little parsing as the framing allows.
"""

import json
import socket
from typing import Any, Self


class Connection:
    def __init__(self, path: str, timeout: float = 120.0) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        self.socket.connect(path)
        self.buffer = bytearray()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def request(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        """Status and body.  `body` bytes are sent as they are, else as JSON."""
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        kind = "application/x-tar" if isinstance(body, bytes) else "application/json"
        head = f"{method} {path} HTTP/1.1\r\nHost: bench\r\n"
        if body is not None:
            head += f"Content-Type: {kind}\r\nContent-Length: {len(data)}\r\n"
        elif method == "POST":
            head += "Content-Length: 0\r\n"
        self.socket.sendall(head.encode() + b"\r\n" + data)
        return self.answer()

    def more(self) -> None:
        data = self.socket.recv(1 << 20)
        if not data:
            raise ConnectionError("closed by the engine")
        self.buffer += data

    def answer(self) -> tuple[int, bytes]:
        while (end := self.buffer.find(b"\r\n\r\n")) < 0:
            self.more()
        head = bytes(self.buffer[:end])
        del self.buffer[: end + 4]
        status = int(head[9:12])
        fields = head.lower()
        if status in (204, 304):
            return status, b""
        if b"transfer-encoding: chunked" in fields:
            return status, self.chunked()
        at = fields.find(b"content-length:")
        length = int(fields[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        while len(self.buffer) < length:
            self.more()
        body = bytes(self.buffer[:length])
        del self.buffer[:length]
        return status, body

    def chunked(self) -> bytes:
        parts = []
        while True:
            while (end := self.buffer.find(b"\r\n")) < 0:
                self.more()
            size = int(self.buffer[:end].split(b";")[0], 16)
            while len(self.buffer) < end + 2 + size + 2:
                self.more()
            parts.append(bytes(self.buffer[end + 2 : end + 2 + size]))
            del self.buffer[: end + 2 + size + 2]
            if size == 0:
                return b"".join(parts)

    def drain(self, path: str) -> int:
        """GET, and throw the body away; returns its length on the wire, chunk frames included."""
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n".encode())
        scratch = bytearray(1 << 20)
        total = 0
        tail = b""
        while True:
            try:
                got = self.socket.recv_into(scratch)
            except ConnectionResetError:
                return total
            if not got:
                return total
            total += got
            tail = (tail + bytes(scratch[max(0, got - 7) : got]))[-7:]
            if tail.endswith(b"\r\n0\r\n\r\n"):
                return total

    def json(self, method: str, path: str, body: Any = None, expect: tuple[int, ...] = (200, 201, 204)) -> Any:
        status, answer = self.request(method, path, body)
        if status not in expect:
            raise RuntimeError(f"{method} {path}: {status} {answer[:300]!r}")
        return json.loads(answer) if answer.strip() else None
