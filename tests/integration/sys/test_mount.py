"""Mount calls against the kernel: binds, attributes, propagation, detached trees."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from wharfd.sys import mount
from wharfd.sys.mountinfo import mounts_below

pytestmark = pytest.mark.root


@pytest.fixture
def area(tmp_path: Path) -> Iterator[Path]:
    """A private tmpfs, so that propagation of the surroundings plays no part; all below it is unmounted afterwards."""
    mount.mount("tmpfs", str(tmp_path), "tmpfs", mount.MS_NOSUID, "mode=755")
    mount.set_propagation(str(tmp_path), "private")
    try:
        yield tmp_path
    finally:
        for entry in mounts_below(str(tmp_path)):
            mount.detach(entry.mount_point)


def make(area: Path, *names: str) -> list[str]:
    for name in names:
        (area / name).mkdir()
    return [str(area / name) for name in names]


def test_bind_shows_the_source_and_is_a_mountpoint_of_the_same_device(area: Path) -> None:
    source, target = make(area, "source", "target")
    Path(source, "file").write_text("x")
    assert not mount.is_mountpoint(target)
    mount.bind(source, target)
    assert mount.is_mountpoint(target)
    assert not os.path.ismount(target)  # which is why is_mountpoint exists
    assert Path(target, "file").read_text() == "x"
    assert mount.detach(target)
    assert not mount.detach(target)
    assert not mount.detach(target + "/absent")


def test_bind_of_a_file(area: Path) -> None:
    (area / "a").write_text("a")
    (area / "b").write_text("b")
    mount.bind(str(area / "a"), str(area / "b"))
    assert (area / "b").read_text() == "a"
    mount.unmount(str(area / "b"))


def test_recursive_read_only_bind_covers_submounts(area: Path) -> None:
    source, target = make(area, "source", "target")
    (sub,) = make(Path(source), "sub")
    mount.mount("tmpfs", sub, "tmpfs")
    mount.bind(source, target, recursive=True, attributes=mount.MOUNT_ATTR_RDONLY | mount.MOUNT_ATTR_NOEXEC)
    for place in (target, target + "/sub"):
        with pytest.raises(OSError) as refused:
            Path(place, "new").touch()
        assert refused.value.errno == errno.EROFS
    Path(sub, "new").touch()  # the source stays writable
    options = {entry.mount_point: entry.options for entry in mounts_below(target)}
    assert {"ro", "noexec"} <= set(options[target + "/sub"])


def test_plain_bind_leaves_submounts_out(area: Path) -> None:
    source, target = make(area, "source", "target")
    (sub,) = make(Path(source), "sub")
    mount.mount("tmpfs", sub, "tmpfs")
    Path(sub, "file").touch()
    mount.bind(source, target)
    assert os.listdir(target + "/sub") == []
    mount.unmount(target)
    mount.bind(source, target, recursive=True)
    assert os.listdir(target + "/sub") == ["file"]


def test_propagation_is_set_and_read(area: Path) -> None:
    (point,) = make(area, "point")
    mount.mount("tmpfs", point, "tmpfs")
    mount.set_propagation(point, "shared")
    assert mounts_below(point)[0].is_shared
    mount.set_propagation(point, "rslave")
    mount.set_propagation(point, "rprivate")
    assert mounts_below(point)[0].tags == ()


def test_detached_tree_is_moved_into_place(area: Path) -> None:
    source, target = make(area, "source", "target")
    Path(source, "file").touch()
    tree = mount.open_tree(source, clone=True)
    try:
        assert not os.get_inheritable(tree)
        mount.move_mount(tree, target)
    finally:
        os.close(tree)
    assert os.listdir(target) == ["file"]
    mount.set_attributes(target, mount.MOUNT_ATTR_RDONLY)
    with pytest.raises(OSError, match="Read-only"):
        Path(target, "new").touch()


def test_errors_name_operation_and_target(area: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"mount bind: No such file.*absent"):
        mount.bind(str(area), str(area / "absent"))
    with pytest.raises(OSError, match="umount: Invalid argument"):
        mount.unmount(make(area, "plain")[0])
    with pytest.raises(FileNotFoundError):
        mount.is_mountpoint(str(area / "absent"))
