"""Port: makes, starts, signals and takes down a container's processes.

Behind it stand a monitor per container (conmon), which owns stdio, log and exit file and outlives the engine, and an OCI runtime.
All calls are safe to repeat: what is done already is not an error.  Foreign failures arrive as `wharfd.model.errors`.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from wharfd.model.config import HostConfig
from wharfd.model.ids import ContainerId
from wharfd.model.json import JsonObject


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the runtime needs for one start.

    `spec` is an OCI runtime spec (config.json) whose `root.path` is mounted already.  `bundle` is a directory of this container's own.
    `log_path` empty: the output is thrown away.  `cgroup` is the path below the cgroup root ("/wharfd/ID"), for the systemd driver
    "slice:prefix:name".
    """

    container_id: ContainerId
    spec: JsonObject
    bundle: str
    runtime: str  # a configured runtime's name: crun, runc, …
    cgroup: str
    log_path: str
    terminal: bool = False
    stdin_open: bool = False
    stdin_once: bool = False
    annotations: dict[str, str] = {}
    sandbox_key: str = ""


class Launched(msgspec.Struct, frozen=True, kw_only=True):
    pid: int
    pid_start: int  # see ContainerRecord.pid_start
    monitor_pid: int


class Exit(msgspec.Struct, frozen=True, kw_only=True):
    """`at_ns` is when the monitor saw the end (the exit file's time), right also for exits that happened while no engine ran."""

    container_id: ContainerId
    code: int
    at_ns: int
    oom_killed: bool = False


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """What is really there of a container, found after a restart of the engine.

    `alive` is true if the recorded process still exists; `exit` is set if an exit file lies there; `remains` if any of monitor,
    runtime state, cgroup or bundle exist and `delete` is owed.
    """

    alive: bool
    paused: bool
    exit: Exit | None
    remains: bool
    pid: int = 0
    pid_start: int = 0
    monitor_pid: int = 0


class RuntimeInfo(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    path: str
    version: str
    commit: str = ""
    features: JsonObject = {}


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """One sample.  Counters in nanoseconds, bytes or counts, as named; `memory_stats` keeps the kernel's own keys."""

    at_ns: int
    cgroup_version: int
    cpu_total_ns: int
    cpu_user_ns: int
    cpu_system_ns: int
    per_cpu_ns: list[int]
    throttling_periods: int
    throttled_periods: int
    throttled_ns: int
    system_cpu_ns: int
    online_cpus: int
    memory_usage_bytes: int
    memory_max_usage_bytes: int
    memory_limit_bytes: int
    memory_failcnt: int
    memory_stats: dict[str, int]
    pids_current: int
    pids_limit: int
    blkio: dict[str, list[tuple[int, int, str, int]]]  # name -> (major, minor, op, value)
    networks: dict[str, dict[str, int]] | None = None


class RuntimeDriver(Protocol):
    async def open(self, on_exit: Callable[[Exit], None]) -> None:
        """Make the driver's directories and watch exit files.

        `on_exit` is called on the loop, once for every exit seen from now on (also for containers launched by an engine before this
        one).  Exits that happened before are found by `observe`.
        """

    async def close(self) -> None:
        """Stop watching; containers and monitors go on."""

    async def infos(self) -> Sequence[RuntimeInfo]:
        """The runtimes that are there; cached."""

    async def monitor_version(self) -> str: ...

    async def init_version(self) -> str:
        """The init of `--init`; empty when none is installed."""

    async def create(self, launch: Launch) -> Launched:
        """Set up monitor, namespaces, cgroup and the init process, which waits for `start`.

        Raises StartFailed with Docker's exit code and text (126, 127, 128); nothing is left behind then.
        """

    async def start(self, container_id: ContainerId) -> None:
        """Let the created process go.  Raises StartFailed."""

    async def signal(self, container_id: ContainerId, pid: int, signal: int) -> None:
        """To the init process.  Raises Conflict if it is gone."""

    async def pause(self, container_id: ContainerId) -> None:
        """Freeze the cgroup; returns when it is frozen."""

    async def resume(self, container_id: ContainerId) -> None: ...

    async def delete(self, container_id: ContainerId) -> None:
        """Kill what is left of it and remove runtime state, cgroup, bundle and exit file.  Nothing there: not an error."""

    async def observe(self, container_id: ContainerId, pid: int, pid_start: int) -> Observation: ...

    async def leftovers(self) -> Sequence[ContainerId]:
        """Ids of which something exists (bundle, cgroup, runtime state), recorded or not."""

    async def processes(self, container_id: ContainerId) -> Sequence[int]:
        """Host pids of everything in the container's cgroup."""

    async def top(self, pids: Sequence[int], ps_args: str) -> tuple[list[str], list[list[str]]]:
        """Titles and rows of the host's `ps` for these pids.  Raises InvalidParameter for arguments ps refuses."""

    async def update(self, container_id: ContainerId, resources: HostConfig) -> None:
        """Write the resource part of `resources` to the cgroup, now.  Nothing is done if the container has just ended."""

    async def reopen_log(self, container_id: ContainerId, path: str, renamed_to: str, *, is_told: bool | None) -> bool:
        """Its log, which it was given at `path`, was renamed to `renamed_to`: have the monitor begin a new file at `path`.

        True when it writes that; False when it has yet to see that it is to (a client holds it up), and the call is to be repeated.
        `is_told`: whether it was told of this renaming before; None where that is not known, since another engine has renamed it.
        What it writes meanwhile goes to the old file: nothing is lost, whoever dies when.

        Raises:
            Conflict: the container does not run.
        """

    async def stats(self, container_id: ContainerId, pid: int) -> Stats: ...
