"""Paths resolved inside a root: links and ".." stay in it."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from wharfd.sys.openat2 import RESOLVE_NO_SYMLINKS, open_in_root, openat2


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    """A root with etc/passwd; beside it, outside, lies a file of the same name."""
    (tmp_path / "passwd").write_text("outside")
    inside = tmp_path / "root"
    (inside / "etc").mkdir(parents=True)
    (inside / "etc" / "passwd").write_text("inside")
    (inside / "absolute").symlink_to("/etc/passwd")
    (inside / "up").symlink_to("../../../../etc/passwd")
    (inside / "escape").symlink_to(str(tmp_path / "passwd"))
    fd = os.open(inside, os.O_PATH | os.O_DIRECTORY)
    yield fd
    os.close(fd)


def read(fd: int) -> str:
    with open(fd) as f:
        return f.read()


@pytest.mark.parametrize("path", ["etc/passwd", "/etc/passwd", "/../../etc/passwd", "absolute", "up"])
def test_everything_leads_inside(root: int, path: str) -> None:
    fd = open_in_root(root, path, os.O_RDONLY)
    assert not os.get_inheritable(fd)
    assert read(fd) == "inside"


def test_what_is_not_inside_is_not_found(root: int) -> None:
    with pytest.raises(FileNotFoundError, match=r"openat2: .*escape"):
        open_in_root(root, "escape", os.O_RDONLY)


def test_files_are_made_inside(root: int) -> None:
    os.close(open_in_root(root, "/../new", os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode=0o600))
    assert os.stat("new", dir_fd=root).st_mode & 0o777 == 0o600


def test_links_can_be_opened_themselves_and_refused(root: int) -> None:
    fd = open_in_root(root, "absolute", os.O_PATH | os.O_NOFOLLOW)
    try:
        assert os.readlink("", dir_fd=fd) == "/etc/passwd"
    finally:
        os.close(fd)
    with pytest.raises(OSError) as refused:
        openat2(root, "absolute", os.O_RDONLY, resolve=RESOLVE_NO_SYMLINKS)
    assert refused.value.errno == errno.ELOOP


def test_links_of_proc_are_not_followed() -> None:
    slash = os.open("/", os.O_PATH)
    try:
        with pytest.raises(OSError) as refused:
            open_in_root(slash, "/proc/self/root/etc", os.O_PATH)
        assert refused.value.errno == errno.ELOOP
    finally:
        os.close(slash)
