"""Extended attributes by path and by descriptor."""

import errno
import os
from pathlib import Path

import pytest

from wharfd.sys import xattr


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "file"
    path.touch()
    try:
        os.setxattr(path, "user.probe", b"")
        os.removexattr(path, "user.probe")
    except OSError as e:
        if e.errno != errno.ENOTSUP:
            raise
        pytest.skip("no user.* attributes on this file system")
    return str(path)


def test_attributes_are_written_and_read_in_order(file: str) -> None:
    attributes = {"user.b": b"\0\xff", "user.a": b"", "user.overlay.opaque": b"y"}
    assert xattr.write_all(file, attributes) == []
    assert list(xattr.read_all(file).items()) == [("user.a", b""), ("user.b", b"\0\xff")]
    assert xattr.read_all(file, without=()) == attributes


def test_descriptors_of_both_kinds(file: str) -> None:
    for flags in (os.O_RDONLY, os.O_PATH):
        fd = os.open(file, flags)
        try:
            assert xattr.write_all(fd, {"user.x": b"1"}) == []
            assert xattr.read_all(fd) == {"user.x": b"1"}
        finally:
            os.close(fd)


def test_links_are_not_followed(file: str, tmp_path: Path) -> None:
    os.setxattr(file, "user.x", b"1")
    (tmp_path / "link").symlink_to(file)
    assert xattr.read_all(str(tmp_path / "link")) == {}
    # and take no user.* attributes themselves
    assert xattr.write_all(str(tmp_path / "link"), {"user.y": b"1"}) == ["user.y"]


def test_other_failures_are_raised(file: str) -> None:
    with pytest.raises(FileNotFoundError):
        xattr.read_all(file + "absent")
    with pytest.raises(OSError) as too_long:
        xattr.write_all(file, {"user.x": bytes(70000)})
    assert too_long.value.errno in (errno.E2BIG, errno.ENOSPC)


def test_directories_that_hide_what_is_below(tmp_path: Path) -> None:
    assert not xattr.is_opaque(str(tmp_path))
    if os.geteuid() != 0:
        pytest.skip("trusted.* needs root")
    os.setxattr(tmp_path, xattr.OVERLAY_OPAQUE, b"y")
    assert xattr.is_opaque(str(tmp_path))
    assert xattr.read_all(str(tmp_path)) == {}
