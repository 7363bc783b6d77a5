"""Samples: what is null, empty or absent on each version of cgroups."""

from typing import Any

import msgspec
import pytest

from wharfd.api.codec.containers.stats import encode_blkio, encode_memory
from wharfd.ports.runtime import Stats

NOTHING: dict[str, Any] = {
    **dict.fromkeys((field.name for field in msgspec.structs.fields(Stats)), 0),
    **{"blkio": {}, "memory_stats": {}, "per_cpu_ns": [], "networks": None},
}


def stats(**over: Any) -> Stats:
    return Stats(**(NOTHING | over))


@pytest.mark.parametrize(("version", "nothing"), [(1, []), (2, None)])
def test_no_block_io(version: int, nothing: object) -> None:
    assert all(value == nothing for value in encode_blkio(stats(cgroup_version=version)).values())


def test_numbers_of_v1_that_are_0_are_left_out() -> None:
    assert not {"failcnt", "max_usage"} & encode_memory(stats(cgroup_version=1)).keys()
    doc = encode_memory(stats(cgroup_version=1, memory_failcnt=3, memory_max_usage_bytes=7))
    assert (doc["failcnt"], doc["max_usage"]) == (3, 7)
    assert not {"failcnt", "max_usage"} & encode_memory(stats(cgroup_version=2, memory_failcnt=3)).keys()
