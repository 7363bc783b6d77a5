"""A sample of a container's use of resources, in the newest shape."""

from wharfd.engine.containers.stats import Sample
from wharfd.model.json import JsonObject
from wharfd.ports.runtime import Stats
from wharfd.wire.timestamps import format_rfc3339_nano

BLKIO_LISTS = (
    "io_service_bytes_recursive",
    "io_serviced_recursive",
    "io_queue_recursive",
    "io_service_time_recursive",
    "io_wait_time_recursive",
    "io_merged_recursive",
    "io_time_recursive",
    "sectors_recursive",
)


def encode_stats(sample: Sample) -> JsonObject:
    """Docker: `networks` is absent for containers without interfaces of their own."""
    now, before = sample.now, sample.before
    doc: JsonObject = {
        "id": sample.record.id,
        "name": "/" + sample.record.name,
        "os_type": "linux",
        "read": format_rfc3339_nano(now.at_ns if now else 0),
        "preread": format_rfc3339_nano(before.at_ns if before else 0),
        "cpu_stats": encode_cpu(now),
        "precpu_stats": encode_cpu(before),
        "memory_stats": encode_memory(now),
        "pids_stats": encode_pids(now),
        "blkio_stats": encode_blkio(now),
        "num_procs": 0,
        "storage_stats": {},
    }
    if now is not None and now.networks is not None:
        doc["networks"] = now.networks
    return doc


def encode_cpu(stats: Stats | None) -> JsonObject:
    if stats is None:
        return {
            "cpu_usage": {"total_usage": 0, "usage_in_kernelmode": 0, "usage_in_usermode": 0},
            "throttling_data": {"periods": 0, "throttled_periods": 0, "throttled_time": 0},
        }
    usage: JsonObject = {
        "total_usage": stats.cpu_total_ns,
        "usage_in_kernelmode": stats.cpu_system_ns,
        "usage_in_usermode": stats.cpu_user_ns,
    }
    if stats.per_cpu_ns:
        usage["percpu_usage"] = stats.per_cpu_ns
    return {
        "cpu_usage": usage,
        "system_cpu_usage": stats.system_cpu_ns,
        "online_cpus": stats.online_cpus,
        "throttling_data": {
            "periods": stats.throttling_periods,
            "throttled_periods": stats.throttled_periods,
            "throttled_time": stats.throttled_ns,
        },
    }


def encode_memory(stats: Stats | None) -> JsonObject:
    """cgroup v2 knows no highest use and no count of failures of this kind: the keys are absent there, and where the number is 0."""
    if stats is None:
        return {}
    doc: JsonObject = {
        "usage": stats.memory_usage_bytes,
        "stats": stats.memory_stats,
        "limit": stats.memory_limit_bytes,
    }
    if stats.cgroup_version == 1:
        if stats.memory_max_usage_bytes:
            doc["max_usage"] = stats.memory_max_usage_bytes
        if stats.memory_failcnt:
            doc["failcnt"] = stats.memory_failcnt
    return doc


def encode_pids(stats: Stats | None) -> JsonObject:
    if stats is None:
        return {}
    doc = {"current": stats.pids_current}
    if stats.pids_limit:
        doc["limit"] = stats.pids_limit
    return doc


def encode_blkio(stats: Stats | None) -> JsonObject:
    """Docker: where there is nothing, `null` on cgroup v2 and an empty list on v1."""
    found = stats.blkio if stats is not None else {}
    nothing: list[JsonObject] | None = [] if stats is not None and stats.cgroup_version == 1 else None
    return {
        name: [{"major": row[0], "minor": row[1], "op": row[2], "value": row[3]} for row in found.get(name, ())]
        or nothing
        for name in BLKIO_LISTS
    }
