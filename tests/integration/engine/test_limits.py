"""Limits of memory, CPU, processes and block devices: read at the container's cgroup, felt inside, changed while it runs."""

import subprocess
from typing import Any

import pytest

from tests.engine import BASE_IMAGE, CGROUP_DRIVER, Engine
from tests.integration.engine.rig import (
    block_device,
    cgroup_directory,
    done,
    is_v2,
    limit,
    outcome,
    says,
    script,
    started,
)

MIB = 1 << 20
SLEEP = ["sleep", "100000"]


def idle(engine: Engine, **host_config: Any) -> str:
    return started(engine, *SLEEP, HostConfig=host_config)


def test_memory_and_swap(engine: Engine) -> None:
    identifier = idle(engine, Memory=64 * MIB, MemorySwap=96 * MIB, MemoryReservation=32 * MIB)
    assert limit(engine, identifier, "memory/memory.limit_in_bytes", "memory.max") == str(64 * MIB)
    assert limit(engine, identifier, "memory/memory.soft_limit_in_bytes", "memory.low") == str(32 * MIB)
    # v1 counts memory in, v2 does not.
    swap = 32 * MIB if is_v2() else 96 * MIB
    assert limit(engine, identifier, "memory/memory.memsw.limit_in_bytes", "memory.swap.max") == str(swap)


def test_memory_without_a_word_on_swap_allows_as_much_swap_again(engine: Engine) -> None:
    identifier = idle(engine, Memory=64 * MIB)
    assert engine.inspect(identifier)["HostConfig"]["MemorySwap"] == 128 * MIB
    swap = 64 * MIB if is_v2() else 128 * MIB
    assert limit(engine, identifier, "memory/memory.memsw.limit_in_bytes", "memory.swap.max") == str(swap)


@pytest.mark.parametrize("asked", [{"NanoCpus": 500_000_000}, {"CpuQuota": 50_000, "CpuPeriod": 100_000}])
def test_cpu_time(engine: Engine, asked: dict[str, int]) -> None:
    identifier = idle(engine, **asked)
    if is_v2():
        assert limit(engine, identifier, "", "cpu.max") == "50000 100000"
    else:
        assert limit(engine, identifier, "cpu/cpu.cfs_quota_us", "") == "50000"
        assert limit(engine, identifier, "cpu/cpu.cfs_period_us", "") == "100000"


def test_cpu_shares_and_sets(engine: Engine) -> None:
    identifier = started(
        engine,
        *script("grep -e ^Cpus_allowed_list -e ^Mems_allowed_list /proc/self/status; exec sleep 100000"),
        says_first="Mems",
        HostConfig={"CpuShares": 512, "CpusetCpus": "0", "CpusetMems": "0"},
    )
    # OCI runtimes convert shares to weights in two ways.
    assert limit(engine, identifier, "cpu/cpu.shares", "cpu.weight") in ({"20", "59"} if is_v2() else {"512"})
    assert limit(engine, identifier, "cpuset/cpuset.cpus", "cpuset.cpus") == "0"
    assert limit(engine, identifier, "cpuset/cpuset.mems", "cpuset.mems") == "0"
    assert engine.output(identifier).split()[1::2] == ["0", "0"]


def test_processes(engine: Engine) -> None:
    text = "(for n in 1 2 3 4 5 6 7 8 9; do sleep 1000 & done); read -r _ </dev/zero"
    identifier = started(engine, *script(text), HostConfig={"PidsLimit": 5})
    says(engine, identifier, "can't fork: Resource temporarily unavailable")
    assert limit(engine, identifier, "pids/pids.max", "pids.max") == "5"


def test_block_io(engine: Engine) -> None:
    path, number = block_device()
    if not path:
        pytest.skip("this host has no disk")
    rate = [{"Path": path, "Rate": MIB}]
    rates = {
        "BlkioDeviceReadBps": rate,
        "BlkioDeviceWriteBps": [{"Path": path, "Rate": 2 * MIB}],
        "BlkioDeviceReadIOps": [{"Path": path, "Rate": 300}],
        "BlkioDeviceWriteIOps": [{"Path": path, "Rate": 400}],
    }
    answer = done(
        engine.post(
            "/containers/create", {"Image": BASE_IMAGE, "Cmd": SLEEP, "HostConfig": {"BlkioWeight": 300, **rates}}
        ),
        201,
    )
    identifier = answer.json["Id"]
    done(engine.post(f"/containers/{identifier}/start"))
    if is_v2():
        wanted = f"{number} rbps={MIB} wbps={2 * MIB} riops=300 wiops=400"
        assert limit(engine, identifier, "", "io.max") == wanted
    else:
        files = {"read_bps": MIB, "write_bps": 2 * MIB, "read_iops": 300, "write_iops": 400}
        for name, value in files.items():
            assert limit(engine, identifier, f"blkio/blkio.throttle.{name}_device", "") == f"{number} {value}"
    if not any("blkio weight" in words.lower() for words in answer.json["Warnings"]):
        # v2 has a scale of its own (1-10000), which the scheduler BFQ does not use.
        is_bfq = (cgroup_directory(engine, identifier, "blkio") / "io.bfq.weight").exists()
        weight = limit(engine, identifier, "blkio/blkio.bfq.weight", "io.bfq.weight" if is_bfq else "io.weight")
        assert weight.split()[-1] == ("300" if is_bfq or not is_v2() else "2930")


def test_an_update_changes_a_running_container(engine: Engine) -> None:
    identifier = idle(engine, Memory=64 * MIB, MemorySwap=128 * MIB, NanoCpus=500_000_000)
    changes = {"Memory": 256 * MIB, "MemorySwap": 512 * MIB, "NanoCpus": 250_000_000, "PidsLimit": 17}
    done(engine.post(f"/containers/{identifier}/update", changes), 200)
    assert limit(engine, identifier, "memory/memory.limit_in_bytes", "memory.max") == str(256 * MIB)
    assert limit(engine, identifier, "cpu/cpu.cfs_quota_us", "cpu.max").split()[0] == "25000"
    assert limit(engine, identifier, "pids/pids.max", "pids.max") == "17"
    done(engine.post(f"/containers/{identifier}/restart?t=0"))
    assert limit(engine, identifier, "memory/memory.limit_in_bytes", "memory.max") == str(256 * MIB)


@pytest.mark.skipif(CGROUP_DRIVER != "systemd", reason="needs the systemd cgroup driver")
def test_systemd_leaves_limits_alone_when_it_reloads(engine: Engine) -> None:
    asked: dict[str, Any] = {"Memory": 64 * MIB, "NanoCpus": 500_000_000, "PidsLimit": 20, "CpusetCpus": "0"}
    path, _ = block_device()
    if path:
        asked["BlkioDeviceWriteBps"] = [{"Path": path, "Rate": 2 * MIB}]
    identifier = idle(engine, **asked)
    done(engine.post(f"/containers/{identifier}/update", {"Memory": 96 * MIB, "MemorySwap": 192 * MIB}), 200)
    files = ("memory.max", "memory.swap.max", "cpu.max", "pids.max", "cpuset.cpus", "io.max")
    before = {file: limit(engine, identifier, "", file) for file in files}
    assert before["memory.max"] == str(96 * MIB)
    subprocess.run(["systemctl", "daemon-reload"], check=True)
    assert {file: limit(engine, identifier, "", file) for file in files} == before


def test_a_container_that_runs_out_of_memory(engine: Engine) -> None:
    identifier = engine.run(
        "dd",
        "if=/dev/zero",
        "of=/dev/null",
        "bs=64M",
        "count=1",
        HostConfig={"Memory": 16 * MIB, "MemorySwap": 16 * MIB},
    )
    assert engine.wait(identifier) == 137
    assert outcome(engine, identifier) == ("exited", 137)
    assert engine.inspect(identifier)["State"]["OOMKilled"] is True
    identifier = engine.run("false")
    assert engine.wait(identifier) == 1
    assert engine.inspect(identifier)["State"]["OOMKilled"] is False


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"Memory": 1024}, "Minimum memory limit allowed is 6MB"),
        ({"NanoCpus": 10**12}, "range of CPUs is from 0.01 to"),
        ({"CpusetCpus": "4711"}, "Requested CPUs are not available"),
    ],
)
def test_limits_that_cannot_be(engine: Engine, asked: dict[str, Any], words: str) -> None:
    answer = engine.post("/containers/create", {"Image": BASE_IMAGE, "HostConfig": asked})
    assert answer.status == 400
    assert words in answer.message
