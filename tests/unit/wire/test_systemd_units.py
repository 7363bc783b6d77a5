"""Limits in systemd's words."""

import pytest

from wharfd.model.json import JsonObject
from wharfd.wire.systemd_units import INFINITY, property_annotations, property_words, scope_properties

MIB = 1 << 20


@pytest.mark.parametrize(
    ("resources", "properties", "words"),
    [
        ({}, {}, []),
        ({"devices": [{"allow": False}]}, {}, []),
        (
            {"memory": {"limit": 64 * MIB, "swap": 96 * MIB, "reservation": 32 * MIB}},
            {"MemoryMax": 64 * MIB, "MemorySwapMax": 32 * MIB, "MemoryLow": 32 * MIB},
            ["MemoryMax=67108864", "MemorySwapMax=33554432", "MemoryLow=33554432"],
        ),
        (
            {"memory": {"limit": 64 * MIB, "swap": -1}, "pids": {"limit": -1}},
            {"MemoryMax": 64 * MIB, "MemorySwapMax": INFINITY, "TasksMax": INFINITY},
            ["MemoryMax=67108864", "MemorySwapMax=infinity", "TasksMax=infinity"],
        ),
        (
            {"cpu": {"quota": 50_000, "period": 100_000, "shares": 1024, "cpus": "0"}, "pids": {"limit": 20}},
            {"CPUWeight": 39, "CPUQuotaPerSecUSec": 500_000, "CPUQuotaPeriodUSec": 100_000, "TasksMax": 20},
            ["CPUWeight=39", "CPUQuota=50.00%", "CPUQuotaPeriodSec=100000us", "TasksMax=20"],
        ),
        (
            {"cpu": {"quota": 25_000, "period": 10_000}},
            {"CPUQuotaPerSecUSec": 2_500_000, "CPUQuotaPeriodUSec": 10_000},
            ["CPUQuota=250.00%", "CPUQuotaPeriodSec=10000us"],
        ),
        (
            {"cpu": {"quota": -1}},
            {"CPUQuotaPerSecUSec": INFINITY, "CPUQuotaPeriodUSec": 100_000},
            ["CPUQuota=", "CPUQuotaPeriodSec=100000us"],
        ),
    ],
)
def test_limits_in_systemds_words(resources: JsonObject, properties: dict[str, int], words: list[str]) -> None:
    assert scope_properties(resources) == properties
    assert property_words(properties) == words


def test_annotations_are_typed() -> None:
    assert property_annotations({"TasksMax": 20}) == {"org.systemd.property.TasksMax": "uint64 20"}
