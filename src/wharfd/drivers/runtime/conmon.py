"""conmon: the monitor of one container.

It runs the OCI runtime's `create`, keeps the container's stdio, writes its log and, at the end, its exit file.  It outlives the engine.
Its protocol (2.0.26 and later):

    _OCI_SYNCPIPE=FD   after `create` it writes one line, {"data": PID} or {"data": -1, "message": TEXT}; nothing at all if it died
    --exit-dir DIR     at the end DIR/CONTAINER_ID holds the exit code in decimal, made whole by a rename
    --full-attach      the sockets `attach`, `ctl` and `winsz` lie in the bundle
    --sync             it does not fork itself away: the process that we spawn is the monitor, so its pid is known at once
    working directory  a file `oom` appears here when the kernel killed a process for lack of memory
"""

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from wharfd.ports.runtime import Launch
from wharfd.sys.spawn import Process, spawn

PID_FILE = "pidfile"
OOM_FILE = "oom"
STDERR_FILE = "monitor.log"
_SYNC_FD = 3
_ANSWER_LIMIT_BYTES = 64 << 10


class MonitorFailed(Exception):
    """The runtime's `create` failed, or the monitor died; `str()` is what was said."""


class Answer(msgspec.Struct):
    data: int
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitor:
    """How this host's conmon is called.  `exit_dir` is the one directory for the exit files of all containers."""

    path: str
    exit_dir: str
    environment: Mapping[str, str]

    def command(self, launch: Launch, runtime: Sequence[str]) -> list[str]:
        """Its command line.  `runtime`: program and arguments that stand before the runtime's `create`."""
        argv = [self.path, "--api-version", "1", "--sync", "--full-attach", "--no-sync-log", "--log-level", "error"]
        argv += ["--cid", launch.container_id, "--cuuid", launch.container_id, "--bundle", launch.bundle]
        argv += ["--container-pidfile", f"{launch.bundle}/{PID_FILE}", "--exit-dir", self.exit_dir]
        argv += ["--log-path", f"k8s-file:{launch.log_path}" if launch.log_path else "none"]
        if launch.terminal:
            argv.append("--terminal")
        if launch.stdin_open:
            argv.append("--stdin")
            # A terminal has no end of input: without the flag its input side would be gone after the first client's leave.
            if launch.terminal or not launch.stdin_once:
                argv.append("--leave-stdin-open")
        argv += ["--runtime", runtime[0]]
        for argument in runtime[1:]:
            argv.append(f"--runtime-arg={argument}")
        return argv

    def spawn(self, launch: Launch, runtime: Sequence[str]) -> tuple[Process, int]:
        """Start it; gives the process and our end of its sync pipe, which the caller closes.

        Its standard error is a file: the container's first process inherits it, and with a pipe its reader would wait for that
        process's end.
        """
        reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            os.set_blocking(writing, True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
            stderr = os.open(f"{launch.bundle}/{STDERR_FILE}", flags, 0o600)
            try:
                process = spawn(
                    self.command(launch, runtime),
                    env={**self.environment, "_OCI_SYNCPIPE": str(_SYNC_FD)},
                    cwd=launch.bundle,
                    stderr=stderr,
                    pass_fds={_SYNC_FD: writing},
                    new_session=True,
                )
            finally:
                os.close(stderr)
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        return process, reading


async def read_answer(fd: int, bundle: str) -> int:
    """The container's pid, once `create` has succeeded.

    Raises:
        MonitorFailed: with the runtime's words.
    """
    line = await _read_line(fd)
    try:
        answer = msgspec.json.decode(line, type=Answer) if line else Answer(data=-1)
    except msgspec.DecodeError as e:
        raise MonitorFailed(f"the monitor answered {line[:200]!r}") from e
    if answer.data > 0:
        return answer.data
    raise MonitorFailed(answer.message or _last_words(bundle) or "the monitor ended without a message")


async def _read_line(fd: int) -> bytes:
    loop = asyncio.get_running_loop()
    received = bytearray()
    readable = asyncio.Event()
    loop.add_reader(fd, readable.set)
    try:
        while b"\n" not in received and len(received) < _ANSWER_LIMIT_BYTES:
            await readable.wait()
            readable.clear()
            try:
                chunk = os.read(fd, 16384)
            except BlockingIOError:
                continue
            if not chunk:
                break
            received += chunk
    finally:
        loop.remove_reader(fd)
    return bytes(received).partition(b"\n")[0]


def _last_words(bundle: str) -> str:
    try:
        with open(f"{bundle}/{STDERR_FILE}", encoding="utf-8", errors="replace") as f:
            return f.read(4096).strip()
    except FileNotFoundError:
        return ""
