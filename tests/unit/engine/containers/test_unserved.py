"""Every field that stays without effect draws one warning, and nothing else does."""

from typing import Any

import pytest

from wharfd.engine.containers.unserved import GAPS, unserved
from wharfd.model.config import DeviceRequest, Ulimit
from wharfd.testing.builders import a_config, a_host_config
from wharfd.testing.host import some_facts


def warnings(
    config: dict[str, Any] | None = None, *, facts: dict[str, Any] | None = None, **host_config: Any
) -> list[str]:
    return unserved(a_config(**(config or {})), a_host_config(**host_config), some_facts(**(facts or {})))


def test_a_plain_container_draws_none() -> None:
    assert warnings() == []


ASKED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "HostConfig.DeviceRequests": ({}, {"device_requests": [DeviceRequest(count=-1)]}),
    "HostConfig.UsernsMode": ({}, {"userns_mode": "auto"}),
    "HostConfig.Isolation": ({}, {"isolation": "hyperv"}),
    "HostConfig.CpuCount": ({}, {"cpu_count": 2}),
    "HostConfig.IOMaximumIOps": ({}, {"io_maximum_iops": 2}),
    "HostConfig.IOMaximumBandwidth": ({}, {"io_maximum_bandwidth": 2}),
    "NetworkDisabled": ({"network_disabled": True}, {}),
}


@pytest.mark.parametrize("gap", GAPS, ids=lambda gap: gap.field)
def test_each_gap_is_told_of(gap: Any) -> None:
    config, host_config = ASKED[gap.field]
    assert warnings(config, **host_config) == [f"{gap.field}: {gap.what}."]


@pytest.mark.parametrize(
    "harmless",
    [
        {"port_bindings": {"80/tcp": None}},
        {"port_bindings": {}},
        {"links": []},
        {"userns_mode": "host"},
        {"ipc_mode": "shareable"},
        {"isolation": "default"},
        {"security_opt": ["label=disable"]},
    ],
)
def test_what_asks_for_nothing_draws_none(harmless: dict[str, Any]) -> None:
    assert warnings(**harmless) == []


def test_absent_security_modules() -> None:
    asked = ["apparmor=mine", "label=type:t", "seccomp={}"]
    assert [text.split(";")[0] for text in warnings(security_opt=asked, facts={"seccomp": False})] == [
        "HostConfig.SecurityOpt: AppArmor is not enabled on this host",
        "HostConfig.SecurityOpt: this kernel has no seccomp",
        "HostConfig.SecurityOpt: SELinux is not enabled on this host",
    ]
    assert warnings(security_opt=asked, facts={"apparmor": True, "selinux": True}) == []


def test_limits_that_the_engine_may_not_raise() -> None:
    ulimits = [Ulimit(name="nofile", soft=1, hard=2000), Ulimit(name="nproc", soft=1, hard=2)]
    bound = {"can_raise_rlimits": False, "hard_limits": {"nofile": 1000, "nproc": 1000}}
    assert len(warnings(ulimits=ulimits, facts=bound)) == 1
    assert warnings(ulimits=ulimits, facts={"can_raise_rlimits": True, "hard_limits": {"nofile": 1000}}) == []
