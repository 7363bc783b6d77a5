"""Copies of clients' directories, on the real driver."""

import hashlib
import os
import stat
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from wharfd.drivers.trees.local import DirectoryTree, LocalTrees
from wharfd.drivers.workers.pool import WorkerPool
from wharfd.model.errors import InvalidParameter
from wharfd.model.tree import DigestedEntry, TreeEntry
from wharfd.sys.blocking import Pool

pytestmark = pytest.mark.root


def file(path: str, size: int = 0, *, mtime_ns: int = 0, uid: int = 0) -> TreeEntry:
    return TreeEntry(path=path, mode=stat.S_IFREG | 0o644, size=size, mtime_ns=mtime_ns, uid=uid)


def folder(path: str, mode: int = 0o755) -> TreeEntry:
    return TreeEntry(path=path, mode=stat.S_IFDIR | mode)


def link(path: str, target: str) -> TreeEntry:
    return TreeEntry(path=path, mode=stat.S_IFLNK | 0o777, link_target=target)


def put(tree: DirectoryTree, path: str, data: bytes = b"data") -> None:
    writer = tree.write(file(path, len(data)))
    writer.write(data)
    writer.close()


@pytest.fixture
async def trees(tmp_path: Path) -> AsyncIterator[LocalTrees]:
    pool, workers = Pool("storage", 2), WorkerPool()
    store = LocalTrees(str(tmp_path / "trees"), pool, workers)
    await store.open([])
    yield store
    for tree_id in list(store.held):
        await store.drop(tree_id)
    while store.tasks:
        await next(iter(store.tasks))
    await workers.close()
    pool.close()


async def test_files_come_with_their_attributes_and_digests(trees: LocalTrees) -> None:
    tree = await trees.take()
    tree.put(folder("dir", 0o700))
    writer = tree.write(file("dir/f", 4, mtime_ns=10**18, uid=3))
    other = tree.write(file("dir/g", 1))
    writer.write(b"da")
    other.write(b"g")
    writer.write(b"ta")
    other.close()
    writer.close()
    tree.put(link("l", "dir/f"))
    tree.put(TreeEntry(path="hard", mode=stat.S_IFREG | 0o644, link_target="dir/f"))
    found = {each.entry.path: each for each in tree.index()}
    assert found.keys() == {"dir", "dir/f", "dir/g", "l", "hard"}
    assert found["dir/f"].digest == found["hard"].digest == hashlib.sha256(b"data").hexdigest()
    status = os.stat(f"{tree.path}/dir/f")
    assert (status.st_uid, status.st_mtime_ns, status.st_nlink) == (3, 10**18, 2)
    assert stat.S_IMODE(os.stat(f"{tree.path}/dir").st_mode) == 0o700


async def test_what_was_given_back_is_there_again_for_one_at_a_time(trees: LocalTrees) -> None:
    tree = await trees.take()
    put(tree, "f")
    index = tree.index()
    await trees.give_back(tree)
    again = await trees.take([tree.id])
    other = await trees.take([tree.id])
    assert again.id == tree.id
    assert again.index() == index
    assert other.id != tree.id
    assert other.entries() == {}


async def test_kinds_may_change_and_things_may_go(trees: LocalTrees) -> None:
    tree = await trees.take()
    put(tree, "a/b/c")
    tree.put(link("a", "x"))
    put(tree, "l/m")
    tree.put(link("n", "x"))
    put(tree, "n")
    tree.remove("l")
    tree.remove("nothing/there")
    assert {"a", "n"} <= tree.entries().keys()
    assert not any(path.startswith(("a/", "l/")) for path in tree.entries())
    assert sorted(os.listdir(tree.path)) == ["a", "n", "nothing"]
    put(tree, "d/x")
    tree.put(folder("d", 0o711))
    assert os.path.exists(f"{tree.path}/d/x")


class Looked(dict[str, DigestedEntry]):
    """How often somebody has gone through all of it."""

    times = 0

    def __iter__(self) -> Iterator[str]:
        self.times += 1
        return super().__iter__()


async def test_what_goes_from_the_bottom_does_not_have_everything_looked_through(trees: LocalTrees) -> None:
    tree = await trees.take()
    for number in range(20):
        put(tree, f"gone/{number}/f")
    tree.found = looked = Looked(tree.found)
    for path in sorted(tree.entries(), reverse=True):
        tree.remove(path)
    assert os.listdir(tree.path) == []
    assert looked.times == 0


async def test_a_file_that_is_broken_off_is_gone(trees: LocalTrees) -> None:
    tree = await trees.take()
    writer = tree.write(file("f", 4))
    writer.write(b"da")
    writer.abort()
    assert os.listdir(tree.path) == []
    assert tree.index() == []


@pytest.mark.parametrize(
    "path", ["../x", "a/../../x", "/x", "", ".", "a/..", "out/x", "out/sub/x", "a\0b", "x/" * 600 + "y"]
)
async def test_nothing_leaves_the_directory(trees: LocalTrees, tmp_path: Path, path: str) -> None:
    tree = await trees.take()
    tree.put(link("out", str(tmp_path)))
    with pytest.raises(InvalidParameter):
        put(tree, path)
    with pytest.raises(InvalidParameter):
        tree.put(folder(path))
    assert sorted(os.listdir(tmp_path)) == ["trees"]


async def test_devices_and_links_to_elsewhere_are_refused(trees: LocalTrees) -> None:
    tree = await trees.take()
    with pytest.raises(InvalidParameter):
        tree.put(TreeEntry(path="dev", mode=stat.S_IFBLK | 0o600, device=(8, 0)))
    with pytest.raises(InvalidParameter):
        tree.put(TreeEntry(path="h", mode=stat.S_IFREG | 0o600, link_target="../../etc/passwd"))


async def test_after_a_restart_only_what_is_known_and_whole_is_left(trees: LocalTrees) -> None:
    kept, changing, unknown = [await trees.take() for _ in range(3)]
    for tree in (kept, unknown):
        put(tree, "f")
        await trees.give_back(tree)
    put(changing, "f")
    after = LocalTrees(trees.root, trees.pool, trees.remover)
    await after.open([kept.id, changing.id])
    while after.tasks:
        await next(iter(after.tasks))
    assert os.listdir(trees.root) == [kept.id]
    assert (await after.take([kept.id])).entries().keys() == {"f"}
    await after.drop(kept.id)
