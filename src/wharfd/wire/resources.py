"""Resource limits in their three spellings: Docker's `HostConfig`, the OCI runtime spec's `linux.resources`, and the files of cgroups.

    oci_resources    HostConfig            -> linux.resources (without the device rules, which the plan makes)
    cgroup1_writes   linux.resources       -> files of the v1 hierarchies, in the order in which they are to be written
    cgroup2_writes   linux.resources       -> files of the one v2 directory

A limit that was not asked for (0, empty, null) draws no entry and no file: writing nothing leaves what is there, which is what an
update means by it.  Bytes, microseconds and counts as in the formats themselves.  Sources: OCI runtime spec "Control groups", the
kernel's admin-guide/cgroup-v1 and admin-guide/cgroup-v2.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from wharfd.model.config import HostConfig, ThrottleDevice
from wharfd.model.errors import InvalidParameter
from wharfd.model.json import JsonObject

DeviceNumber = Callable[[str], tuple[int, int] | None]  # a block device's path -> (major, minor); None if it is none

CPU_PERIOD_US = 100_000

_THROTTLES = (
    ("throttleReadBpsDevice", "blkio.throttle.read_bps_device", "rbps"),
    ("throttleWriteBpsDevice", "blkio.throttle.write_bps_device", "wbps"),
    ("throttleReadIOPSDevice", "blkio.throttle.read_iops_device", "riops"),
    ("throttleWriteIOPSDevice", "blkio.throttle.write_iops_device", "wiops"),
)


class Write(NamedTuple):
    """One file to be written.  `controller` names the v1 hierarchy; on v2 it is empty.

    Of several writes with the same `either` one must succeed (a kernel offers one of two names).
    """

    controller: str
    file: str
    value: str
    either: str = ""


def oci_resources(asked: HostConfig, device_number: DeviceNumber) -> JsonObject:
    """`linux.resources` for these limits.

    Raises:
        InvalidParameter: a block device that is none.
    """
    resources: JsonObject = {}
    for name, part in (
        ("memory", _memory(asked)),
        ("cpu", _cpu(asked)),
        ("pids", _pids(asked)),
        ("blockIO", _block_io(asked, device_number)),
    ):
        if part:
            resources[name] = part
    return resources


def _memory(asked: HostConfig) -> JsonObject:
    memory: JsonObject = {}
    if asked.memory > 0:
        memory["limit"] = asked.memory
    if asked.memory_reservation > 0:
        memory["reservation"] = asked.memory_reservation
    # Docker: no swap limit given means as much swap as memory; -1 means as much as the host has.
    swap = asked.memory_swap or (2 * asked.memory if asked.memory > 0 else 0)
    if swap:
        memory["swap"] = swap
    if asked.memory_swappiness is not None and asked.memory_swappiness >= 0:
        memory["swappiness"] = asked.memory_swappiness
    if asked.oom_kill_disable:
        memory["disableOOMKiller"] = True
    return memory


def _cpu(asked: HostConfig) -> JsonObject:
    cpu: JsonObject = {}
    if asked.cpu_shares > 0:
        cpu["shares"] = asked.cpu_shares
    if asked.nano_cpus > 0:
        cpu["period"] = CPU_PERIOD_US
        cpu["quota"] = asked.nano_cpus * CPU_PERIOD_US // 1_000_000_000
    if asked.cpu_period:
        cpu["period"] = asked.cpu_period
    if asked.cpu_quota:
        cpu["quota"] = asked.cpu_quota
    if asked.cpu_realtime_period:
        cpu["realtimePeriod"] = asked.cpu_realtime_period
    if asked.cpu_realtime_runtime:
        cpu["realtimeRuntime"] = asked.cpu_realtime_runtime
    if asked.cpuset_cpus:
        cpu["cpus"] = asked.cpuset_cpus
    if asked.cpuset_mems:
        cpu["mems"] = asked.cpuset_mems
    return cpu


def _pids(asked: HostConfig) -> JsonObject:
    # Docker: -1 means unlimited, 0 and null mean "not asked for".
    if not asked.pids_limit:
        return {}
    return {"limit": asked.pids_limit if asked.pids_limit > 0 else -1}


def _block_io(asked: HostConfig, device_number: DeviceNumber) -> JsonObject:
    block_io: JsonObject = {}
    if asked.blkio_weight:
        block_io["weight"] = asked.blkio_weight
    weights = []
    for weighted in asked.blkio_weight_device or ():
        major, minor = _numbered(weighted.path, device_number)
        weights.append({"major": major, "minor": minor, "weight": weighted.weight})
    if weights:
        block_io["weightDevice"] = weights
    throttled: Sequence[list[ThrottleDevice] | None] = (
        asked.blkio_device_read_bps,
        asked.blkio_device_write_bps,
        asked.blkio_device_read_iops,
        asked.blkio_device_write_iops,
    )
    for (key, _, _), devices in zip(_THROTTLES, throttled, strict=True):
        entries = []
        for device in devices or ():
            major, minor = _numbered(device.path, device_number)
            entries.append({"major": major, "minor": minor, "rate": device.rate})
        if entries:
            block_io[key] = entries
    return block_io


def _numbered(path: str, device_number: DeviceNumber) -> tuple[int, int]:
    number = device_number(path)
    if number is None:
        raise InvalidParameter(f"{path} is not a block device")
    return number


# --- cgroup v1


def cgroup1_writes(resources: Mapping[str, object]) -> list[Write]:
    """The files of the v1 hierarchies.

    Linux: memsw must not be below the memory limit at any moment, and a quota must fit its period: where the order that is right for
    setting is wrong for changing, the writer tries again after the others.
    """
    doc: JsonObject = dict(resources)
    memory, cpu, block_io = doc.get("memory") or {}, doc.get("cpu") or {}, doc.get("blockIO") or {}
    writes = _plain(
        "memory",
        memory,
        (
            ("limit", "memory.limit_in_bytes"),
            ("swap", "memory.memsw.limit_in_bytes"),
            ("reservation", "memory.soft_limit_in_bytes"),
            ("kernelTCP", "memory.kmem.tcp.limit_in_bytes"),
            ("swappiness", "memory.swappiness"),
        ),
    )
    if memory.get("disableOOMKiller"):
        writes.append(Write("memory", "memory.oom_control", "1"))
    writes += _plain(
        "cpu",
        cpu,
        (
            ("shares", "cpu.shares"),
            ("period", "cpu.cfs_period_us"),
            ("quota", "cpu.cfs_quota_us"),
            ("realtimePeriod", "cpu.rt_period_us"),
            ("realtimeRuntime", "cpu.rt_runtime_us"),
        ),
    )
    writes += _plain("cpuset", cpu, (("cpus", "cpuset.cpus"), ("mems", "cpuset.mems")))
    if "limit" in (doc.get("pids") or {}):
        writes.append(Write("pids", "pids.max", _maximum(doc["pids"]["limit"])))
    if "weight" in block_io:
        weight = str(block_io["weight"])
        writes.append(Write("blkio", "blkio.weight", weight, either="weight"))
        writes.append(Write("blkio", "blkio.bfq.weight", weight, either="weight"))
    for entry in block_io.get("weightDevice") or ():
        value = f"{entry['major']}:{entry['minor']} {entry['weight']}"
        either = f"weight {entry['major']}:{entry['minor']}"
        writes.append(Write("blkio", "blkio.weight_device", value, either=either))
        writes.append(Write("blkio", "blkio.bfq.weight_device", value, either=either))
    for key, file, _ in _THROTTLES:
        for entry in block_io.get(key) or ():
            writes.append(Write("blkio", file, f"{entry['major']}:{entry['minor']} {entry['rate']}"))
    return writes


def cgroup1_device_writes(rules: Sequence[Mapping[str, object]]) -> list[Write]:
    """`linux.resources.devices` as writes to the v1 device controller, in order: the last rule that fits decides."""
    writes = []
    for rule in rules:
        kind = str(rule.get("type") or "a")
        major, minor = (_number_or_star(rule.get(key)) for key in ("major", "minor"))
        value = "a" if kind == "a" and (major, minor) == ("*", "*") else f"{kind} {major}:{minor}"
        if value != "a":
            value += f" {rule.get('access') or 'rwm'}"
        writes.append(Write("devices", "devices.allow" if rule.get("allow") else "devices.deny", value))
    return writes


def _number_or_star(number: object) -> str:
    return "*" if number is None or number == -1 else str(number)


def _plain(controller: str, part: JsonObject, files: Sequence[tuple[str, str]]) -> list[Write]:
    return [Write(controller, file, str(part[key])) for key, file in files if key in part]


# --- cgroup v2


def cgroup2_writes(resources: Mapping[str, object]) -> list[Write]:
    """The files of a v2 directory.  What v2 has no word for (swappiness, switching the OOM killer off, real time) is left out."""
    doc: JsonObject = dict(resources)
    memory, cpu, block_io = doc.get("memory") or {}, doc.get("cpu") or {}, doc.get("blockIO") or {}
    writes = []
    if "limit" in memory:
        writes.append(Write("", "memory.max", _maximum(memory["limit"])))
    if "swap" in memory:
        writes.append(Write("", "memory.swap.max", _swap_maximum(memory["swap"], memory.get("limit", 0))))
    if "reservation" in memory:
        writes.append(Write("", "memory.low", str(memory["reservation"])))
    if "shares" in cpu:
        writes.append(Write("", "cpu.weight", str(cpu_weight(cpu["shares"]))))
    if "quota" in cpu or "period" in cpu:
        quota = cpu.get("quota", 0)
        # Linux: a quota alone leaves the period as it is.
        period = f" {cpu['period']}" if cpu.get("period") else ""
        writes.append(Write("", "cpu.max", f"{quota if quota > 0 else 'max'}{period}"))
    writes += _plain("", cpu, (("cpus", "cpuset.cpus"), ("mems", "cpuset.mems")))
    if "limit" in (doc.get("pids") or {}):
        writes.append(Write("", "pids.max", _maximum(doc["pids"]["limit"])))
    if "weight" in block_io:
        weight = block_io["weight"]
        writes.append(Write("", "io.bfq.weight", str(weight), either="weight"))
        writes.append(Write("", "io.weight", f"default {io_weight(weight)}", either="weight"))
    for entry in block_io.get("weightDevice") or ():
        device = f"{entry['major']}:{entry['minor']}"
        writes.append(Write("", "io.bfq.weight", f"{device} {entry['weight']}", either=f"weight {device}"))
        writes.append(Write("", "io.weight", f"{device} {io_weight(entry['weight'])}", either=f"weight {device}"))
    for key, _, word in _THROTTLES:
        for entry in block_io.get(key) or ():
            writes.append(Write("", "io.max", f"{entry['major']}:{entry['minor']} {word}={entry['rate'] or 'max'}"))
    return writes


def cpu_weight(shares: int) -> int:
    """v1 shares (2 to 262144) on v2's scale (1 to 10000), linearly, as the runtimes of that time do."""
    return 1 + (min(max(shares, 2), 262_144) - 2) * 9999 // 262_142


def io_weight(weight: int) -> int:
    """A v1 block weight (10 to 1000) on v2's scale (1 to 10000)."""
    return 1 + (min(max(weight, 10), 1000) - 10) * 9999 // 990


def _maximum(limit: int) -> str:
    return "max" if limit < 0 else str(limit)


def _swap_maximum(swap: int, limit: int) -> str:
    # OCI counts memory and swap together, v2 counts swap alone.
    return "max" if swap < 0 else str(max(swap - limit, 0))
