"""Port: facts about this machine, read once or when asked."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from wharfd.wire.cdi import CdiSpec


class HostFacts(msgspec.Struct, frozen=True, kw_only=True):
    """As `/info` and `/version` tell them.  `architecture` as uname says (x86_64), `go_arch` as images say (amd64)."""

    hostname: str
    kernel_version: str
    operating_system: str
    os_version: str
    os_type: str
    architecture: str
    go_arch: str
    variant: str
    ncpu: int
    memory_bytes: int
    cgroup_version: int
    cgroup_driver: str  # cgroupfs, systemd
    cgroup_controllers: list[str]
    memory_limit: bool
    swap_limit: bool
    kernel_memory_tcp: bool
    cpu_cfs_period: bool
    cpu_cfs_quota: bool
    cpu_shares: bool
    cpuset: bool
    pids_limit: bool
    blkio_weight: bool
    oom_kill_disable: bool
    memory_swappiness: bool
    memory_reservation: bool
    cpu_realtime: bool
    ipv4_forwarding: bool
    apparmor: bool
    selinux: bool
    seccomp: bool
    seccomp_profile: str  # where the default profile was read: a path, or "builtin"
    capabilities: list[str]  # effective ones of the engine; a container cannot be given more
    can_raise_rlimits: bool  # CAP_SYS_RESOURCE
    cpuset_cpus: str = ""  # what the kernel lets us use, e.g. "0-1"
    cpuset_mems: str = ""
    free_memory_bytes: int = 0
    apparmor_profile: str = ""  # of containers that ask for none; empty: none could be loaded
    hard_limits: dict[str, int] = {}  # "nofile" -> the engine's own hard limit, -1 unlimited; absent: unlimited


class HostDevice(msgspec.Struct, frozen=True, kw_only=True):
    """A device node of this host.  `type` is c, b or p; `mode` holds the permission bits."""

    path: str
    type: str
    major: int
    minor: int
    mode: int
    uid: int = 0
    gid: int = 0


class Host(Protocol):
    def facts(self) -> HostFacts: ...

    def open_files(self) -> int:
        """File descriptors that the engine holds now (`NFd` of /info)."""

    def seccomp_profile_document(self) -> bytes | None:
        """The default profile, as JSON: the settings' or the distribution's; None where the settings ask for none.

        Raises Unavailable: it cannot be read.
        """

    def read_text(self, path: str) -> str | None:
        """A small file of the host (/etc/resolv.conf, a user's seccomp profile, /etc/localtime's zone); None if absent."""

    def cdi_specs(self) -> Sequence[CdiSpec]:
        """Specifications of vendors' devices that are there now; of two that name a device the later one wins."""

    def devices(self, path: str) -> Sequence[HostDevice]:
        """The device at `path` (links followed), or all below it if it is a directory, ordered by path.

        Below /dev left out, as dockerd does: pts, shm, fd, mqueue, .lxc, .lxd-mounts, .udev, and console.  Nothing there, or no
        device: empty.
        """
