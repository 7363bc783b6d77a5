"""Resource limits of a body against this host: what is out of range is refused, what the kernel cannot do is dropped with a warning.

Texts and their order are dockerd's.  Used by create and update.
"""

from typing import Any

import msgspec

from wharfd.model.config import HostConfig
from wharfd.model.errors import InvalidParameter
from wharfd.ports.host import HostFacts

MIN_MEMORY_BYTES = 6 << 20
MAX_CPUSET_NUMBER = 8192
MIN_BLKIO_WEIGHT, MAX_BLKIO_WEIGHT = 10, 1000


def settle_limits(asked: HostConfig, facts: HostFacts, *, is_update: bool = False) -> tuple[HostConfig, list[str]]:
    """The limits that can be kept, and a warning for each that cannot.

    Raises:
        InvalidParameter: a value out of range, or two that exclude each other.
    """
    settled, warnings = settle_memory(asked, facts, is_update)
    for part in (settle_pids, settle_cpu, settle_cpuset, settle_block_io):
        settled, more = part(settled, facts)
        warnings += more
    return settled, warnings


def settle_memory(asked: HostConfig, facts: HostFacts, is_update: bool) -> tuple[HostConfig, list[str]]:
    changes: dict[str, Any] = {}
    warnings = []
    memory, swap, reservation, swappiness = (
        asked.memory,
        asked.memory_swap,
        asked.memory_reservation,
        asked.memory_swappiness,
    )
    if swappiness == -1:  # Docker: as good as not given
        swappiness = None
    if memory and memory < MIN_MEMORY_BYTES:
        raise InvalidParameter("Minimum memory limit allowed is 6MB")
    if memory > 0 and not facts.memory_limit:
        warnings.append(not_supported("memory limit capabilities", "Limitation discarded."))
        memory, swap = 0, -1
    if memory > 0 and swap != -1 and not facts.swap_limit:
        warnings.append(not_supported("swap limit capabilities", "Memory limited without swap."))
        swap = -1
    if 0 < swap < memory:
        raise InvalidParameter("Minimum memoryswap limit should be larger than memory limit, see usage")
    if not memory and swap > 0 and not is_update:
        raise InvalidParameter("You should always set the Memory limit when using Memoryswap limit, see usage")
    if swappiness is not None and not facts.memory_swappiness:
        warnings.append(not_supported("memory swappiness capabilities", "Memory swappiness discarded."))
        swappiness = None
    if swappiness is not None and not 0 <= swappiness <= 100:
        raise InvalidParameter(f"Invalid value: {swappiness}, valid memory swappiness range is 0-100")
    if reservation > 0 and not facts.memory_reservation:
        warnings.append(not_supported("memory soft limit capabilities", "Limitation discarded."))
        reservation = 0
    if 0 < reservation < MIN_MEMORY_BYTES:
        raise InvalidParameter("Minimum memory reservation allowed is 6MB")
    if 0 < memory < reservation:
        raise InvalidParameter("Minimum memory limit can not be less than memory reservation limit, see usage")
    oom = asked.oom_kill_disable
    if oom is not None and not facts.oom_kill_disable:
        if oom:
            warnings.append("Your kernel does not support OomKillDisable. OomKillDisable discarded.")
        oom = None
    if oom and not memory:
        warnings.append(
            "OOM killer is disabled for the container, but no memory limit is set, "
            "this can result in the system running out of resources."
        )
    changes |= {
        "memory": memory,
        "memory_swap": swap,
        "memory_reservation": reservation,
        "memory_swappiness": swappiness,
        "oom_kill_disable": oom,
    }
    return msgspec.structs.replace(asked, **changes), warnings


def settle_pids(asked: HostConfig, facts: HostFacts) -> tuple[HostConfig, list[str]]:
    if asked.pids_limit is None or facts.pids_limit:
        return asked, []
    warnings = []
    if asked.pids_limit > 0:
        warnings.append(not_supported("PIDs limit capabilities", "PIDs limit discarded."))
    return msgspec.structs.replace(asked, pids_limit=None), warnings


def settle_cpu(asked: HostConfig, facts: HostFacts) -> tuple[HostConfig, list[str]]:
    changes: dict[str, Any] = {}
    warnings = []
    has_cfs = facts.cpu_cfs_period and facts.cpu_cfs_quota
    if asked.nano_cpus > 0 and asked.cpu_period > 0:
        raise InvalidParameter("Conflicting options: Nano CPUs and CPU Period cannot both be set")
    if asked.nano_cpus > 0 and asked.cpu_quota > 0:
        raise InvalidParameter("Conflicting options: Nano CPUs and CPU Quota cannot both be set")
    if asked.nano_cpus > 0 and not has_cfs:
        raise InvalidParameter(
            "NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler or the cgroup is not mounted"
        )
    if not 0 <= asked.nano_cpus <= facts.ncpu * 10**9:
        raise InvalidParameter(
            f"range of CPUs is from 0.01 to {facts.ncpu}.00, as there are only {facts.ncpu} CPUs available"
        )
    if asked.cpu_shares > 0 and not facts.cpu_shares:
        warnings.append(not_supported("CPU shares", "Shares discarded."))
        changes["cpu_shares"] = 0
    period, quota = asked.cpu_period, asked.cpu_quota
    if (period or quota) and not has_cfs:
        warnings.append("Your kernel does not support CPU CFS scheduler. CPU period/quota discarded.")
        period = quota = 0
    if period and not 1000 <= period <= 1_000_000:
        raise InvalidParameter("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)")
    if 0 < quota < 1000:
        raise InvalidParameter("CPU cfs quota can not be less than 1ms (i.e. 1000)")
    if asked.cpu_percent > 0:
        warnings.append("linux does not support CPU percent. Percent discarded.")
        changes["cpu_percent"] = 0
    changes |= {"cpu_period": period, "cpu_quota": quota}
    return msgspec.structs.replace(asked, **changes), warnings


def settle_cpuset(asked: HostConfig, facts: HostFacts) -> tuple[HostConfig, list[str]]:
    if not asked.cpuset_cpus and not asked.cpuset_mems:
        return asked, []
    if not facts.cpuset:
        without = msgspec.structs.replace(asked, cpuset_cpus="", cpuset_mems="")
        return without, [not_supported("cpuset", "Cpuset discarded.")]
    check_set(asked.cpuset_cpus, facts.cpuset_cpus, "cpuset cpus", "CPUs")
    check_set(asked.cpuset_mems, facts.cpuset_mems, "cpuset mems", "memory nodes")
    return asked, []


def check_set(asked: str, available: str, field: str, things: str) -> None:
    try:
        wanted = parse_set(asked)
    except InvalidParameter as e:
        raise e.prefixed(f"Invalid value {asked} for {field}: ") from e
    if available and not wanted <= parse_set(available):
        raise InvalidParameter(f"Requested {things} are not available - requested {asked}, available: {available}")


def parse_set(text: str) -> frozenset[int]:
    """The numbers of a list like `0-2,7` (Linux: "List format" of cpuset(7))."""
    numbers: set[int] = set()
    for part in text.split(",") if text else ():
        first, dash, last = part.strip().partition("-")
        if not is_number(first) or (dash and (not is_number(last) or int(last) < int(first))):
            raise InvalidParameter(f"invalid format: {text}")
        if int(last or first) >= MAX_CPUSET_NUMBER:
            raise InvalidParameter(f"value of out range, maximum is {MAX_CPUSET_NUMBER}")
        numbers.update(range(int(first), int(last or first) + 1))
    return frozenset(numbers)


def is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 18


def settle_block_io(asked: HostConfig, facts: HostFacts) -> tuple[HostConfig, list[str]]:
    changes: dict[str, Any] = {}
    warnings = []
    weight = asked.blkio_weight
    if weight and not facts.blkio_weight:
        warnings.append(not_supported("Block I/O weight", "Weight discarded."))
        weight = changes["blkio_weight"] = 0
    if weight and not MIN_BLKIO_WEIGHT <= weight <= MAX_BLKIO_WEIGHT:
        raise InvalidParameter("Range of blkio weight is from 10 to 1000")
    if asked.blkio_weight_device and not facts.blkio_weight:
        warnings.append(not_supported("Block I/O weight_device", "Weight-device discarded."))
        changes["blkio_weight_device"] = []
    return msgspec.structs.replace(asked, **changes), warnings


def not_supported(what: str, consequence: str) -> str:
    return f"Your kernel does not support {what} or the cgroup is not mounted. {consequence}"
