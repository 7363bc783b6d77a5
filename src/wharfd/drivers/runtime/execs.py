"""Runs further processes in a container, by the OCI runtime's `exec --detach` with the engine's own pipes or terminal.

    exec_root/execs/N.json    the OCI `process`; .log: what the runtime says; .pid: the process; .sock: where it sends a terminal
                              (all of them gone when the process runs)

The runtime ends as soon as the process runs, so its exit code tells a failure to start from a failure of the process.  The process is
then the engine's child (which must be a child subreaper), and its exit status ours to take.

# Linux: a process that was started in another pid namespace and is dead but not reaped keeps that namespace's init from dying.  So every
# child is watched, also the halves that runtimes leave behind when they fail; else a container could never be stopped again.
"""

import asyncio
import contextlib
import itertools
import os
import signal
from dataclasses import dataclass, field

import msgspec

from wharfd.drivers.runtime.bundle import SPEC_FILE, joining_command, remove_tree
from wharfd.drivers.runtime.cgroups import cgroup_path
from wharfd.drivers.runtime.driver import ALIASES, ConmonRuntime, is_process_alive
from wharfd.drivers.runtime.failures import OTHER, exec_failed
from wharfd.drivers.runtime.oci import OciRuntime
from wharfd.drivers.runtime.pipes import Pipes, Streams
from wharfd.drivers.runtime.placement import Placement
from wharfd.drivers.runtime.terminal import ConsoleSocket, set_size
from wharfd.model.errors import Conflict, Internal, StartFailed, Unavailable
from wharfd.model.ids import ContainerId
from wharfd.model.json import JsonObject
from wharfd.ports.streams import ExecRequest
from wharfd.sys.spawn import Process, Watch, children, spawn, unwatched, watch_exit
from wharfd.wire.stdcopy import Stream

LAUNCH_TIMEOUT_S = 120.0
_DIRECTORY_FD = 3  # of the execs directory, in the runtime: its files have short names this way
_SIGNAL_BASE = 128


class _Spec(msgspec.Struct):
    process: JsonObject


class _LogLine(msgspec.Struct):
    msg: str = ""
    level: str = ""


class RunningExec:
    """Satisfies `ports.streams.ExecProcess`."""

    def __init__(self, watch: Watch, pipes: Pipes) -> None:
        self._watch = watch
        self._pipes = pipes
        self.read = pipes.read
        self.write = pipes.write
        self.close_stdin = pipes.close_stdin
        self.close = pipes.close
        self.wait_output_end = pipes.wait_drained

    @property
    def pid(self) -> int:
        return self._watch.pid

    async def wait(self) -> int:
        status = await self._watch.wait_status()
        if status is None:
            return OTHER  # somebody else has taken it
        return status if status >= 0 else _SIGNAL_BASE - status

    def kill(self) -> None:
        try:
            self._watch.kill()
        except ProcessLookupError:
            return
        with contextlib.suppress(ProcessLookupError):
            # As long as it has not been reaped, its group is no other's: its own, or that of the runtime which has begun the session.
            group = os.getpgid(self._watch.pid)
            if group != os.getpgrp():
                os.killpg(group, signal.SIGKILL)

    def resize(self, *, height: int, width: int) -> None:
        self._pipes.resize(height, width)


@dataclass(slots=True, eq=False)
class Launching:
    """A runtime that is about to start a process.

    `adopted`: children of ours that nobody knew while it was at work; one of them may be its process, which becomes our child some time
    before the runtime ends.
    """

    runtime: Process
    pid_file: str
    adopted: dict[int, Watch] = field(default_factory=dict)

    def started(self) -> Watch | None:
        """The process, after the runtime's end; None if it could not be started."""
        if self.runtime.status != 0:
            return None
        try:
            with open(self.pid_file) as f:
                pid = int(f.read())
            return self.adopted.get(pid) or watch_exit(pid)
        except (OSError, ValueError) as e:
            raise Internal(f"the OCI runtime tells nothing of the process that it has started: {e}") from e


class Execs:
    """Satisfies `ports.streams.ExecDriver` for the containers of `driver`."""

    def __init__(self, driver: ConmonRuntime, directory: str) -> None:
        self.driver = driver
        self.directory = directory
        self.numbers = itertools.count(1)
        self.launching: set[Launching] = set()
        self.burials: set[asyncio.Task[None]] = set()
        self.directory_fd = -1

    async def exec(self, container_id: ContainerId, request: ExecRequest) -> RunningExec:
        placement = self.driver.placements.get(container_id)
        if placement is None or not placement.pid or not is_process_alive(placement.pid, placement.pid_start):
            raise Conflict(f"container {container_id} is not running")
        runtime = self.driver.runtimes[ALIASES.get(placement.runtime, placement.runtime)]
        await runtime.probe()
        document = process_document(placement, request)
        name = str(next(self.numbers))
        self._open_directory()
        try:
            self._write(f"{name}.json", msgspec.json.encode(document))
            return await self._run(placement, runtime, request, name)
        finally:
            for suffix in ("json", "log", "pid"):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(f"{name}.{suffix}", dir_fd=self.directory_fd)

    async def _run(self, placement: Placement, runtime: OciRuntime, request: ExecRequest, name: str) -> RunningExec:
        streams = Streams()
        console: ConsoleSocket | None = None
        try:
            if request.terminal:
                console = ConsoleSocket(self.directory_fd, f"{name}.sock")
            else:
                streams.open(stdin=request.stdin, stdout=request.stdout, stderr=request.stderr)
            launching = self._spawn(placement, runtime, streams, name, console is not None)
            streams.close_child_ends()
            self.launching.add(launching)
            try:
                started, master = await self._started(launching, console)
            finally:
                self.launching.discard(launching)
            if started is None:
                self._adopt_strays()
                said = self._said(f"{name}.log") or streams.last_words()
                raise exec_failed(said, request.args[0] if request.args else "")
            if console is not None:
                if request.console_size is not None:
                    set_size(master, *request.console_size)
                pipes = Pipes({master: Stream.STDOUT}, master, is_terminal=True)
            else:
                pipes = Pipes(streams.sources, streams.sink)
                streams = Streams()
            return RunningExec(started, pipes)
        finally:
            streams.close()
            if console is not None:
                console.close()

    def _spawn(
        self, placement: Placement, runtime: OciRuntime, streams: Streams, name: str, has_terminal: bool
    ) -> Launching:
        below = f"/proc/self/fd/{_DIRECTORY_FD}/{name}"
        pid_file = f"{self.directory}/{name}.pid"
        command = [*runtime.command(), "--log", f"{below}.log", "--log-format", "json"]
        if placement.joined:
            # The runtime knows of no cgroup: its own is the process's.
            trees = list(dict.fromkeys(self.driver.layout.hierarchies.values()))
            command.append("--cgroup-manager=disabled")
            command = joining_command(trees, cgroup_path(placement.cgroup), command)
        command += ["exec", "--detach", "--process", f"{below}.json", "--pid-file", pid_file]
        if has_terminal:
            command += ["--console-socket", f"{below}.sock"]
        command.append(placement.container_id)
        try:
            process = spawn(
                command,
                env=runtime.environment,
                stdin=streams.child.get(0),
                stdout=streams.child.get(1),
                stderr=streams.child.get(2),
                pass_fds={_DIRECTORY_FD: self.directory_fd},
                new_session=True,
            )
        except OSError as e:
            raise Unavailable(f"OCI runtime {runtime.name} cannot be run: {e}") from e
        return Launching(process, pid_file)

    async def _started(self, launching: Launching, console: ConsoleSocket | None) -> tuple[Watch | None, int]:
        """When the runtime has ended: the process, and the master of its terminal, −1 if there is none."""
        receiving = None
        if console is not None:
            receiving = asyncio.get_running_loop().create_task(console.receive(), name="exec-terminal")
        started = None
        try:
            async with asyncio.timeout(LAUNCH_TIMEOUT_S):
                await launching.runtime.wait()
                started = launching.started()
                return started, await receiving if receiving is not None and started is not None else -1
        except TimeoutError as e:
            text = f"OCI runtime exec failed: it did not end within {LAUNCH_TIMEOUT_S:.0f} s: unknown"
            raise StartFailed(text, OTHER) from e
        finally:
            if receiving is not None and started is None:
                await _give_up(receiving)
            if not launching.runtime.has_exited:
                launching.runtime.kill()
                await launching.runtime.wait_status()
                self._adopt_strays()

    def _adopt_strays(self) -> None:
        """Watch what a failed runtime has left to us, so that it is reaped.

        The processes of other launches may be among them; those find them in `adopted`.  Each may leave us its own children in turn.
        """
        for pid in unwatched(children()):
            with contextlib.suppress(ProcessLookupError):
                watch = watch_exit(pid)
                for launching in self.launching:
                    launching.adopted[pid] = watch
                task = asyncio.get_running_loop().create_task(self._bury(watch), name=f"exec-stray:{pid}")
                self.burials.add(task)
                task.add_done_callback(self.burials.discard)

    async def _bury(self, stray: Watch) -> None:
        await stray.wait_status()
        self._adopt_strays()

    # files

    def _open_directory(self) -> None:
        """Made anew by the first exec: what another engine left there is nobody's."""
        if self.directory_fd < 0:
            remove_tree(self.directory)
            os.makedirs(self.directory, mode=0o700)
            self.directory_fd = os.open(self.directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

    def _write(self, name: str, content: bytes) -> None:
        fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=self.directory_fd)
        with open(fd, "wb") as f:
            f.write(content)

    def _said(self, name: str) -> str:
        """The last error of a runtime's log."""
        try:
            with open(f"{self.directory}/{name}", "rb") as f:
                lines = f.read(64 << 10).splitlines()
        except FileNotFoundError:
            return ""
        said = ""
        for line in lines:
            try:
                entry = msgspec.json.decode(line, type=_LogLine)
            except msgspec.DecodeError:
                continue
            if entry.level in {"error", "fatal"} and entry.msg:
                said = entry.msg
        return said

    def close(self) -> None:
        for task in self.burials:
            task.cancel()
        if self.directory_fd >= 0:
            os.close(self.directory_fd)
            self.directory_fd = -1


async def _give_up(receiving: "asyncio.Task[int]") -> None:
    receiving.cancel()
    outcome = (await asyncio.gather(receiving, return_exceptions=True))[0]
    if isinstance(outcome, int):
        os.close(outcome)


def process_document(placement: Placement, request: ExecRequest) -> JsonObject:
    """The container's own `process`, with what the request wants to be otherwise.

    Raises:
        StartFailed: the runtime would not take it, or would say so in words of its own.
    """
    if request.cwd and not request.cwd.startswith("/"):
        raise StartFailed("OCI runtime exec failed: exec failed: Cwd must be an absolute path: unknown", OTHER)
    if any(word.startswith("=") for word in request.env):
        raise exec_failed(
            "exec failed: unable to start container process: invalid environment variable: name cannot be empty", ""
        )
    try:
        with open(f"{placement.bundle}/{SPEC_FILE}", "rb") as f:
            document = msgspec.json.decode(f.read(), type=_Spec).process
    except (OSError, msgspec.DecodeError) as e:
        raise Internal(f"the bundle of container {placement.container_id} cannot be read: {e}") from e
    document.pop("consoleSize", None)
    document |= {"args": request.args, "env": request.env, "terminal": request.terminal}
    if request.cwd:
        document["cwd"] = request.cwd
    if request.user is not None:
        user = request.user
        document["user"] = {"uid": user.uid, "gid": user.gid, "additionalGids": list(user.additional_gids)}
    if request.capabilities is not None:
        document["capabilities"] = {
            "bounding": request.capabilities,
            "effective": request.capabilities,
            "permitted": request.capabilities,
        }
    if request.terminal and request.console_size is not None and all(request.console_size):
        height, width = request.console_size
        document["consoleSize"] = {"height": height, "width": width}
    return document
