"""Resource limits from HostConfig to the runtime spec and to cgroup files."""

from typing import Any

import pytest

from wharfd.model.config import ThrottleDevice, WeightDevice
from wharfd.model.errors import InvalidParameter
from wharfd.testing.builders import a_host_config
from wharfd.wire.resources import (
    Write,
    cgroup1_device_writes,
    cgroup1_writes,
    cgroup2_writes,
    cpu_weight,
    io_weight,
    oci_resources,
)

MIB = 1 << 20


def resources(**asked: Any) -> dict[str, Any]:
    return oci_resources(a_host_config(**asked), {"/dev/sda": (8, 0)}.get)


def test_nothing_asked_is_nothing_said() -> None:
    assert resources() == {}
    assert cgroup1_writes({}) == []
    assert cgroup2_writes({}) == []


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"memory": 64 * MIB}, {"memory": {"limit": 64 * MIB, "swap": 128 * MIB}}),
        ({"memory": 64 * MIB, "memory_swap": -1}, {"memory": {"limit": 64 * MIB, "swap": -1}}),
        ({"memory_reservation": 8 * MIB}, {"memory": {"reservation": 8 * MIB}}),
        ({"memory_swappiness": 0}, {"memory": {"swappiness": 0}}),
        ({"memory_swappiness": -1}, {}),
        ({"oom_kill_disable": True}, {"memory": {"disableOOMKiller": True}}),
        ({"oom_kill_disable": False}, {}),
        ({"nano_cpus": 1_500_000_000}, {"cpu": {"period": 100_000, "quota": 150_000}}),
        ({"cpu_period": 50_000, "cpu_quota": 25_000}, {"cpu": {"period": 50_000, "quota": 25_000}}),
        (
            {"cpu_shares": 2, "cpuset_cpus": "0-1", "cpuset_mems": "0"},
            {"cpu": {"shares": 2, "cpus": "0-1", "mems": "0"}},
        ),
        ({"pids_limit": 0}, {}),
        ({"pids_limit": None}, {}),
        ({"pids_limit": -1}, {"pids": {"limit": -1}}),
        ({"pids_limit": 7}, {"pids": {"limit": 7}}),
        ({"blkio_weight": 300}, {"blockIO": {"weight": 300}}),
        (
            {"blkio_weight_device": [WeightDevice(path="/dev/sda", weight=20)]},
            {"blockIO": {"weightDevice": [{"major": 8, "minor": 0, "weight": 20}]}},
        ),
        (
            {"blkio_device_read_iops": [ThrottleDevice(path="/dev/sda", rate=9)]},
            {"blockIO": {"throttleReadIOPSDevice": [{"major": 8, "minor": 0, "rate": 9}]}},
        ),
    ],
)
def test_host_config_to_the_spec(asked: dict[str, Any], expected: dict[str, Any]) -> None:
    assert resources(**asked) == expected


def test_what_is_no_block_device_is_refused() -> None:
    with pytest.raises(InvalidParameter, match="/dev/nope is not a block device"):
        resources(blkio_device_write_bps=[ThrottleDevice(path="/dev/nope", rate=1)])


def test_files_of_v1() -> None:
    asked = resources(
        memory=64 * MIB,
        memory_reservation=32 * MIB,
        nano_cpus=500_000_000,
        cpuset_cpus="1",
        pids_limit=-1,
        blkio_weight=500,
        blkio_device_write_bps=[ThrottleDevice(path="/dev/sda", rate=4096)],
    )
    assert cgroup1_writes(asked) == [
        Write("memory", "memory.limit_in_bytes", str(64 * MIB)),
        Write("memory", "memory.memsw.limit_in_bytes", str(128 * MIB)),
        Write("memory", "memory.soft_limit_in_bytes", str(32 * MIB)),
        Write("cpu", "cpu.cfs_period_us", "100000"),
        Write("cpu", "cpu.cfs_quota_us", "50000"),
        Write("cpuset", "cpuset.cpus", "1"),
        Write("pids", "pids.max", "max"),
        Write("blkio", "blkio.weight", "500", either="weight"),
        Write("blkio", "blkio.bfq.weight", "500", either="weight"),
        Write("blkio", "blkio.throttle.write_bps_device", "8:0 4096"),
    ]


def test_files_of_v2() -> None:
    asked = resources(
        memory=64 * MIB,
        memory_swap=80 * MIB,
        cpu_shares=1024,
        cpu_quota=50_000,
        pids_limit=5,
        blkio_weight=1000,
        blkio_device_read_bps=[ThrottleDevice(path="/dev/sda", rate=0)],
    )
    assert cgroup2_writes(asked) == [
        Write("", "memory.max", str(64 * MIB)),
        Write("", "memory.swap.max", str(16 * MIB)),
        Write("", "cpu.weight", "39"),
        Write("", "cpu.max", "50000"),
        Write("", "pids.max", "5"),
        Write("", "io.bfq.weight", "1000", either="weight"),
        Write("", "io.weight", "default 10000", either="weight"),
        Write("", "io.max", "8:0 rbps=max"),
    ]


def test_unlimited_swap_on_v2() -> None:
    assert Write("", "memory.swap.max", "max") in cgroup2_writes(resources(memory=64 * MIB, memory_swap=-1))


def test_the_ends_of_the_scales() -> None:
    assert [cpu_weight(shares) for shares in (0, 2, 262_144, 10**9)] == [1, 1, 10_000, 10_000]
    assert [io_weight(weight) for weight in (10, 1000)] == [1, 10_000]


def test_device_rules_of_v1() -> None:
    rules: list[dict[str, object]] = [
        {"allow": False, "access": "rwm"},
        {"allow": True, "type": "c", "access": "m"},
        {"allow": True, "type": "c", "major": 136, "access": "rwm"},
        {"allow": True, "type": "b", "major": 8, "minor": 0, "access": "r"},
    ]
    assert [(write.file, write.value) for write in cgroup1_device_writes(rules)] == [
        ("devices.deny", "a"),
        ("devices.allow", "c *:* m"),
        ("devices.allow", "c 136:* rwm"),
        ("devices.allow", "b 8:0 r"),
    ]
