"""Exit codes, signals, pausing, limits, logs and failures of containers made by the real driver."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.integration.runtime.lab import Lab, needs
from tests.waiting import until
from wharfd.drivers.runtime.driver import block_device_number
from wharfd.model.config import ThrottleDevice
from wharfd.model.errors import Conflict, InvalidParameter, StartFailed
from wharfd.sys.cgroup import Cgroup
from wharfd.sys.cgroup_layout import cgroup_paths
from wharfd.sys.host import memory_total_bytes
from wharfd.sys.pidfd import process_state
from wharfd.testing.builders import a_host_config

pytestmark = needs()


@pytest.fixture(params=["crun", "crun as it comes", "runc"])
async def lab(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Lab]:
    plain = request.param == "crun as it comes"
    async with Lab.open(
        tmp_path, request.param.split(" ")[0], joins_cgroups=not plain, compiles_seccomp=not plain
    ) as lab:
        yield lab


# exits and signals


@pytest.mark.parametrize(
    ("command", "code"), [("exit 0", 0), ("exit 3", 3), ("sh -c 'kill -9 $$'; exit $?", 137), ("exit 255", 255)]
)
async def test_exit_codes(lab: Lab, command: str, code: int) -> None:
    result = await lab.run(command)
    assert result.exit.code == code
    assert not result.exit.oom_killed


async def test_signals_arrive(lab: Lab) -> None:
    running = await lab.begin("trap 'echo got it; exit 7' USR1; echo ready; while :; do sleep 0.05; done")
    await running.says("ready")
    await lab.driver.signal(running.id, running.launched.pid, signal.SIGUSR1)
    result = await running.result()
    assert (result.exit.code, result.stdout) == (7, "ready\ngot it\n")


async def test_kill_ends_it_and_later_signals_are_refused(lab: Lab) -> None:
    running = await lab.begin("exec sleep 60")
    await lab.driver.signal(running.id, running.launched.pid, signal.SIGKILL)
    assert (await running.result()).exit.code == 137
    with pytest.raises(Conflict, match="is not running"):
        await lab.driver.signal(running.id, running.launched.pid, signal.SIGTERM)


async def test_a_program_that_is_no_program_ends_with_its_words_in_the_log(lab: Lab) -> None:
    program = Path(lab.rootfs, "bin/broken")
    program.write_bytes(b"\x7fELF nothing")
    program.chmod(0o755)
    result = await lab.run(["broken"])
    assert result.exit.code != 0
    assert "exec format error" in result.stderr.lower()


# failures to start


async def failure(lab: Lab, command: list[str], **how: Any) -> StartFailed:
    record = lab.record(command, config=how.pop("config", None))
    with pytest.raises(StartFailed) as caught:
        await lab.driver.create(lab.launch(record, **how))
    assert await lab.driver.leftovers() == []
    assert not (lab.directory / "bundles" / record.id).exists()
    assert not lab.cgroup(record.id).exists()
    return caught.value


async def test_a_missing_program_is_127(lab: Lab) -> None:
    error = await failure(lab, ["nope"])
    assert error.exit_code == 127
    assert error.message == (
        "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: "
        'unable to start container process: error during container init: exec: "nope": '
        "executable file not found in $PATH: unknown"
    ).replace(
        "error during container init: ", "" if lab.runtime == "runc" else "error during container init: "
    )  # older runc


async def test_a_missing_path_is_127(lab: Lab) -> None:
    error = await failure(lab, ["/no/such/program"])
    assert error.exit_code == 127
    assert 'exec: "/no/such/program": stat /no/such/program: no such file or directory' in error.message


async def test_a_file_without_the_execute_bit_is_126(lab: Lab) -> None:
    Path(lab.rootfs, "plain").write_text("text")
    error = await failure(lab, ["/plain"])
    assert error.exit_code == 126
    assert 'exec: "/plain": permission denied' in error.message


async def test_a_directory_is_126(lab: Lab) -> None:
    error = await failure(lab, ["/etc"])
    assert error.exit_code == 126
    assert "permission denied" in error.message or "is a directory" in error.message


async def test_a_working_directory_that_is_a_file(lab: Lab) -> None:
    error = await failure(lab, ["true"], config={"working_dir": "/etc/passwd"})
    assert error.exit_code == 127
    assert "not a directory" in error.message
    assert "Are you trying to mount a directory onto a file" in error.message


async def test_an_unknown_sysctl_is_128(lab: Lab) -> None:
    record = lab.record("true", sysctls={"kernel.no_such_thing": "1"})
    with pytest.raises(StartFailed) as caught:
        await lab.driver.create(lab.launch(record))
    assert caught.value.exit_code in (127, 128)
    assert await lab.driver.leftovers() == []


# logs and terminals


async def test_a_log_is_complete(lab: Lab) -> None:
    result = await lab.run("seq 1 20000; seq 1 5000 >&2")
    assert result.stdout == "".join(f"{n}\n" for n in range(1, 20001))
    assert result.stderr == "".join(f"{n}\n" for n in range(1, 5001))


async def test_the_last_words_without_a_line_end_are_logged(lab: Lab) -> None:
    assert (await lab.run("printf 'no end'")).stdout == "no end"


async def test_a_container_without_a_log(lab: Lab) -> None:
    record = lab.record("echo thrown away; exit 4")
    launch = lab.launch(record)
    await lab.driver.create(replace(launch, log_path=""))
    await lab.driver.start(record.id)
    assert (await lab.wait(record.id)).code == 4
    assert not (lab.directory / f"{record.id}.log").exists()


async def test_a_terminal(lab: Lab) -> None:
    result = await lab.run(
        "test -t 0 && test -t 1 && stty size; echo $TERM", config={"tty": True}, console_size=[31, 97]
    )
    lines = result.stdout.replace("\r", "").split("\n")
    assert lines[-2] == "xterm"
    assert lines[0] in ("31 97", "0 0")  # runc takes the size from the monitor's terminal


async def test_standard_input_through_the_attach_socket(lab: Lab) -> None:
    running = await lab.begin("cat; echo end", config={"open_stdin": True, "stdin_once": True})
    attach = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    attach.setblocking(False)
    loop = asyncio.get_running_loop()
    here = os.open(lab.directory / "bundles" / running.id, os.O_PATH)
    await loop.sock_connect(attach, f"/proc/self/fd/{here}/attach")
    os.close(here)
    await loop.sock_sendall(attach, b"hello\n")
    assert await loop.sock_recv(attach, 100) == b"\x02hello\n"
    attach.shutdown(socket.SHUT_WR)
    assert (await running.result()).stdout == "hello\nend\n"
    attach.close()


# pausing


async def test_pause_holds_it_and_resume_lets_it_go_on(lab: Lab) -> None:
    running = await lab.begin("trap 'exit 5' TERM; echo ready; while :; do sleep 0.02; done")
    await running.says("ready")
    await lab.driver.pause(running.id)
    seen = await lab.driver.observe(running.id, running.launched.pid, running.launched.pid_start)
    assert (seen.alive, seen.paused) == (True, True)
    await lab.driver.signal(running.id, running.launched.pid, signal.SIGTERM)
    await asyncio.sleep(0.1)
    assert lab.seen == []
    await lab.driver.resume(running.id)
    assert (await running.result()).exit.code == 5


async def test_a_paused_container_can_be_deleted(lab: Lab) -> None:
    running = await lab.begin("exec sleep 60")
    await lab.driver.pause(running.id)
    await lab.driver.delete(running.id)
    assert (await lab.wait(running.id)).code == 137
    assert await lab.driver.leftovers() == []


async def test_one_that_ends_while_it_is_to_be_paused_does_not_run(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    running = await lab.begin("exec sleep 60")

    def freeze(_: Cgroup) -> None:
        """As systemd does it: the scope goes with its last process."""
        os.kill(running.launched.pid, signal.SIGKILL)
        while process_state(running.launched.pid) not in {"Z", "X", None}:
            pass
        raise FileNotFoundError("cgroup.freeze")

    monkeypatch.setattr(Cgroup, "freeze", freeze)
    with pytest.raises(Conflict, match="is not running"):
        await lab.driver.pause(running.id)
    assert (await running.result()).exit.code == 137


# limits


def limit_of(lab: Lab, container_id: str, v2: str, v1: str) -> str:
    cgroup = lab.cgroup(container_id)
    return cgroup.read(v2 if cgroup.layout.version == 2 else v1)


async def test_limits_are_in_the_cgroup(lab: Lab) -> None:
    running = await lab.begin(
        "exec sleep 60",
        memory=64 << 20,
        memory_reservation=32 << 20,
        memory_swap=-1,
        cpu_shares=512,
        nano_cpus=1_500_000_000,
        cpuset_cpus="0",
        pids_limit=17,
    )
    if lab.facts.cgroup_version == 2:
        assert limit_of(lab, running.id, "memory.max", "") == str(64 << 20)
        assert limit_of(lab, running.id, "cpu.max", "") == "150000 100000"
        assert limit_of(lab, running.id, "memory.swap.max", "") == "max"
    else:
        assert limit_of(lab, running.id, "", "memory.limit_in_bytes") == str(64 << 20)
        assert limit_of(lab, running.id, "", "memory.soft_limit_in_bytes") == str(32 << 20)
        assert limit_of(lab, running.id, "", "cpu.shares") == "512"
        assert limit_of(lab, running.id, "", "cpu.cfs_quota_us") == "150000"
        assert limit_of(lab, running.id, "", "cpu.cfs_period_us") == "100000"
    assert limit_of(lab, running.id, "pids.max", "pids.max") == "17"
    assert limit_of(lab, running.id, "cpuset.cpus", "cpuset.cpus") == "0"


async def test_one_process_only(lab: Lab) -> None:
    running = await lab.begin("exec sleep 60", pids_limit=1)
    assert await lab.driver.processes(running.id) == [running.launched.pid]


async def test_a_small_memory_limit_starts(lab: Lab) -> None:
    # runc's own first process needs more than the smallest limit that Docker allows.
    size = 32 << 20 if lab.runtime == "runc" else 6 << 20
    assert (await lab.run("echo fits", memory=size)).stdout == "fits\n"


async def test_memory_beyond_the_limit_ends_it_and_is_told_of(lab: Lab) -> None:
    result = await lab.run("exec tail -c 200m /dev/zero", memory=24 << 20, memory_swap=24 << 20)
    assert result.exit.code == 137
    assert result.exit.oom_killed


async def test_update_changes_the_limits_up_and_down(lab: Lab) -> None:
    running = await lab.begin("exec sleep 60", memory=64 << 20, memory_swap=64 << 20)
    for size in (256 << 20, 32 << 20):
        await lab.driver.update(
            running.id, a_host_config(memory=size, memory_swap=size, pids_limit=-1, cpu_quota=50_000, cpu_period=50_000)
        )
        assert limit_of(lab, running.id, "memory.max", "memory.limit_in_bytes") == str(size)
    assert limit_of(lab, running.id, "pids.max", "pids.max") == "max"


async def test_update_that_the_kernel_refuses_is_the_callers_fault(lab: Lab) -> None:
    running = await lab.begin("exec sleep 60")
    with pytest.raises(InvalidParameter):
        await lab.driver.update(running.id, a_host_config(cpuset_cpus="4095"))


async def test_update_of_a_device_that_is_none(lab: Lab) -> None:
    running = await lab.begin("exec sleep 60")
    with pytest.raises(InvalidParameter, match="/dev/null is not a block device"):
        await lab.driver.update(
            running.id, a_host_config(blkio_device_read_bps=[ThrottleDevice(path="/dev/null", rate=1 << 20)])
        )


async def test_throttling_a_block_device(lab: Lab) -> None:
    disk = next((f"/dev/{name}" for name in os.listdir("/sys/block") if block_device_number(f"/dev/{name}")), None)
    if disk is None:
        pytest.skip("needs a block device")
    number = block_device_number(disk)
    assert number is not None
    running = await lab.begin(
        "exec sleep 60",
        blkio_device_write_bps=[ThrottleDevice(path=disk, rate=1 << 20)],
        place={"block_devices": {disk: number}},
    )
    cgroup = lab.cgroup(running.id)
    if cgroup.layout.version == 2:
        # With the systemd driver crun keeps this limit one level below the scope.
        cgroup = Cgroup(cgroup.layout, cgroup_paths(running.launched.pid)[""])
    text = cgroup.read("io.max" if cgroup.layout.version == 2 else "blkio.throttle.write_bps_device")
    assert f"{number[0]}:{number[1]}" in text
    assert str(1 << 20) in text


# looking


async def test_stats_count(lab: Lab) -> None:
    running = await lab.begin(
        "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo done; exec sleep 60", memory=512 << 20
    )
    await running.says("done")
    stats = await lab.driver.stats(running.id, running.launched.pid)
    assert stats.cgroup_version == lab.facts.cgroup_version
    assert 0 < stats.cpu_total_ns < 60_000_000_000
    assert 0 < stats.memory_usage_bytes < 512 << 20
    assert stats.memory_limit_bytes == 512 << 20
    assert stats.pids_current == 1
    assert stats.online_cpus >= 1
    assert stats.system_cpu_ns > stats.cpu_total_ns


async def test_without_a_memory_limit_the_machine_is_the_limit(lab: Lab) -> None:
    running = await lab.begin("exec sleep 60")
    stats = await lab.driver.stats(running.id, running.launched.pid)
    assert abs(stats.memory_limit_bytes - memory_total_bytes()) < 1 << 20


async def test_processes_and_top(lab: Lab) -> None:
    running = await lab.begin("sleep 61 & exec sleep 62")
    await until(lambda: len(lab.cgroup(running.id).pids()) == 2)
    pids = await lab.driver.processes(running.id)
    titles, rows = await lab.driver.top(pids, "")
    assert titles[:3] == ["UID", "PID", "PPID"]
    assert {int(row[1]) for row in rows} == set(pids)
    async with asyncio.timeout(10):
        while {row[-1] for row in rows} != {"sleep 61", "sleep 62"}:
            titles, rows = await lab.driver.top(pids, "")
    titles, rows = await lab.driver.top(pids, "-o pid,comm")
    assert titles == ["PID", "COMMAND"]
    with pytest.raises(InvalidParameter):
        await lab.driver.top(pids, "--no-such-option")
    with pytest.raises(InvalidParameter, match="not allowed"):
        await lab.driver.top(pids, "-o ppid=PID,comm")
