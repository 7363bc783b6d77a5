"""Execs, stops, attached streams, archives and stats: what a client does with containers that run."""

import io
import json
import select
import socket
import tarfile
import time
from collections.abc import Callable
from statistics import median

from bench.client import Connection
from bench.measures import Figures, Target, create, now, remove

UPGRADE = "Connection: Upgrade\r\nUpgrade: tcp\r\n"


def hijack(target: Target, path: str, body: object = None) -> tuple[socket.socket, bytes]:
    """The connection behind the answer's head, and what came right behind that."""
    data = b"" if body is None else json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: bench\r\n{UPGRADE}Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(120)
    sock.connect(target.socket)
    sock.sendall(head.encode() + data)
    got = b""
    while b"\r\n\r\n" not in got:
        got += sock.recv(1 << 16)
    first, _, rest = got.partition(b"\r\n\r\n")
    if first.split()[1] not in (b"101", b"200"):
        raise RuntimeError(f"{target.name}: POST {path}: {got[:300]!r}")
    return sock, rest


def started(c: Connection, *command: str, **more: object) -> str:
    identifier = create(c, *command, network="none", **more)
    c.json("POST", f"/containers/{identifier}/start")
    return identifier


def drain(sock: socket.socket) -> int:
    """Bytes to the end."""
    total, scratch = 0, bytearray(1 << 20)
    while count := sock.recv_into(scratch):
        total += count
    return total


def execs(target: Target, quick: bool) -> Figures:
    """An exec of `true`: made, started, its stream read to the end, its code asked for."""
    with target.connect() as c:
        identifier = started(c, "sleep", "1000")
        try:
            times = []
            for _ in range(5 if quick else 30):
                t0 = now()
                made = c.json(
                    "POST",
                    f"/containers/{identifier}/exec",
                    {"Cmd": ["true"], "AttachStdout": True, "AttachStderr": True},
                )
                sock, _ = hijack(target, f"/exec/{made['Id']}/start", {"Detach": False, "Tty": False})
                with sock:
                    drain(sock)
                code = c.json("GET", f"/exec/{made['Id']}/json")["ExitCode"]
                times.append(now() - t0)
                if code:
                    raise RuntimeError(f"{target.name}: exec ended with {code}")
        finally:
            remove(c, identifier)
    return {"exec_ms": median(times) * 1e3}


def stops(target: Target, quick: bool) -> Figures:
    """Stop of a process that ends at once when it is told to."""
    times = []
    with target.connect() as c:
        for _ in range(3 if quick else 15):
            identifier = started(c, "sh", "-c", "trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done")
            try:
                while b"ready" not in c.request("GET", f"/containers/{identifier}/logs?stdout=1")[1]:
                    time.sleep(0.01)
                t0 = now()
                c.json("POST", f"/containers/{identifier}/stop?t=10")
                times.append(now() - t0)
            finally:
                remove(c, identifier)
    return {"stop_ms": median(times) * 1e3}


def attached(target: Target, quick: bool) -> Figures:
    """Output to one attached client, and input from one."""
    size = (16 if quick else 256) << 20
    with target.connect() as c:
        body = {"Tty": False, "AttachStdout": True}
        identifier = create(c, "sh", "-c", f"head -c {size} /dev/zero", network="none", **body)
        try:
            sock, rest = hijack(target, f"/containers/{identifier}/attach?stream=1&stdout=1")
            t0 = now()
            c.json("POST", f"/containers/{identifier}/start")
            with sock:
                got = len(rest) + drain(sock)
            out_s = now() - t0
            if got < size:
                raise RuntimeError(f"{target.name}: {got} of {size} bytes came")
        finally:
            remove(c, identifier)
        body = {"OpenStdin": True, "StdinOnce": True, "AttachStdin": True, "AttachStdout": True}
        # Its `wc` would count no faster than 300 MB/s; that nothing is lost is for tests to show.
        identifier = create(c, "sh", "-c", "cat >/dev/null; echo over", network="none", **body)
        try:
            sock, rest = hijack(target, f"/containers/{identifier}/attach?stream=1&stdin=1&stdout=1")
            c.json("POST", f"/containers/{identifier}/start")
            block = bytes(1 << 20)
            t0 = now()
            with sock:
                for _ in range(size >> 20):
                    sock.sendall(block)
                sock.shutdown(socket.SHUT_WR)
                answer = rest
                while data := sock.recv(1 << 16):
                    answer += data
            in_s = now() - t0
            if b"over" not in answer:
                raise RuntimeError(f"{target.name}: {answer!r}")
        finally:
            remove(c, identifier)
    return {"attach_output_mb_per_s": size / out_s / 1e6, "attach_input_mb_per_s": size / in_s / 1e6}


def archives(target: Target, quick: bool) -> Figures:
    """20,000 small files, and one large one, into a container that runs and out again."""
    count, size = (1000, 8 << 20) if quick else (20_000, 256 << 20)
    many = io.BytesIO()
    with tarfile.open(fileobj=many, mode="w") as tar:
        for number in range(count):
            info = tarfile.TarInfo(f"many/{number // 100}/{number}")
            info.size = 200
            tar.addfile(info, io.BytesIO(bytes(200)))
    large = io.BytesIO()
    with tarfile.open(fileobj=large, mode="w") as tar:
        info = tarfile.TarInfo("large")
        info.size = size
        tar.addfile(info, io.BytesIO(bytes(size)))
    figures = {}
    with target.connect() as c:
        identifier = started(c, "sleep", "1000")
        try:
            for name, archive, amount, unit in (
                ("many", many, count, "files_per_s"),
                ("large", large, size / 1e6, "mb_per_s"),
            ):
                t0 = now()
                c.json("PUT", f"/containers/{identifier}/archive?path=/", archive.getvalue())
                figures[f"archive_in_{unit}"] = amount / (now() - t0)
                with target.connect() as reader:
                    t0 = now()
                    if reader.drain(f"/containers/{identifier}/archive?path=/{name}") < len(archive.getvalue()) // 2:
                        raise RuntimeError(f"{target.name}: the archive is too short")
                    figures[f"archive_out_{unit}"] = amount / (now() - t0)
        finally:
            remove(c, identifier)
    return figures


def stats(target: Target, quick: bool) -> Figures:
    """One sample of each of 100 containers, all asked for at once, as `docker stats --no-stream` does."""
    count = 10 if quick else 100
    with target.connect() as c:
        ids = [started(c, "sleep", "1000") for _ in range(count)]
        try:
            t0 = now()
            waiting = {}
            for identifier in ids:
                sock = socket.socket(socket.AF_UNIX)
                sock.connect(target.socket)
                path = f"/containers/{identifier}/stats?stream=false&one-shot=true"
                sock.sendall(f"GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n".encode())
                waiting[sock.fileno()] = sock
            poll = select.poll()
            for fd in waiting:
                poll.register(fd, select.POLLIN)
            while waiting:
                for fd, _ in poll.poll(60_000):
                    if not waiting[fd].recv(1 << 16):
                        poll.unregister(fd)
                        waiting.pop(fd).close()
            seconds = now() - t0
        finally:
            for identifier in ids:
                remove(c, identifier)
    return {f"stats_of_{count}_ms": seconds * 1e3}


STREAM_MEASURES: dict[str, Callable[[Target, bool], Figures]] = {
    "exec": execs,
    "stop": stops,
    "attach": attached,
    "archive": archives,
    "stats": stats,
}
