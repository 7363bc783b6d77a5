"""One sample of a container's counters from its cgroup's files and /proc.  Nanoseconds, bytes and counts, as `ports.runtime.Stats` says."""

import os

from wharfd.ports.runtime import Stats
from wharfd.sys import clock
from wharfd.sys.cgroup import Cgroup, parse_flat, parse_nested

_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_V1_UNLIMITED = 1 << 62  # Linux: "no limit" is the largest multiple of a page below 2**63
Blkio = dict[str, list[tuple[int, int, str, int]]]


def sample(cgroup: Cgroup) -> Stats:
    """Blocks for some file reads.  Files that the host does not have count as zero."""
    return _sample_v2(cgroup) if cgroup.layout.version == 2 else _sample_v1(cgroup)


def _sample_v2(cgroup: Cgroup) -> Stats:
    system_ns, cpus = system_cpu()
    cpu = parse_flat(_read(cgroup, "cpu.stat"))
    events = parse_flat(_read(cgroup, "memory.events"))
    return Stats(
        at_ns=clock.now_ns(),
        cgroup_version=2,
        cpu_total_ns=cpu.get("usage_usec", 0) * 1000,
        cpu_user_ns=cpu.get("user_usec", 0) * 1000,
        cpu_system_ns=cpu.get("system_usec", 0) * 1000,
        per_cpu_ns=[],
        throttling_periods=cpu.get("nr_periods", 0),
        throttled_periods=cpu.get("nr_throttled", 0),
        throttled_ns=cpu.get("throttled_usec", 0) * 1000,
        system_cpu_ns=system_ns,
        online_cpus=cpus,
        memory_usage_bytes=_number(_read(cgroup, "memory.current")),
        memory_max_usage_bytes=0,
        memory_limit_bytes=_number(_read(cgroup, "memory.max")) or host_memory(),
        memory_failcnt=events.get("max", 0),
        memory_stats=parse_flat(_read(cgroup, "memory.stat")),
        pids_current=_number(_read(cgroup, "pids.current")),
        pids_limit=_number(_read(cgroup, "pids.max")),
        blkio=blkio_v2(_read(cgroup, "io.stat")),
    )


def _sample_v1(cgroup: Cgroup) -> Stats:
    system_ns, cpus = system_cpu()
    times = parse_flat(_read(cgroup, "cpuacct.stat"))
    throttling = parse_flat(_read(cgroup, "cpu.stat"))
    limit = _number(_read(cgroup, "memory.limit_in_bytes"))
    return Stats(
        at_ns=clock.now_ns(),
        cgroup_version=1,
        cpu_total_ns=_number(_read(cgroup, "cpuacct.usage")),
        cpu_user_ns=times.get("user", 0) * _TICK_NS,
        cpu_system_ns=times.get("system", 0) * _TICK_NS,
        per_cpu_ns=[int(word) for word in _read(cgroup, "cpuacct.usage_percpu").split()],
        throttling_periods=throttling.get("nr_periods", 0),
        throttled_periods=throttling.get("nr_throttled", 0),
        throttled_ns=throttling.get("throttled_time", 0),
        system_cpu_ns=system_ns,
        online_cpus=cpus,
        memory_usage_bytes=_number(_read(cgroup, "memory.usage_in_bytes")),
        memory_max_usage_bytes=_number(_read(cgroup, "memory.max_usage_in_bytes")),
        memory_limit_bytes=limit if 0 < limit < _V1_UNLIMITED else host_memory(),
        memory_failcnt=_number(_read(cgroup, "memory.failcnt")),
        memory_stats=parse_flat(_read(cgroup, "memory.stat")),
        pids_current=_number(_read(cgroup, "pids.current")),
        pids_limit=_number(_read(cgroup, "pids.max")),
        blkio=_blkio_v1(cgroup),
    )


def blkio_v2(io_stat: str) -> Blkio:
    """`io.stat` under the names of v1, as dockerd gives them."""
    sizes: list[tuple[int, int, str, int]] = []
    counts: list[tuple[int, int, str, int]] = []
    for device, values in parse_nested(io_stat).items():
        major, _, minor = device.partition(":")
        if not (major.isdigit() and minor.isdigit()):
            continue
        for rows, names in ((sizes, ("rbytes", "wbytes")), (counts, ("rios", "wios"))):
            for name, operation in zip(names, ("read", "write"), strict=True):
                if name in values:
                    rows.append((int(major), int(minor), operation, values[name]))
    return {"io_service_bytes_recursive": sizes, "io_serviced_recursive": counts}


_BLKIO_FILES = {
    "io_service_bytes_recursive": ("blkio.bfq.io_service_bytes_recursive", "blkio.throttle.io_service_bytes_recursive"),
    "io_serviced_recursive": ("blkio.bfq.io_serviced_recursive", "blkio.throttle.io_serviced_recursive"),
    "io_queue_recursive": ("blkio.io_queued_recursive",),
    "io_service_time_recursive": ("blkio.io_service_time_recursive",),
    "io_wait_time_recursive": ("blkio.io_wait_time_recursive",),
    "io_merged_recursive": ("blkio.io_merged_recursive",),
    "io_time_recursive": ("blkio.time_recursive",),
    "sectors_recursive": ("blkio.sectors_recursive",),
}


def _blkio_v1(cgroup: Cgroup) -> Blkio:
    found: Blkio = {}
    for name, files in _BLKIO_FILES.items():
        # Which of the two counts depends on the block device's scheduler; the other one stays empty.
        found[name] = next((rows for file in files if (rows := blkio_rows(_read(cgroup, file)))), [])
    return found


def blkio_rows(text: str) -> list[tuple[int, int, str, int]]:
    """Lines of `major:minor Operation number`, or `major:minor number`; the grand total at the end is left out."""
    rows = []
    for line in text.splitlines():
        words = line.split()
        major, _, minor = words[0].partition(":") if words else ("", "", "")
        if major.isdigit() and minor.isdigit() and words[-1].isdigit():
            rows.append((int(major), int(minor), words[1] if len(words) == 3 else "", int(words[-1])))
    return rows


def system_cpu() -> tuple[int, int]:
    """What all processors together have spent (idle time included), in nanoseconds, and how many there are."""
    with open("/proc/stat") as f:
        return parse_system_cpu(f.read())


def parse_system_cpu(text: str) -> tuple[int, int]:
    total, cpus = 0, 0
    for line in text.splitlines():
        words = line.split()
        if not words or not words[0].startswith("cpu"):
            continue
        if words[0] == "cpu":
            # Docker: user, nice, system, idle, iowait, irq, softirq.
            total = sum(int(word) for word in words[1:8]) * _TICK_NS
        else:
            cpus += 1
    return total, cpus


def host_memory() -> int:
    """All memory of this machine: what an unlimited container is limited by."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _read(cgroup: Cgroup, file: str) -> str:
    try:
        return cgroup.read(file)
    except OSError:
        return ""


def _number(text: str) -> int:
    """0 for "max" and for nothing."""
    return int(text) if text.isdecimal() else 0
