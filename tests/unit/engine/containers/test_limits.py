"""Limits against hosts that can do less.  What any host refuses is in the table of create bodies."""

from typing import Any

import pytest

from wharfd.engine.containers.limits import parse_set, settle_limits
from wharfd.model.config import HostConfig, WeightDevice
from wharfd.model.errors import InvalidParameter
from wharfd.testing.host import some_facts

MIB = 1 << 20


@pytest.mark.parametrize(
    ("lacks", "asked", "kept", "warning"),
    [
        ("memory_limit", {"memory": 10 * MIB}, {"memory": 0, "memory_swap": -1}, "memory limit capabilities"),
        ("swap_limit", {"memory": 10 * MIB, "memory_swap": 0}, {"memory_swap": -1}, "swap limit capabilities"),
        ("memory_reservation", {"memory_reservation": 10 * MIB}, {"memory_reservation": 0}, "memory soft limit"),
        ("memory_swappiness", {"memory_swappiness": 5}, {"memory_swappiness": None}, "memory swappiness"),
        ("oom_kill_disable", {"oom_kill_disable": True}, {"oom_kill_disable": None}, "OomKillDisable discarded"),
        ("pids_limit", {"pids_limit": 5}, {"pids_limit": None}, "PIDs limit"),
        ("cpu_shares", {"cpu_shares": 5}, {"cpu_shares": 0}, "CPU shares"),
        ("cpu_cfs_quota", {"cpu_quota": 5000}, {"cpu_quota": 0, "cpu_period": 0}, "CPU CFS scheduler"),
        ("cpuset", {"cpuset_cpus": "0"}, {"cpuset_cpus": ""}, "cpuset"),
        ("blkio_weight", {"blkio_weight": 500}, {"blkio_weight": 0}, "Block I/O weight"),
        (
            "blkio_weight",
            {"blkio_weight_device": [WeightDevice(path="/dev/x", weight=5)]},
            {"blkio_weight_device": []},
            "Block I/O weight_device",
        ),
    ],
)
def test_what_the_kernel_lacks_is_dropped_with_a_warning(
    lacks: str, asked: dict[str, Any], kept: dict[str, Any], warning: str
) -> None:
    able = {"memory_swappiness": True, "oom_kill_disable": True}
    settled, warnings = settle_limits(HostConfig(**asked), some_facts(**{**able, lacks: False}))
    assert {key: getattr(settled, key) for key in kept} == kept
    assert len(warnings) == 1
    assert warning in warnings[0]
    same, none = settle_limits(HostConfig(**asked), some_facts(**able))
    assert {key: getattr(same, key) for key in asked} == asked
    assert not [text for text in none if warning in text]


def test_cpu_time_cannot_be_limited_without_the_scheduler() -> None:
    with pytest.raises(InvalidParameter, match="NanoCPUs can not be set"):
        settle_limits(HostConfig(nano_cpus=10**9), some_facts(cpu_cfs_quota=False))


def test_a_swap_limit_alone_may_be_updated() -> None:
    asked = HostConfig(memory_swap=20 * MIB)
    with pytest.raises(InvalidParameter, match="always set the Memory limit"):
        settle_limits(asked, some_facts())
    assert settle_limits(asked, some_facts(), is_update=True)[0].memory_swap == 20 * MIB


@pytest.mark.parametrize(("text", "numbers"), [("", set()), ("0", {0}), ("0-2,7", {0, 1, 2, 7}), ("1, 3", {1, 3})])
def test_lists_of_processors(text: str, numbers: set[int]) -> None:
    assert parse_set(text) == numbers


@pytest.mark.parametrize("text", ["x", "0-", "-1", "1-0", "0,,1", "8192", "0-99999999", "٣"])
def test_what_is_no_list_of_processors(text: str) -> None:
    with pytest.raises(InvalidParameter):
        parse_set(text)
