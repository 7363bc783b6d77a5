"""A client that takes a connection over and then sends and receives exactly what a test says."""

import json
import socket
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlencode

from tests.engine import PATIENCE, Engine
from wharfd.wire.stdcopy import Decoder

UPGRADE = "Connection: Upgrade\r\nUpgrade: tcp\r\n"
ALL = {"stream": "1", "stdin": "1", "stdout": "1", "stderr": "1"}
OUTPUT = {"stream": "1", "stdout": "1", "stderr": "1"}


@dataclass
class Hijacked:
    """`head` is the answer's, without the empty line; `buffer` what has come behind it and was not taken yet."""

    sock: socket.socket
    head: str = ""
    buffer: bytes = b""
    decoder: Decoder = field(default_factory=Decoder)

    @classmethod
    def open(
        cls, engine: Engine, method: str, path: str, body: Any = None, *, headers: str = UPGRADE, behind: bytes = b""
    ) -> Self:
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(30 * PATIENCE)
        sock.connect(engine.socket)
        data = b"" if body is None else json.dumps(body).encode()
        if data:
            headers += f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n"
        sock.sendall(f"{method} {path} HTTP/1.1\r\nHost: wharfd\r\n{headers}\r\n".encode() + data + behind)
        opened = cls(sock)
        while b"\r\n\r\n" not in opened.buffer:
            assert opened.more(), opened.buffer
        head, _, opened.buffer = opened.buffer.partition(b"\r\n\r\n")
        opened.head = head.decode()
        return opened

    @property
    def status(self) -> int:
        return int(self.head.split(" ")[1])

    def more(self) -> bool:
        """False at the end."""
        data = self.sock.recv(1 << 16)
        self.buffer += data
        return bool(data)

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def half_close(self) -> None:
        self.sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.sock.close()

    def says(self, words: bytes) -> bytes:
        """Everything up to these words, raw; what follows stays."""
        while words not in self.buffer:
            assert self.more(), f"ended after {self.buffer[-1000:]!r}"
        before, _, self.buffer = self.buffer.partition(words)
        return before + words

    def rest(self) -> bytes:
        """To the end, raw."""
        while self.more():
            pass
        data, self.buffer = self.buffer, b""
        return data

    def outputs(self) -> tuple[bytes, bytes]:
        """stdout and stderr to the end, out of their frames."""
        frames = self.decoder.feed(self.rest())
        assert self.decoder.at_boundary
        return (
            b"".join(data for stream, data in frames if stream == 1),
            b"".join(data for stream, data in frames if stream == 2),
        )


def attach(engine: Engine, identifier: str, version: str = "", **query: str) -> Hijacked:
    """To both outputs unless told otherwise."""
    prefix = f"/v{version}" if version else ""
    return Hijacked.open(engine, "POST", f"{prefix}/containers/{identifier}/attach?{urlencode(query or OUTPUT)}")


def exec_create(engine: Engine, identifier: str, *command: str, **config: Any) -> str:
    answer = engine.post(f"/containers/{identifier}/exec", {"Cmd": list(command), **config})
    assert answer.status == 201, answer.body
    exec_id: str = answer.json["Id"]
    return exec_id


def exec_open(engine: Engine, identifier: str, *command: str, **config: Any) -> tuple[str, Hijacked]:
    exec_id = exec_create(engine, identifier, *command, **config)
    body = {"Detach": False, "Tty": config.get("Tty", False)}
    opened = Hijacked.open(engine, "POST", f"/exec/{exec_id}/start", body)
    assert opened.status == 101
    return exec_id, opened


def exec_run(engine: Engine, identifier: str, *command: str, **config: Any) -> tuple[int, bytes, bytes]:
    """Code, stdout, stderr."""
    exec_id, opened = exec_open(engine, identifier, *command, **{"AttachStdout": True, "AttachStderr": True, **config})
    stdout, stderr = opened.outputs()
    opened.close()
    return exec_inspect(engine, exec_id)["ExitCode"], stdout, stderr


def exec_inspect(engine: Engine, exec_id: str) -> Any:
    answer = engine.get(f"/exec/{exec_id}/json")
    assert answer.status == 200, answer.body
    return answer.json


def memory_kib(pid: int) -> int:
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))
