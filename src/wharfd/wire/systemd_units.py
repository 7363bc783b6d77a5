"""Limits of a container as properties of its systemd scope.

systemd writes its own idea of a unit's limits into the cgroup whenever it reloads, so that limits it was not told of are lost then.

    scope_properties(resources)          # {"MemoryMax": 67108864, "TasksMax": 20}: of an OCI `linux.resources` document
    property_annotations(properties)     # for the OCI runtime, which makes the scope
    property_words(properties)           # for `systemctl set-property`

Source: systemd.resource-control(5), org.freedesktop.systemd1(5).
"""

from collections.abc import Mapping

from wharfd.model.json import JsonObject
from wharfd.wire.resources import cgroup2_writes

ANNOTATION = "org.systemd.property."
INFINITY = 2**64 - 1
DEFAULT_PERIOD_US = 100_000
_PLAIN = {
    "memory.max": "MemoryMax",
    "memory.swap.max": "MemorySwapMax",
    "memory.low": "MemoryLow",
    "pids.max": "TasksMax",
    "cpu.weight": "CPUWeight",
}


def scope_properties(resources: JsonObject) -> dict[str, int]:
    """Numbers by property; what systemd does not write by itself is left out (cpusets, devices, block I/O of none it was told of)."""
    found: dict[str, int] = {}
    for write in cgroup2_writes(resources):
        if write.file in _PLAIN:
            found[_PLAIN[write.file]] = INFINITY if write.value == "max" else int(write.value)
        elif write.file == "cpu.max":
            quota, _, period = write.value.partition(" ")
            period_us = int(period or DEFAULT_PERIOD_US)
            found["CPUQuotaPerSecUSec"] = INFINITY if quota == "max" else int(quota) * 1_000_000 // period_us
            found["CPUQuotaPeriodUSec"] = period_us
    return found


def property_annotations(properties: Mapping[str, int]) -> dict[str, str]:
    """As GVariant texts."""
    return {f"{ANNOTATION}{name}": f"uint64 {value}" for name, value in properties.items()}


def property_words(properties: Mapping[str, int]) -> list[str]:
    """As a unit file writes them."""
    words = []
    for name, value in properties.items():
        match name:
            case "CPUQuotaPerSecUSec":
                words.append("CPUQuota=" if value == INFINITY else f"CPUQuota={value / 10_000:.2f}%")
            case "CPUQuotaPeriodUSec":
                words.append(f"CPUQuotaPeriodSec={value}us")
            case _:
                words.append(f"{name}={'infinity' if value == INFINITY else value}")
    return words
