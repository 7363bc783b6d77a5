"""The record of a container: what it is, and the state in which it was last known to be.

A record is immutable; a change makes a new one (`msgspec.structs.replace`) that takes the old one's place in one assignment and in
one SQLite transaction.  Times are nanoseconds since the epoch, 0 for what never happened.
"""

from enum import StrEnum

import msgspec

from wharfd.model.config import ContainerConfig, EndpointSettings, HostConfig
from wharfd.model.ids import ContainerId, Digest, ImageId
from wharfd.model.network import Endpoint


class State(StrEnum):
    """Finer than Docker's: `docker_status` in engine/lifecycle.py maps it to the words clients know."""

    CREATING = "creating"  # being put together; undone by reconcile if the engine dies here; not visible to clients
    CREATED = "created"
    STARTING = "starting"  # undone by reconcile if the engine dies here
    RUNNING = "running"
    PAUSED = "paused"
    RESTARTING = "restarting"  # between an exit and the start that the restart policy asks for
    EXITED = "exited"
    REMOVING = "removing"  # finished by reconcile if the engine dies here
    DEAD = "dead"  # removal failed


class Step(StrEnum):
    """A thing that was set up for a start and is owed to be taken down (the record's `owed`)."""

    RUNTIME = "runtime"  # the OCI runtime's state, conmon, cgroup
    NETWORK = "network"  # endpoints and sandbox
    ROOTFS = "rootfs"  # the mounted root file system


class MountPoint(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """A mount as `inspect` shows it."""

    type: str
    name: str = ""
    source: str = ""
    destination: str
    driver: str = ""
    mode: str = ""
    rw: bool = msgspec.field(default=True, name="RW")
    propagation: str = ""


class MountPart(msgspec.Struct, frozen=True, kw_only=True):
    """Of a mount that shows something else than its source: a part of a volume, or the layers (chain ids, the lowest first) of an
    image or a part of them."""

    subpath: str = ""
    layers: list[str] = []


class Rootfs(msgspec.Struct, frozen=True, kw_only=True):
    """Where a container's root file system lies.  `layers` are chain ids, the lowest first."""

    layers: list[str]
    lower: list[str]  # directories, the uppermost first, as overlayfs wants them
    upper: str
    work: str
    merged: str
    size_bytes: int = 0  # that the writable layer may have; 0: no limit


class HealthResult(msgspec.Struct, frozen=True, kw_only=True):
    start_ns: int
    end_ns: int
    exit_code: int
    output: str


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """`status`: starting, healthy, unhealthy.  The log keeps the last five results."""

    status: str
    failing_streak: int = 0
    log: list[HealthResult] = []


class ContainerRecord(msgspec.Struct, frozen=True, kw_only=True):
    id: ContainerId
    name: str  # without the slash
    created_ns: int
    image_ref: str  # as the client typed it
    image_id: ImageId
    platform: str = "linux"
    architecture: str = ""
    config: ContainerConfig  # merged with the image's
    host_config: HostConfig
    networks: dict[str, EndpointSettings]  # by network name; runtime fields are filled while it runs
    driver: str  # storage driver's name
    rootfs: Rootfs | None = None
    mounts: list[MountPoint] = []
    parts: dict[str, MountPart] = {}  # by destination
    read_only_non_recursive: bool = False  # mounts below a read-only bind stay writable (clients below API 1.44)
    manifest: Digest | None = None  # of the image for this platform
    log_path: str = ""
    # process
    state: State = State.CREATING
    pid: int = 0
    pid_start: int = 0  # start time of `pid` in clock ticks (/proc/PID/stat field 22), tells a recycled pid
    monitor_pid: int = 0  # conmon
    exit_code: int = 0
    error: str = ""
    oom_killed: bool = False
    started_ns: int = 0
    finished_ns: int = 0
    restart_count: int = 0
    manually_stopped: bool = False
    frozen: bool = False  # for the time of a commit; reconcile thaws what an engine left so
    removing_volumes: bool = False  # remove was asked with v=1; reconcile needs it to finish
    health: Health | None = None
    sandbox_id: str = ""  # a new one for each start, kept after the exit
    sandbox_key: str = ""
    endpoints: dict[str, Endpoint] = {}  # by network id: what drivers gave for this run; kept until it is taken back
    asked_macs: dict[
        str, str
    ] = {}  # by network name: addresses that were asked for, since `networks` shows the given ones
    owed: list[Step] = []  # what is set up and must be taken down after the exit
    apparmor_profile: str = ""
    process_label: str = ""
    mount_label: str = ""

    @property
    def path(self) -> str:
        """The program: the first word of entrypoint and command."""
        words = self.command_line
        return words[0] if words else ""

    @property
    def args(self) -> list[str]:
        return self.command_line[1:]

    @property
    def command_line(self) -> list[str]:
        return [*(self.config.entrypoint or []), *(self.config.cmd or [])]

    @property
    def is_running(self) -> bool:
        """A process exists: running or paused."""
        return self.state in (State.RUNNING, State.PAUSED)

    @property
    def is_restarting(self) -> bool:
        """Between two runs: the restart policy's delay goes on, or the start that comes of it."""
        return self.state is State.RESTARTING or (self.state is State.STARTING and self.restart_count > 0)
