"""A real engine for tests: a process of its own, with its own directories, network namespace, bridge and cgroup.

    with Engine(tmp_path) as engine:
        engine.load_base_image()
        created = engine.post("/containers/create", {"Image": BASE_IMAGE, "Cmd": ["true"]})

`Engine.traces()` lists what it has on the host (mounts, namespaces, links, rules, cgroups, processes, files); a test compares before
and after.
"""

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlencode

from wharfd.sys import netns

BASE_IMAGE = "wharfd/busybox:local"
ROOT = Path(__file__).parent.parent
CGROUP_DRIVER = os.environ.get("WHARF_TEST_CGROUP_DRIVER") or "cgroupfs"
PATIENCE = float(os.environ.get("WHARF_TEST_PATIENCE", "1"))
START_TIMEOUT_S = 30 * PATIENCE


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("wharfd", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def call(socket_path: str, method: str, target: str, body: Any = None, *, timeout: float) -> tuple[int, Any]:
    """Status, and the body's JSON or text.  `body` bytes are sent as they are, as a tar."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    kind = {"Content-Type": "application/x-tar" if isinstance(body, bytes) else "application/json"}
    connection = UnixConnection(socket_path, timeout)
    try:
        connection.request(method, target, data, kind if data is not None else {})
        answer = connection.getresponse()
        text = answer.read()
    finally:
        connection.close()
    try:
        return answer.status, json.loads(text) if text else None
    except ValueError:
        return answer.status, text.decode(errors="replace")


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def message(self) -> str:
        text: str = self.json["message"]
        return text

    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.body.splitlines() if line.strip()]


@dataclass
class Engine:
    directory: Path
    flags: Sequence[str] = ()
    main: Sequence[str] = ("-m", "wharfd")
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    timeout: float = 60.0 * PATIENCE

    def __post_init__(self) -> None:
        self.directory = self.directory.resolve()
        self.tag = f"wt{os.getpid() % 100000:05d}{abs(hash(str(self.directory))) % 1000:03d}"
        self.socket = str(self.directory / "s")
        self.netns = str(self.directory / "netns")
        self.data_root = self.directory / "data"
        self.exec_root = self.directory / "run"
        self.log = self.directory / "engine.log"

    # Process

    def __enter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        netns.create(self.netns)
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def command(self) -> list[str]:
        return [
            "nsenter",
            f"--net={self.netns}",
            sys.executable,
            *self.main,
            "serve",
            f"--host=unix://{self.socket}",
            f"--data-root={self.data_root}",
            f"--exec-root={self.exec_root}",
            f"--pidfile={self.directory / 'pid'}",
            f"--config-file={self.config_file()}",
            f"--bridge={self.tag}",
            f"--exec-opt=native.cgroupdriver={CGROUP_DRIVER}",
            f"--cgroup-parent={f'{self.tag}.slice' if CGROUP_DRIVER == 'systemd' else f'/{self.tag}'}",
            f"--group={os.getgid()}",
            *self.flags,
        ]

    def config_file(self) -> Path:
        file = self.directory / "daemon.json"
        if not file.exists():
            file.write_text("{}")
        return file

    def start(self) -> None:
        """Start and wait until it answers."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", **self.environment},
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            if self.process.poll() is not None:
                raise RuntimeError(f"the engine ended with {self.process.returncode}:\n{self.log.read_text()[-4000:]}")
            try:
                if self.get("/_ping").status == 200:
                    return
            except OSError:
                pass
            if time.monotonic() > deadline:
                raise RuntimeError(f"the engine does not answer:\n{self.log.read_text()[-4000:]}")
            time.sleep(0.02)

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def kill(self) -> None:
        """SIGKILL: nothing is tidied up."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(START_TIMEOUT_S)

    def restart(self, *, kill: bool = False) -> None:
        if kill:
            self.kill()
        else:
            self.stop()
        self.start()

    def close(self) -> None:
        """Remove every container, stop, and take away what a failed test has left on the host."""
        try:
            if self.process is not None and self.process.poll() is None:
                self.remove_all()
                self.stop()
        finally:
            if self.process is not None and self.process.poll() is None:
                self.kill()
            for path in sorted([*cgroups(self.tag), *map(str, cgroup_tops(self.tag))], reverse=True):
                remove_cgroup(Path(path))
            for pid, words in self.pids().items():
                if words.split()[0].rpartition("/")[2] in {"conmon", "crun", "runc"}:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
            netns.delete(self.netns)
            for place in self.mounts():
                subprocess.run(["umount", "-l", place], check=False)

    # API

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        version: str = "",
        headers: dict[str, str] | None = None,
        query: dict[str, Any] | None = None,
        timeout: float | None = None,
    ) -> Answer:
        """`body`: bytes are sent as they are, anything else as JSON.  A query value that is no string is sent as JSON."""
        prefix = f"/v{version}" if version else ""
        words = {k: v if isinstance(v, str) else json.dumps(v) for k, v in (query or {}).items()}
        target = prefix + quote(path, safe="/?&=%:@,") + (f"?{urlencode(words)}" if words else "")
        sent = dict(headers or {})
        data: bytes | None = None
        if isinstance(body, bytes):
            data = body
            sent.setdefault("Content-Type", "application/x-tar")
        elif body is not None:
            data = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        connection = UnixConnection(self.socket, timeout or self.timeout)
        try:
            connection.request(method, target, data, sent)
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def get(self, path: str, **more: Any) -> Answer:
        return self.request("GET", path, **more)

    def post(self, path: str, body: Any = None, **more: Any) -> Answer:
        return self.request("POST", path, body, **more)

    def delete(self, path: str, **more: Any) -> Answer:
        return self.request("DELETE", path, **more)

    # Shortcuts

    def load_base_image(self) -> None:
        from wharfd.cli.base_image import base_image_archive

        answer = self.post("/images/load", base_image_archive())
        assert answer.status == 200, answer.body
        assert b"error" not in answer.body, answer.body

    def create(self, *command: str, name: str = "", **config: Any) -> str:
        query = {"name": name} if name else {}
        answer = self.post("/containers/create", {"Image": BASE_IMAGE, "Cmd": list(command), **config}, query=query)
        assert answer.status == 201, answer.body
        identifier: str = answer.json["Id"]
        return identifier

    def run(self, *command: str, **config: Any) -> str:
        identifier = self.create(*command, **config)
        answer = self.post(f"/containers/{identifier}/start")
        assert answer.status == 204, answer.body
        return identifier

    def wait(self, identifier: str) -> int:
        answer = self.post(f"/containers/{identifier}/wait")
        assert answer.status == 200, answer.body
        code: int = answer.json["StatusCode"]
        return code

    def inspect(self, identifier: str, **more: Any) -> Any:
        answer = self.get(f"/containers/{identifier}/json", **more)
        assert answer.status == 200, answer.body
        return answer.json

    def output(self, identifier: str) -> str:
        """What the container has written on both streams, without frames."""
        answer = self.get(f"/containers/{identifier}/logs?stdout=1&stderr=1")
        assert answer.status == 200, answer.body
        if self.inspect(identifier)["Config"]["Tty"]:
            return answer.body.decode()
        text, rest = b"", answer.body
        while rest:
            length = int.from_bytes(rest[4:8], "big")
            text += rest[8 : 8 + length]
            rest = rest[8 + length :]
        return text.decode()

    def run_to_end(self, *command: str, **config: Any) -> tuple[int, str]:
        """Exit code and output; the container is removed."""
        identifier = self.run(*command, **config)
        code = self.wait(identifier)
        text = self.output(identifier)
        assert self.delete(f"/containers/{identifier}?force=1&v=1").status == 204
        return code, text

    def remove_all(self) -> None:
        for container in self.get("/containers/json?all=1").json:
            answer = self.delete(f"/containers/{container['Id']}?force=1&v=1")
            # One that removes itself may be gone, or going.
            assert answer.status in (204, 404, 409), answer.body

    # What it has on the host

    def traces(self) -> dict[str, list[str]]:
        return {
            "mounts": self.mounts(),
            "links": [line.split(": ")[1].split("@")[0] for line in self.inside("ip -o link").splitlines()],
            "rules": self.inside("nft list ruleset").splitlines(),
            "cgroups": cgroups(self.tag),
            "processes": self.processes(),
            "files": sorted(
                os.path.relpath(path, self.directory)
                for place in ("data/containers", "data/overlay2", "data/volumes", "run")
                for path in directories_below(self.directory / place)
                if "/layers/" not in path
            ),
        }

    def holdings(self) -> Counter[str]:
        """Kinds of the engine's open files and how many there are of each, its tasks and listeners."""
        info = self.get("/info").json
        kinds: Counter[str] = Counter(tasks=info["NGoroutines"], listeners=info["NEventsListener"])
        for fd in Path(f"/proc/{self.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                kinds[re.sub(r":\[\d+\]$|[0-9a-f]{64}", "", str(fd.readlink()))] += 1
        return kinds

    def held_beyond(self, held: Counter[str]) -> str:
        """What it holds more than before, with what its tasks and threads are at; empty if nothing."""
        more = self.holdings() - held
        if not more:
            return ""
        stacks = self.exec_root / "stacks.txt"
        stacks.unlink(missing_ok=True)
        os.kill(self.pid, signal.SIGUSR1)
        deadline = time.monotonic() + PATIENCE
        while not stacks.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        return f"the engine holds more than before: {more}\n{stacks.read_text() if stacks.exists() else ''}"

    def inside(self, script: str) -> str:
        return subprocess.run(
            ["nsenter", f"--net={self.netns}", "sh", "-ec", script], check=True, capture_output=True, text=True
        ).stdout

    def mounts(self) -> list[str]:
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
        return sorted(place for place in (line.split()[4] for line in lines) if place.startswith(f"{self.directory}/"))

    def processes(self) -> list[str]:
        """Command lines, the engine's own left out, that name this engine's directory."""
        return sorted(self.pids().values())

    def pids(self) -> dict[int, str]:
        found = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or (self.process is not None and int(entry.name) == self.process.pid):
                continue
            try:
                words = (entry / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ").strip()
            except OSError:
                continue
            if str(self.directory) in words and int(entry.name) != os.getpid():
                found[int(entry.name)] = words
        return found


def cgroups(tag: str) -> list[str]:
    """Directories below the one of that name, in any hierarchy."""
    return sorted(path for top in cgroup_tops(tag) for path in directories_below(top))


def remove_cgroup(place: Path) -> None:
    """With the processes in it."""
    with contextlib.suppress(OSError):
        for pid in (place / "cgroup.procs").read_text().split():
            os.kill(int(pid), signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE
    while place.is_dir() and time.monotonic() < deadline:
        try:
            place.rmdir()
        except OSError:
            time.sleep(0.01)


def cgroup_tops(tag: str) -> list[Path]:
    hierarchies = [Path("/sys/fs/cgroup"), *Path("/sys/fs/cgroup").iterdir()]
    return [tree / name for tree in hierarchies for name in (tag, f"{tag}.slice") if (tree / name).is_dir()]


def directories_below(top: Path) -> list[str]:
    """Of a tree from which others may delete meanwhile, or that is not there."""
    return [os.path.join(path, name) for path, names, _ in os.walk(top) for name in names]


def settled(engine: Engine, wanted: dict[str, list[str]], patience_s: float = 15.0) -> dict[str, list[str]]:
    """The traces, as soon as they are as wanted, or after `patience_s`: teardown goes on behind the answers."""
    deadline = time.monotonic() + patience_s * PATIENCE
    while True:
        found = engine.traces()
        if found == wanted or time.monotonic() > deadline:
            return found
        time.sleep(0.05)
