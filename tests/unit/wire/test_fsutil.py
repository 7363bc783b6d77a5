"""Files as a client tells of them: what may be in a tree, and what may not."""

import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfd.model.errors import InvalidParameter
from wharfd.model.tree import TreeEntry
from wharfd.wire import fsutil
from wharfd.wire.fsutil import StatReader, decode_mode, encode_mode, encode_stat
from wharfd.wire.proto.fsutil_pb2 import Stat

DIR = fsutil.GO_DIR | 0o755


def reader(*directories: str) -> StatReader:
    made = StatReader()
    for path in directories:
        made.read(Stat(path=path, mode=DIR))
    return made


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (0o644, stat.S_IFREG | 0o644),
        (2147484141, stat.S_IFDIR | 0o755),  # as buildx sends a directory
        (134218239, stat.S_IFLNK | 0o777),
        (fsutil.GO_SETUID | 0o755, stat.S_IFREG | 0o4755),
        (fsutil.GO_DIR | fsutil.GO_STICKY | 0o777, stat.S_IFDIR | 0o1777),
        (fsutil.GO_DEVICE | fsutil.GO_CHAR_DEVICE | 0o600, stat.S_IFCHR | 0o600),
        (fsutil.GO_PIPE, stat.S_IFIFO),
    ],
)
def test_modes_there_and_back(theirs: int, ours: int) -> None:
    assert decode_mode(theirs) == ours
    assert encode_mode(ours) == theirs


@pytest.mark.parametrize("mode", [fsutil.GO_IRREGULAR, fsutil.GO_DIR | fsutil.GO_SYMLINK])
def test_modes_that_there_are_not(mode: int) -> None:
    with pytest.raises(InvalidParameter):
        decode_mode(mode)


@pytest.mark.parametrize(
    "path",
    ["", "/", "/etc/passwd", "..", "../x", "a/../../x", "a/..", "./a", "a/./b", "a//b", "a/", "x\0y", "a" * 5000],
)
def test_paths_that_lead_elsewhere(path: str) -> None:
    with pytest.raises(InvalidParameter):
        reader("a").read(Stat(path=path, mode=0o644))


def test_below_what_is_no_directory() -> None:
    files = reader("d")
    files.read(Stat(path="link", mode=fsutil.GO_SYMLINK | 0o777, linkname="/etc"))
    files.read(Stat(path="file", mode=0o644))
    for path in ("link/passwd", "file/x", "missing/x"):
        with pytest.raises(InvalidParameter, match="without its directory"):
            files.read(Stat(path=path, mode=0o644))


def test_twice() -> None:
    files = reader("d")
    with pytest.raises(InvalidParameter, match="twice"):
        files.read(Stat(path="d", mode=0o644))


@pytest.mark.parametrize("target", ["/etc/passwd", "../x", "d", "later", "link"])
def test_hard_links_to_what_is_no_file_of_the_tree(target: str) -> None:
    files = reader("d")
    files.read(Stat(path="link", mode=fsutil.GO_SYMLINK | 0o777, linkname="/etc/shadow"))
    with pytest.raises(InvalidParameter):
        files.read(Stat(path="x", mode=0o644, linkname=target))


def test_a_hard_link() -> None:
    files = reader()
    files.read(Stat(path="a", mode=0o644, size=3))
    assert files.read(Stat(path="b", mode=0o644, size=3, linkname="a")).link_target == "a"


def test_no_more_than_a_tree_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fsutil, "MAX_ENTRIES", 3)
    files = reader("a", "b", "c")
    with pytest.raises(InvalidParameter, match="more than 3"):
        files.read(Stat(path="d", mode=DIR))


def test_negative_sizes() -> None:
    with pytest.raises(InvalidParameter):
        reader().read(Stat(path="a", mode=0o644, size=-1))


@given(
    st.lists(
        st.builds(Stat, path=st.text("ab./\0", max_size=5), mode=st.integers(0, 2**32 - 1), linkname=st.text("ab./"))
    )
)
def test_hostile_files(told: list[Stat]) -> None:
    files = StatReader()
    for each in told:
        try:
            entry = files.read(each)
        except InvalidParameter:
            continue
        assert not entry.path.startswith("/")
        assert ".." not in entry.path.split("/")


def test_entries_there_and_back() -> None:
    entry = TreeEntry(
        path="x", mode=stat.S_IFREG | 0o4711, size=4, mtime_ns=123, uid=5, gid=6, xattrs={"user.a": b"\xff"}
    )
    assert StatReader().read(encode_stat(entry)) == entry
