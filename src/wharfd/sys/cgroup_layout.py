"""Which cgroup hierarchies this host has, where they are mounted, and what they can do.

    unified   cgroup v2 alone
    hybrid    v1 controllers, and an (empty) v2 tree beside them
    legacy    v1 alone

A v1 controller is named as in /proc/cgroups; the hierarchy without controllers that systemd keeps is "name=systemd".
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from wharfd.sys.mountinfo import MountEntry, mountinfo

_ROOT = "/sys/fs/cgroup"
_V1_CONTROLLERS = frozenset(
    (
        "blkio",
        "cpu",
        "cpuacct",
        "cpuset",
        "devices",
        "freezer",
        "hugetlb",
        "memory",
        "misc",
        "net_cls",
        "net_prio",
        "perf_event",
        "pids",
        "rdma",
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CgroupLayout:
    """`hierarchies` maps v1 controllers to mount points (empty when unified); `unified` is where cgroup v2 is mounted, if it is."""

    mode: Literal["unified", "hybrid", "legacy"]
    unified: str | None
    hierarchies: Mapping[str, str]

    @property
    def version(self) -> Literal[1, 2]:
        """The version that has the controllers."""
        return 2 if self.mode == "unified" else 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CgroupFacts:
    """What can be limited here.  Names follow the fields of the engine's /info."""

    version: Literal[1, 2]
    mode: Literal["unified", "hybrid", "legacy"]
    controllers: frozenset[str]
    memory_limit: bool
    memory_reservation: bool
    swap_limit: bool
    swappiness: bool
    oom_kill_disable: bool
    kernel_memory_tcp: bool
    cpu_shares: bool
    cpu_cfs_period: bool
    cpu_cfs_quota: bool
    cpu_realtime: bool
    cpuset: bool
    pids_limit: bool
    blkio_weight: bool
    blkio_weight_device: bool
    blkio_throttle: bool
    hugetlb: bool
    freezer: bool
    devices: bool


def detect_layout() -> CgroupLayout:
    """Raises FileNotFoundError when no cgroup file system is mounted."""
    return layout_from_mounts(mountinfo())


def layout_from_mounts(entries: Iterable[MountEntry]) -> CgroupLayout:
    """Of several mounts of one hierarchy those below /sys/fs/cgroup count first, then the earlier ones."""
    unified: str | None = None
    hierarchies: dict[str, str] = {}
    ordered = sorted(entries, key=lambda e: not _is_standard(e.mount_point))
    for entry in ordered:
        if entry.fs_type == "cgroup2":
            unified = unified or entry.mount_point
        elif entry.fs_type == "cgroup":
            for option in entry.super_options:
                if option in _V1_CONTROLLERS or option.startswith("name="):
                    hierarchies.setdefault(option, entry.mount_point)
    if unified == _ROOT or (unified and not _V1_CONTROLLERS & hierarchies.keys()):
        return CgroupLayout(mode="unified", unified=unified, hierarchies={})
    if not hierarchies:
        raise FileNotFoundError("no cgroup file system is mounted")
    return CgroupLayout(mode="hybrid" if unified else "legacy", unified=unified, hierarchies=hierarchies)


def cgroup_paths(pid: int | None = None) -> dict[str, str]:
    """The cgroups of a process (ours by default): v1 controller -> path, and "" -> path for v2."""
    name = "self" if pid is None else str(pid)
    with open(f"/proc/{name}/cgroup") as f:
        return parse_cgroup_paths(f.read())


def parse_cgroup_paths(text: str) -> dict[str, str]:
    """/proc/PID/cgroup: lines of "number:controllers:path"."""
    paths: dict[str, str] = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            # Linux: a process in a removed cgroup shows it so.
            paths[controller] = path.removesuffix(" (deleted)")
    return paths


def cgroup_facts(layout: CgroupLayout) -> CgroupFacts:
    """Read from the hierarchies' files; the controllers of v2 are those of its root."""
    return _facts_v2(layout) if layout.version == 2 else _facts_v1(layout)


def _facts_v1(layout: CgroupLayout) -> CgroupFacts:
    samples = {controller: _samples(point) for controller, point in layout.hierarchies.items()}

    def has(file: str) -> bool:
        return any(os.path.exists(f"{d}/{file}") for d in samples.get(file.partition(".")[0], ()))

    return CgroupFacts(
        version=1,
        mode=layout.mode,
        controllers=frozenset(c for c in layout.hierarchies if not c.startswith("name=")),
        memory_limit=has("memory.limit_in_bytes"),
        memory_reservation=has("memory.soft_limit_in_bytes"),
        swap_limit=has("memory.memsw.limit_in_bytes"),
        swappiness=has("memory.swappiness"),
        oom_kill_disable=has("memory.oom_control"),
        kernel_memory_tcp=has("memory.kmem.tcp.limit_in_bytes"),
        cpu_shares=has("cpu.shares"),
        cpu_cfs_period=has("cpu.cfs_period_us"),
        cpu_cfs_quota=has("cpu.cfs_quota_us"),
        cpu_realtime=has("cpu.rt_runtime_us"),
        cpuset=has("cpuset.cpus"),
        pids_limit="pids" in layout.hierarchies,
        blkio_weight=has("blkio.weight") or has("blkio.bfq.weight"),
        blkio_weight_device=has("blkio.weight_device") or has("blkio.bfq.weight_device"),
        blkio_throttle=has("blkio.throttle.read_bps_device"),
        hugetlb="hugetlb" in layout.hierarchies,
        freezer="freezer" in layout.hierarchies,
        devices="devices" in layout.hierarchies,
    )


def _facts_v2(layout: CgroupLayout) -> CgroupFacts:
    root = layout.unified or _ROOT
    with open(f"{root}/cgroup.controllers") as f:
        controllers = frozenset(f.read().split())
    # The root has other files than the cgroups below it.
    samples = [d for d in _samples(root, cgroup_paths().get("", "/")) if d != root]

    def has(file: str, *, otherwise: bool) -> bool:
        """Whether cgroups have the file; `otherwise` where none has the controller switched on, so that nothing can be seen."""
        controller = file.partition(".")[0]
        if controller not in controllers:
            return False
        telling = [d for d in samples if os.path.exists(f"{d}/{_always_there(controller)}")]
        return any(os.path.exists(f"{d}/{file}") for d in telling) if telling else otherwise

    # Weights need a scheduler or cost model that few hosts have, the others are in every distribution's kernel.
    weights = has("io.weight", otherwise=False) or has("io.bfq.weight", otherwise=False)
    cpu = "cpu" in controllers
    return CgroupFacts(
        version=2,
        mode=layout.mode,
        controllers=controllers,
        memory_limit="memory" in controllers,
        memory_reservation="memory" in controllers,
        swap_limit=has("memory.swap.max", otherwise=True),
        swappiness=False,
        oom_kill_disable=False,
        kernel_memory_tcp=False,
        cpu_shares=cpu,
        cpu_cfs_period=cpu,
        cpu_cfs_quota=cpu,
        cpu_realtime=False,
        cpuset="cpuset" in controllers,
        pids_limit="pids" in controllers,
        blkio_weight=weights,
        blkio_weight_device=weights,
        blkio_throttle=has("io.max", otherwise=True),
        hugetlb="hugetlb" in controllers,
        # Linux: part of v2 itself since 5.2; devices are filtered by BPF programs.
        freezer=True,
        devices=True,
    )


def _always_there(controller: str) -> str:
    """A file that every non-root v2 cgroup with the controller has."""
    return {"memory": "memory.max", "io": "io.stat"}.get(controller, f"{controller}.max")


def _samples(mount_point: str, own: str = "/") -> list[str]:
    """Directories whose files tell what exists: many files are missing in the root.  Own cgroup, some children, the root."""
    found = [mount_point + own] if own != "/" else []
    try:
        with os.scandir(mount_point) as entries:
            found += [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []
    return [*found, mount_point]


def _is_standard(mount_point: str) -> bool:
    return mount_point == _ROOT or mount_point.startswith(_ROOT + "/")
