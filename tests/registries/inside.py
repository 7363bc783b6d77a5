"""A registry in another network namespace, that of an engine, and a wire before it that is slow, stops and breaks."""

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.registries.daemon import HTPASSWD, PATIENCE
from wharfd.sys import netns

PIECE = 16 << 10


@contextmanager
def registry_inside(namespace: str, folder: Path, port: int, *, htpasswd: bool = False) -> Iterator[Path]:
    """Debian's docker-registry on 127.0.0.1 of a namespace.  Gives where it keeps its blobs."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        "version: 0.1",
        "log: {level: warn, accesslog: {disabled: true}}",
        f"storage: {{filesystem: {{rootdirectory: {folder}/data}}, delete: {{enabled: true}}}}",
        f"http: {{addr: '127.0.0.1:{port}', secret: tests}}",
    ]
    if htpasswd:
        (folder / "htpasswd").write_text(HTPASSWD)
        lines.append(f"auth: {{htpasswd: {{realm: tests, path: {folder}/htpasswd}}}}")
    config = folder / "config.yml"
    config.write_text("\n".join(lines) + "\n")
    with (folder / "log").open("wb") as output:
        process = subprocess.Popen(
            ["nsenter", f"--net={namespace}", "docker-registry", "serve", str(config)],
            stdout=output,
            stderr=output,
            env={"PATH": os.environ["PATH"]},
        )
    try:
        await_listener(namespace, port, process, folder / "log")
        yield folder / "data"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def await_listener(namespace: str, port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 10 * PATIENCE
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        with suppress(ConnectionRefusedError):
            netns.run_in(namespace, lambda: socket.create_connection(("127.0.0.1", port))).close()
            return
        time.sleep(0.05)
    raise AssertionError(f"the registry does not listen: {log.read_text()}")


@dataclass
class Wire:
    """Passes connections on to `target`, from port `port`.

    What comes back is counted, and stops at `stop_at` bytes until `go_on`.
    """

    namespace: str
    target: int
    port: int = 0
    passed: int = 0
    spares: int = 0
    stop_at: int | None = None
    stopped: threading.Event = field(default_factory=threading.Event)
    free: threading.Event = field(default_factory=threading.Event)
    open: list[socket.socket] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.listener = netns.run_in(self.namespace, lambda: socket.create_server(("127.0.0.1", self.port)))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def stop_after(self, count: int, *, spares: int = 128 << 10) -> None:
        """So many bytes from now on; answers come through that are no longer than `spares` bytes."""
        self.spares = spares
        self.stopped.clear()
        self.free.clear()
        self.stop_at = self.passed + count

    def go_on(self) -> None:
        self.stop_at = None
        self.free.set()

    def wait_stopped(self) -> bool:
        return self.stopped.wait(30 * PATIENCE)

    def cut(self) -> None:
        """Every connection breaks; those that come afterwards pass."""
        self.go_on()
        for each in self.open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.cut()
        self.listener.close()

    def accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                far = netns.run_in(self.namespace, lambda: socket.create_connection(("127.0.0.1", self.target)))
                self.open += [near, far]
                answer = [0]
                threading.Thread(target=self.carry_requests, args=(near, far, answer), daemon=True).start()
                threading.Thread(target=self.carry_answers, args=(far, near, answer), daemon=True).start()

    def carry_requests(self, source: socket.socket, sink: socket.socket, answer: list[int]) -> None:
        with suppress(OSError):
            while data := source.recv(PIECE):
                answer[0] = 0
                sink.sendall(data)
        end(source, sink)

    def carry_answers(self, source: socket.socket, sink: socket.socket, answer: list[int]) -> None:
        with suppress(OSError):
            while data := source.recv(PIECE):
                answer[0] += len(data)
                self.passed += len(data)
                if self.stop_at is not None and self.passed >= self.stop_at and answer[0] > self.spares:
                    self.stopped.set()
                    self.free.wait()
                sink.sendall(data)
        end(source, sink)


def end(*links: socket.socket) -> None:
    for each in links:
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
