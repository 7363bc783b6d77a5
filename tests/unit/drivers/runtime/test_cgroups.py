"""Names of cgroups, and the order of writing limits."""

import errno
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from wharfd.drivers.runtime.cgroups import cgroup_path, write_limits
from wharfd.model.errors import Internal, InvalidParameter
from wharfd.sys.cgroup import Cgroup
from wharfd.sys.cgroup_layout import CgroupLayout
from wharfd.wire.resources import Write


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("/wharfd/ab", "/wharfd/ab"),
        ("wharfd/ab/", "/wharfd/ab"),
        ("system.slice:wharfd:ab", "/system.slice/wharfd-ab.scope"),
        (":wharfd:ab", "/system.slice/wharfd-ab.scope"),
        ("a-b-c.slice:wharfd:ab", "/a.slice/a-b.slice/a-b-c.slice/wharfd-ab.scope"),
        ("-.slice:wharfd:ab", "/wharfd-ab.scope"),
        ("system.slice::ab", "/system.slice/ab.scope"),
    ],
)
def test_paths(name: str, path: str) -> None:
    assert cgroup_path(name) == path


@dataclass
class Kernel:
    """Stands for a cgroup: `refuse` says when a file takes no value."""

    refuse: dict[str, Any] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    layout: CgroupLayout = field(
        default_factory=lambda: CgroupLayout(mode="legacy", unified=None, hierarchies={"memory": "/m", "blkio": "/b"})
    )

    def write(self, file: str, value: str) -> None:
        reason = self.refuse.get(file)
        if reason is not None and reason(self.files):
            raise OSError(errno.EINVAL, "Invalid argument")
        self.files[file] = value


def fill(kernel: Kernel, *writes: Write) -> dict[str, str]:
    write_limits(cast("Cgroup", kernel), writes)
    return kernel.files


def test_what_fails_at_first_is_tried_after_the_rest() -> None:
    kernel = Kernel({"limit": lambda files: "swap" not in files})
    assert fill(kernel, Write("memory", "limit", "2"), Write("memory", "swap", "4")) == {"swap": "4", "limit": "2"}


def test_a_refused_value_is_the_callers_fault() -> None:
    kernel = Kernel({"limit": lambda _: True})
    with pytest.raises(InvalidParameter, match="failed to write '2' to limit"):
        fill(kernel, Write("memory", "limit", "2"))


def test_other_failures_are_ours() -> None:
    class Broken(Kernel):
        def write(self, file: str, value: str) -> None:
            raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(Internal):
        fill(Broken(), Write("memory", "limit", "2"))


def test_one_of_two_names_is_enough() -> None:
    writes = [Write("blkio", "old", "1", either="weight"), Write("blkio", "new", "1", either="weight")]
    assert fill(Kernel({"old": lambda _: True}), *writes) == {"new": "1"}
    assert fill(Kernel({"new": lambda _: True}), *writes) == {"old": "1"}
    with pytest.raises(InvalidParameter):
        fill(Kernel({"old": lambda _: True, "new": lambda _: True}), *writes)


def test_a_controller_that_is_not_there_is_passed_over() -> None:
    assert fill(Kernel(), Write("cpu", "cpu.shares", "2")) == {}
