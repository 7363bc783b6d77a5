"""cgroups of the kernel: the host's own layout, and the v2 tree (also where a hybrid host has it without controllers)."""

import contextlib
import errno
import os
import signal
import subprocess
import uuid
from collections.abc import Iterator

import pytest

from wharfd.sys.cgroup import Cgroup
from wharfd.sys.cgroup_layout import CgroupLayout, cgroup_facts, cgroup_paths, detect_layout
from wharfd.sys.pidfd import process_state

pytestmark = pytest.mark.root


def layouts() -> list[CgroupLayout]:
    host = detect_layout()
    if host.version == 1 and host.unified is not None:
        return [host, CgroupLayout(mode="unified", unified=host.unified, hierarchies={})]
    return [host]


@pytest.fixture(params=layouts(), ids=lambda layout: f"v{layout.version}")
def cgroup(request: pytest.FixtureRequest) -> Iterator[Cgroup]:
    parent = Cgroup(request.param, f"/wharf-test-{uuid.uuid4().hex[:12]}")
    try:
        yield Cgroup(request.param, parent.path + "/inner")
    finally:
        with contextlib.suppress(OSError):
            parent.thaw()
        parent.kill()
        parent.delete()
        assert not parent.exists()


@contextlib.contextmanager
def sleeper(cgroup: Cgroup) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["/bin/sleep", "60"])
    try:
        cgroup.add(process.pid)
        yield process
    finally:
        process.kill()
        process.wait()


def test_created_cgroup_takes_processes(cgroup: Cgroup) -> None:
    controllers = cgroup.create()
    assert cgroup.create() == controllers  # again is no error
    assert cgroup.exists()
    with sleeper(cgroup) as process:
        assert cgroup.pids() == [process.pid]
        paths = cgroup_paths(process.pid)
        key = "" if cgroup.layout.version == 2 else "freezer"
        assert paths[key] == cgroup.path
        # what lies below counts as well
        assert Cgroup(cgroup.layout, os.path.dirname(cgroup.path)).pids() == [process.pid]
    assert cgroup.pids() == []


def test_joining_by_the_join_files(cgroup: Cgroup) -> None:
    cgroup.create()
    script = "".join(f"echo 0 > {file}; " for file in cgroup.join_files()) + "cat /proc/self/cgroup"
    seen = subprocess.run(["/bin/sh", "-ec", script], check=True, capture_output=True, text=True).stdout
    controllers = [""] if cgroup.layout.version == 2 else ["memory", "freezer", "cpuset"]
    paths = {c: line.split(":", 2)[2] for line in seen.splitlines() for c in line.split(":")[1].split(",")}
    assert {paths[c] for c in controllers} == {cgroup.path}


def test_freeze_stops_and_thaw_goes_on(cgroup: Cgroup) -> None:
    cgroup.create()
    # The signal is caught: v2 lets the deadly ones through.
    argv = ["/bin/sh", "-c", 'trap "exit 3" TERM; echo ready; read x']
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        cgroup.add(process.pid)
        assert not cgroup.is_frozen()
        cgroup.freeze()
        assert cgroup.is_frozen()
        process.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.05)
        cgroup.thaw()
        assert process.wait(10) == 3
        cgroup.thaw()
    finally:
        process.kill()
        process.communicate()


def test_kill_ends_frozen_processes_below_too(cgroup: Cgroup) -> None:
    # Two leaves: on v2 a cgroup that passes controllers down holds no processes of its own.
    leaves = [Cgroup(cgroup.layout, f"{cgroup.path}/{name}") for name in ("one", "two")]
    for leaf in leaves:
        leaf.create()
    with sleeper(leaves[0]) as first, sleeper(leaves[1]) as second:
        cgroup.freeze()
        assert cgroup.pids() == sorted((first.pid, second.pid))
        cgroup.kill()
        assert first.wait(10) == second.wait(10) == -signal.SIGKILL
        assert cgroup.pids() == []
    Cgroup(cgroup.layout, "/wharf-test-absent").kill()


def test_kill_takes_everything_that_forks(cgroup: Cgroup) -> None:
    cgroup.create()
    script = "for i in 1 2 3 4 5; do (while :; do sleep 0.01; done) & done; wait"
    process = subprocess.Popen(
        ["/bin/sh", "-c", f"echo 0 > {cgroup.join_files()[0]}; read x; {script}"], stdin=subprocess.PIPE
    )
    try:
        cgroup.add(process.pid)
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.close()
        while len(cgroup.pids()) < 4:
            os.sched_yield()
        cgroup.kill()
        assert process.wait(10) == -signal.SIGKILL
        assert cgroup.pids() == []
    finally:
        process.kill()
        process.wait()


def test_signal_reaches_everything_once(cgroup: Cgroup) -> None:
    cgroup.create()
    with sleeper(cgroup) as process:
        assert cgroup.signal(signal.SIGTERM) == 1
        assert process.wait(10) == -signal.SIGTERM
    assert cgroup.signal(signal.SIGTERM) == 0


def test_delete_refuses_while_processes_live(cgroup: Cgroup) -> None:
    cgroup.create()
    with sleeper(cgroup) as process:
        with pytest.raises(OSError) as busy:
            cgroup.delete(timeout_s=0.02)
        assert busy.value.errno == errno.EBUSY
        assert process_state(process.pid) not in (None, "Z")
    cgroup.delete()
    cgroup.delete()
    assert not cgroup.exists()


def test_errors_name_the_file(cgroup: Cgroup) -> None:
    cgroup.create()
    with pytest.raises(OSError, match=r"write 'nonsense': .*cgroup\.procs"):
        cgroup.write("cgroup.procs", "nonsense")


def test_limits_on_v1() -> None:
    layout = detect_layout()
    if layout.version != 1:
        pytest.skip("the host has cgroup v2")
    cgroup = Cgroup(layout, f"/wharf-test-{uuid.uuid4().hex[:12]}")
    try:
        assert {"memory", "pids", "cpu"} <= cgroup.create()
        cgroup.write("memory.limit_in_bytes", 64 << 20)
        cgroup.write("pids.max", 10)
        assert cgroup.read_int("memory.limit_in_bytes") == 64 << 20
        assert cgroup.read_int("pids.max") == 10
        assert cgroup.read("cpuset.cpus") == Cgroup(layout, "/").read("cpuset.cpus")
        assert cgroup.oom_kills() == 0
        assert cgroup.read_flat("memory.stat")["hierarchical_memory_limit"] == 64 << 20
    finally:
        cgroup.delete()


def test_limits_on_v2() -> None:
    layout = detect_layout()
    if layout.version != 2:
        pytest.skip("the host has cgroup v1 controllers")
    cgroup = Cgroup(layout, f"/wharf-test-{uuid.uuid4().hex[:12]}/inner")
    try:
        assert {"memory", "pids", "cpu"} <= cgroup.create()
        cgroup.write("memory.max", 64 << 20)
        cgroup.write("pids.max", 10)
        assert cgroup.read_int("memory.max") == 64 << 20
        assert cgroup.read_int("pids.max") == 10
        assert cgroup.oom_kills() == 0
    finally:
        Cgroup(layout, os.path.dirname(cgroup.path)).delete()


def test_facts_agree_with_what_can_be_written() -> None:
    layout = detect_layout()
    facts = cgroup_facts(layout)
    assert facts.version == layout.version
    cgroup = Cgroup(layout, f"/wharf-test-{uuid.uuid4().hex[:12]}/inner")
    try:
        assert facts.controllers >= cgroup.create()
        files = {
            1: {
                "memory.limit_in_bytes": facts.memory_limit,
                "memory.memsw.limit_in_bytes": facts.swap_limit,
                "cpu.cfs_quota_us": facts.cpu_cfs_quota,
                "pids.max": facts.pids_limit,
            },
            2: {"memory.swap.max": facts.swap_limit, "cpu.max": facts.cpu_cfs_quota, "pids.max": facts.pids_limit},
        }[facts.version]
        assert {file: cgroup.has_file(file) for file in files} == files
    finally:
        Cgroup(layout, os.path.dirname(cgroup.path)).delete()
