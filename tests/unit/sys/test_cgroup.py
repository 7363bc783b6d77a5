"""cgroup layouts, paths, grammars and the v1/v2 file mapping, on plain directories."""

from pathlib import Path

import pytest

from wharfd.sys.cgroup import Cgroup, parse_flat, parse_nested
from wharfd.sys.cgroup_layout import CgroupLayout, cgroup_facts, layout_from_mounts, parse_cgroup_paths
from wharfd.sys.mountinfo import parse_mountinfo

UNIFIED = b"30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n"
HYBRID = b"""20 1 0:20 / /sys/fs/cgroup rw - tmpfs tmpfs rw
21 20 0:21 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
22 20 0:22 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
23 20 0:23 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
24 20 0:24 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
"""
ELSEWHERE = (
    b"19 1 0:24 / /chroot/memory rw - cgroup cgroup rw,memory\n18 1 0:21 / /chroot/two rw - cgroup2 cgroup2 rw\n"
)


def test_layouts_by_their_mounts() -> None:
    unified = layout_from_mounts(parse_mountinfo(UNIFIED))
    assert (unified.mode, unified.version, unified.unified, dict(unified.hierarchies)) == (
        "unified",
        2,
        "/sys/fs/cgroup",
        {},
    )
    hybrid = layout_from_mounts(parse_mountinfo(ELSEWHERE + HYBRID))
    assert (hybrid.mode, hybrid.version, hybrid.unified) == ("hybrid", 1, "/sys/fs/cgroup/unified")
    assert hybrid.hierarchies == {
        "name=systemd": "/sys/fs/cgroup/systemd",
        "cpu": "/sys/fs/cgroup/cpu,cpuacct",
        "cpuacct": "/sys/fs/cgroup/cpu,cpuacct",
        "memory": "/sys/fs/cgroup/memory",
    }
    legacy = layout_from_mounts([e for e in parse_mountinfo(HYBRID) if e.fs_type != "cgroup2"])
    assert (legacy.mode, legacy.unified) == ("legacy", None)
    with pytest.raises(FileNotFoundError):
        layout_from_mounts([])


def test_paths_of_a_process() -> None:
    text = "4:memory:/docker/x\n1:cpu,cpuacct:/docker/x (deleted)\n9:name=systemd:/a:b\n0::/\n"
    assert parse_cgroup_paths(text) == {
        "memory": "/docker/x",
        "cpu": "/docker/x",
        "cpuacct": "/docker/x",
        "name=systemd": "/a:b",
        "": "/",
    }


@pytest.mark.parametrize("path", ["", "docker/x", "/docker/../x", "/.."])
def test_paths_that_are_refused(path: str) -> None:
    with pytest.raises(ValueError, match="cgroup path"):
        Cgroup(layout_from_mounts(parse_mountinfo(UNIFIED)), path)


def test_directories_of_a_cgroup() -> None:
    hybrid = Cgroup(layout_from_mounts(parse_mountinfo(HYBRID)), "/docker/x")
    assert hybrid.directories() == [
        "/sys/fs/cgroup/systemd/docker/x",
        "/sys/fs/cgroup/cpu,cpuacct/docker/x",
        "/sys/fs/cgroup/memory/docker/x",
        "/sys/fs/cgroup/unified/docker/x",
    ]
    assert hybrid.join_files()[1] == "/sys/fs/cgroup/cpu,cpuacct/docker/x/tasks"
    assert hybrid.join_files()[-1] == "/sys/fs/cgroup/unified/docker/x/cgroup.procs"
    assert hybrid.directory("cpu") == "/sys/fs/cgroup/cpu,cpuacct/docker/x"
    assert not hybrid.has_file("pids.max")
    with pytest.raises(FileNotFoundError, match="'pids' is not mounted"):
        hybrid.write("pids.max", 1)
    unified = Cgroup(layout_from_mounts(parse_mountinfo(UNIFIED)), "/docker/x")
    assert unified.directories() == ["/sys/fs/cgroup/docker/x"]
    assert unified.directory("memory") == "/sys/fs/cgroup/docker/x"


def test_flat_and_nested_files() -> None:
    assert parse_flat("anon 4096\nfile 0\nmax max\n") == {"anon": 4096, "file": 0}
    assert parse_nested("8:0 rbytes=1 wbytes=2\n8:16 rbps=max wiops=120\n") == {
        "8:0": {"rbytes": 1, "wbytes": 2},
        "8:16": {"wiops": 120},
    }


def make_files(root: Path, **files: str) -> None:
    root.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (root / name.replace("__", ".")).write_text(text)


def test_v2_creation_passes_controllers_down(tmp_path: Path) -> None:
    """The kernel would fill new directories itself; here the ancestors exist already."""
    layout = CgroupLayout(mode="unified", unified=str(tmp_path), hierarchies={})
    for directory in (tmp_path, tmp_path / "docker", tmp_path / "docker" / "x"):
        make_files(directory, cgroup__controllers="cpu memory\n", cgroup__subtree_control="")
    make_files(tmp_path, cgroup__subtree_control="cpu\n")
    assert Cgroup(layout, "/docker/x").create() == {"cpu", "memory"}
    assert (tmp_path / "cgroup.subtree_control").read_text().startswith("+memory")
    assert (tmp_path / "docker" / "cgroup.subtree_control").read_text() == "+cpu +memory"
    assert (tmp_path / "docker" / "x" / "cgroup.subtree_control").read_text() == ""


def test_v2_values_are_read_and_written(tmp_path: Path) -> None:
    layout = CgroupLayout(mode="unified", unified=str(tmp_path), hierarchies={})
    make_files(tmp_path / "x", memory__max="max\n", memory__current="4096\n", memory__events="oom 3\noom_kill 2\n")
    cgroup = Cgroup(layout, "/x")
    assert cgroup.read_int("memory.max") is None
    assert cgroup.read_int("memory.current") == 4096
    assert cgroup.oom_kills() == 2
    cgroup.write("memory.max", 1 << 20)
    assert cgroup.read("memory.max").startswith("1048576")
    assert Cgroup(layout, "/absent").oom_kills() == 0
    assert Cgroup(layout, "/absent").pids() == []
    assert not Cgroup(layout, "/absent").exists()


def test_v2_facts(tmp_path: Path) -> None:
    layout = CgroupLayout(mode="unified", unified=str(tmp_path), hierarchies={})
    make_files(tmp_path, cgroup__controllers="cpu io memory pids\n")
    make_files(tmp_path, io__stat="", cpu__stat="")  # the root's own files tell nothing
    fresh = cgroup_facts(layout)
    assert (fresh.memory_limit, fresh.swap_limit, fresh.cpuset, fresh.pids_limit) == (True, True, False, True)
    assert (fresh.blkio_throttle, fresh.blkio_weight) == (True, False)
    # a cgroup whose kernel does not account swap and has no weights for I/O
    make_files(tmp_path / "a.slice", memory__max="max\n", io__stat="", io__max="")
    facts = cgroup_facts(layout)
    assert (facts.memory_limit, facts.swap_limit, facts.blkio_weight, facts.blkio_throttle) == (
        True,
        False,
        False,
        True,
    )
    assert (facts.oom_kill_disable, facts.freezer, facts.version) == (False, True, 2)


def test_v1_facts(tmp_path: Path) -> None:
    layout = CgroupLayout(
        mode="legacy",
        unified=None,
        hierarchies={
            "memory": str(tmp_path / "memory"),
            "cpu": str(tmp_path / "cpu"),
            "blkio": str(tmp_path / "blkio"),
        },
    )
    make_files(tmp_path / "memory", memory__limit_in_bytes="1", memory__oom_control="")
    make_files(tmp_path / "cpu", cpu__shares="1024")
    make_files(tmp_path / "blkio" / "child", **{"blkio__weight": "500"})
    facts = cgroup_facts(layout)
    assert (facts.memory_limit, facts.swap_limit, facts.oom_kill_disable) == (True, False, True)
    assert (facts.cpu_shares, facts.cpu_cfs_quota, facts.pids_limit, facts.blkio_weight) == (True, False, False, True)
    assert facts.controllers == {"memory", "cpu", "blkio"}
