"""Processes that exist only as states: created, running, paused, over.

    runtime = FakeRuntime(is_mount_point=rootfs.is_mount_point)
    runtime.exit(container_id, 3)               # its process ends by itself
    runtime.obeys[container_id] = {9}           # it ignores everything but SIGKILL
    await runtime.close()                       # the engine dies; processes go on …
    await runtime.open(on_exit)                 # … and another engine finds them

The fake outlives the engine under test, as processes do.
"""

import signal as signals
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Protocol

from wharfd.model.config import HostConfig
from wharfd.model.errors import Conflict, Internal, InvalidParameter, StartFailed
from wharfd.model.ids import ContainerId
from wharfd.ports.runtime import Exit, Launch, Launched, Observation, RuntimeInfo, Stats
from wharfd.testing.clock import FakeClock
from wharfd.testing.fake import Fake

DEADLY = frozenset({signals.SIGHUP, signals.SIGINT, signals.SIGQUIT, signals.SIGKILL, signals.SIGTERM})
SIGNAL_BASE = 128  # a shell's and Docker's exit code of a process that a signal ended


class Phase(Enum):
    CREATED = auto()
    RUNNING = auto()
    PAUSED = auto()
    OVER = auto()


@dataclass
class Process:
    """What the fake knows of one container's process."""

    launch: Launch
    pid: int
    monitor_pid: int
    phase: Phase = Phase.CREATED
    exit: Exit | None = None
    pending: list[int] = field(default_factory=list)  # signals that wait for the thaw
    resources: HostConfig | None = None

    @property
    def is_alive(self) -> bool:
        return self.phase is not Phase.OVER

    @property
    def pid_start(self) -> int:
        return self.pid * 10


class Onlooker(Protocol):
    """Sees what processes write, and their ends (`testing.streams`)."""

    def said(self, container_id: str, stream: str, data: bytes) -> None: ...

    def ended(self, container_id: str) -> None: ...


class FakeRuntime(Fake):
    """Port `runtime`.

    `is_mount_point(path)`, if given, must be true of a launch's `root.path`.  `missing_programs` maps a program to the StartFailed that
    its creation ends in.  `output` receives what `say` writes: (log path, stream, data).
    """

    def __init__(
        self,
        clock: FakeClock | None = None,
        *,
        is_mount_point: Callable[[str], bool] | None = None,
        output: Callable[[str, str, bytes], None] | None = None,
    ) -> None:
        super().__init__()
        self.clock = clock or FakeClock()
        self.is_mount_point = is_mount_point
        self.output = output
        self.onlookers: list[Onlooker] = []
        self.on_exit: Callable[[Exit], None] | None = None
        self.processes_by_id: dict[str, Process] = {}
        self.obeys: dict[str, frozenset[int] | set[int]] = {}
        self.missing_programs: dict[str, StartFailed] = {}
        self.reopened: list[tuple[str, str]] = []  # logs: path, and what it was renamed to
        self.exits_at_once: dict[str, int] = {}
        self.signals: list[tuple[str, int]] = []
        self.next_pid = 1000

    # what a test makes happen

    def exit(self, container_id: str, code: int = 0, *, oom_killed: bool = False) -> None:
        """The process ends.  An engine that listens hears it now; one that does not finds the exit file later."""
        process = self.processes_by_id[container_id]
        if not process.is_alive:
            raise AssertionError(f"{container_id} has exited before")
        process.phase = Phase.OVER
        process.exit = Exit(
            container_id=ContainerId(container_id), code=code, at_ns=self.clock.now_ns(), oom_killed=oom_killed
        )
        for onlooker in self.onlookers:
            onlooker.ended(container_id)
        if self.on_exit is not None:
            self.on_exit(process.exit)

    def exits_after_start(self, container_id: str, code: int = 0) -> None:
        """Its process will end as soon as it is started, before `start` returns."""
        self.exits_at_once[container_id] = code

    def say(self, container_id: str, data: bytes, stream: str = "stdout") -> None:
        """The process writes."""
        process = self.processes_by_id[container_id]
        if process.phase is not Phase.RUNNING:
            raise AssertionError(f"{container_id} does not run")
        if self.output is not None and process.launch.log_path:
            self.output(process.launch.log_path, stream, data)
        for onlooker in self.onlookers:
            onlooker.said(container_id, stream, data)

    def reboot(self) -> None:
        """The machine went down: no process, runtime state or exit file survives that."""
        self.on_exit = None
        self.processes_by_id.clear()

    def phase(self, container_id: str) -> Phase | None:
        process = self.processes_by_id.get(container_id)
        return process.phase if process else None

    # the port

    async def open(self, on_exit: Callable[[Exit], None]) -> None:
        self.enter("open")
        if self.on_exit is not None:
            raise AssertionError("opened twice")
        self.on_exit = on_exit

    async def close(self) -> None:
        self.enter("close")
        self.on_exit = None

    async def infos(self) -> Sequence[RuntimeInfo]:
        self.enter("infos")
        return [RuntimeInfo(name="crun", path="/usr/bin/crun", version="1.8.1", commit="f8a096be")]

    async def monitor_version(self) -> str:
        self.enter("monitor_version")
        return "2.1.6"

    async def init_version(self) -> str:
        self.enter("init_version")
        return "0.19.0"

    async def create(self, launch: Launch) -> Launched:
        self.enter("create")
        if self.on_exit is None:
            raise AssertionError("create before open")
        known = self.processes_by_id.get(launch.container_id)
        if known is not None and known.phase is not Phase.CREATED:
            raise StartFailed(f"container with id {launch.container_id} exists already", 128)
        if known is None:
            known = self.launch(launch)
        return Launched(pid=known.pid, pid_start=known.pid_start, monitor_pid=known.monitor_pid)

    def launch(self, launch: Launch) -> Process:
        root = launch.spec.get("root", {}).get("path", "")
        if self.is_mount_point is not None and not self.is_mount_point(root):
            raise Internal(f"root.path {root!r} is not mounted")
        args = launch.spec.get("process", {}).get("args") or []
        if not args:
            raise StartFailed("process.args must not be empty", 128)
        if args[0] in self.missing_programs:
            raise self.missing_programs[args[0]]
        process = Process(launch=launch, pid=self.next_pid, monitor_pid=self.next_pid + 1)
        self.next_pid += 2
        self.processes_by_id[launch.container_id] = process
        return process

    async def start(self, container_id: ContainerId) -> None:
        self.enter("start")
        process = self.processes_by_id.get(container_id)
        if process is None or not process.is_alive:
            raise StartFailed(f"container {container_id} does not exist", 128)
        if process.phase is Phase.CREATED:
            process.phase = Phase.RUNNING
            if container_id in self.exits_at_once:
                self.exit(container_id, self.exits_at_once.pop(container_id))

    async def signal(self, container_id: ContainerId, pid: int, signal: int) -> None:
        self.enter("signal")
        process = self.processes_by_id.get(container_id)
        if process is None or not process.is_alive or process.pid != pid:
            raise Conflict(f"container {container_id} is not running")
        self.signals.append((container_id, signal))
        if process.phase is Phase.PAUSED:
            process.pending.append(signal)
        else:
            self.deliver(process, signal)

    def deliver(self, process: Process, signal: int) -> None:
        container_id = process.launch.container_id
        deadly = signal in self.obeys.get(container_id, DEADLY) or signal == signals.SIGKILL
        if process.is_alive and deadly:
            self.exit(container_id, SIGNAL_BASE + signal)

    async def pause(self, container_id: ContainerId) -> None:
        self.enter("pause")
        process = self.demand(container_id)
        if process.phase is Phase.CREATED:
            raise Conflict(f"container {container_id} is not running")
        process.phase = Phase.PAUSED

    async def resume(self, container_id: ContainerId) -> None:
        self.enter("resume")
        process = self.demand(container_id)
        if process.phase is Phase.PAUSED:
            process.phase = Phase.RUNNING
            for signal in process.pending:
                self.deliver(process, signal)
            process.pending.clear()

    async def delete(self, container_id: ContainerId) -> None:
        self.enter("delete")
        process = self.processes_by_id.get(container_id)
        if process is not None and process.is_alive:
            self.exit(container_id, SIGNAL_BASE + signals.SIGKILL)
        self.processes_by_id.pop(container_id, None)

    async def observe(self, container_id: ContainerId, pid: int, pid_start: int) -> Observation:
        self.enter("observe")
        process = self.processes_by_id.get(container_id)
        if process is None:
            return Observation(alive=False, paused=False, exit=None, remains=False)
        is_recorded = pid in (0, process.pid) and pid_start in (0, process.pid_start)
        return Observation(
            alive=process.is_alive and is_recorded,
            paused=process.phase is Phase.PAUSED,
            exit=process.exit,
            remains=True,
            pid=process.pid if process.is_alive else 0,
            pid_start=process.pid_start if process.is_alive else 0,
            monitor_pid=process.monitor_pid if process.is_alive else 0,
        )

    async def leftovers(self) -> Sequence[ContainerId]:
        self.enter("leftovers")
        return [ContainerId(each) for each in self.processes_by_id]

    async def processes(self, container_id: ContainerId) -> Sequence[int]:
        self.enter("processes")
        process = self.processes_by_id.get(container_id)
        return [process.pid] if process is not None and process.is_alive else []

    async def top(self, pids: Sequence[int], ps_args: str) -> tuple[list[str], list[list[str]]]:
        self.enter("top")
        if ps_args.split()[:1] not in ([], ["-ef"], ["aux"], ["-o"]):
            raise InvalidParameter(f"Error running ps: unknown option {ps_args!r}")
        return ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"], [
            ["root", str(pid), "1", "0", "00:00", "?", "00:00:00", "true"] for pid in pids
        ]

    async def update(self, container_id: ContainerId, resources: HostConfig) -> None:
        self.enter("update")
        self.demand(container_id).resources = resources

    async def reopen_log(self, container_id: ContainerId, path: str, renamed_to: str, *, is_told: bool | None) -> bool:
        self.enter("reopen_log")
        self.demand(container_id)
        self.reopened.append((path, renamed_to))
        return True

    async def stats(self, container_id: ContainerId, pid: int) -> Stats:
        self.enter("stats")
        self.demand(container_id)
        return Stats(
            at_ns=self.clock.now_ns(),
            cgroup_version=2,
            cpu_total_ns=2_000_000,
            cpu_user_ns=1_500_000,
            cpu_system_ns=500_000,
            per_cpu_ns=[],
            throttling_periods=0,
            throttled_periods=0,
            throttled_ns=0,
            system_cpu_ns=self.clock.monotonic_ns() * 2,
            online_cpus=2,
            memory_usage_bytes=1 << 20,
            memory_max_usage_bytes=0,
            memory_limit_bytes=4 << 30,
            memory_failcnt=0,
            memory_stats={"anon": 1 << 19, "inactive_file": 1 << 18},
            pids_current=1,
            pids_limit=0,
            blkio={},
            networks={},
        )

    def demand(self, container_id: str) -> Process:
        process = self.processes_by_id.get(container_id)
        if process is None or not process.is_alive:
            raise Conflict(f"container {container_id} is not running")
        return process
