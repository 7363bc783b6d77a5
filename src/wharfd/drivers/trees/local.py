"""Copies of clients' directories on this host: the `LocalTreeStore` port.

ROOT/<id>/files/     the copy
ROOT/<id>/index      what is in it, with digests; absent while somebody changes it
ROOT/trash-<id>/     on its way out
"""

import asyncio
import errno
import hashlib
import logging
import os
import secrets
import stat
from collections.abc import Mapping, Sequence
from contextlib import suppress

import msgspec

from wharfd.model.errors import EngineError, Internal, InvalidParameter, NotFound
from wharfd.model.tree import DigestedEntry, TreeEntry
from wharfd.ports.workers import TreeRemover
from wharfd.sys import openat2
from wharfd.sys.blocking import Pool

log = logging.getLogger(__name__)

OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY
NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
MAX_OPEN = 128
MAX_DEPTH = 512
REFUSED = frozenset({errno.ENOTDIR, errno.ELOOP, errno.EXDEV, errno.ENAMETOOLONG, errno.EINVAL, errno.EISDIR})

encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(list[DigestedEntry]).decode


class DirectoryTree:
    """Satisfies `HeldTree`."""

    def __init__(self, tree_id: str, home: str, found: Sequence[DigestedEntry] = ()) -> None:
        self.tree_id = tree_id
        self.home = home
        self.root = os.open(f"{home}/files", OPEN_DIRECTORY | os.O_CLOEXEC)
        self.found = {each.entry.path: each for each in found}
        self.directories: dict[str, int] = {}

    @property
    def id(self) -> str:
        return self.tree_id

    @property
    def path(self) -> str:
        return f"{self.home}/files"

    def close(self) -> None:
        self.forget()
        if self.root >= 0:
            os.close(self.root)
            self.root = -1

    # LocalTree

    def entries(self) -> Mapping[str, TreeEntry]:
        return {path: each.entry for path, each in self.found.items()}

    def put(self, entry: TreeEntry) -> None:
        try:
            parent, name = self.place(entry.path)
            digest = ""
            if entry.is_directory:
                self.put_directory(parent, name, entry)
            elif entry.is_symlink:
                self.clear(parent, name, entry.path)
                os.symlink(entry.link_target, name, dir_fd=parent)
                os.chown(name, entry.uid, entry.gid, dir_fd=parent, follow_symlinks=False)
                os.utime(name, ns=(entry.mtime_ns, entry.mtime_ns), dir_fd=parent, follow_symlinks=False)
            elif entry.is_regular and entry.link_target:
                entry, digest = self.put_link(parent, name, entry)
            else:
                raise InvalidParameter(f"{entry.path}: a build context cannot hold that kind of file")
        except OSError as e:
            raise refusal(entry.path, e) from e
        self.found[entry.path] = DigestedEntry(entry, digest)

    def put_directory(self, parent: int, name: str, entry: TreeEntry) -> None:
        known = self.found.get(entry.path)
        if known is None or not known.entry.is_directory:
            self.clear(parent, name, entry.path)
            with suppress(FileExistsError):  # made for a file in it, that came first
                os.mkdir(name, 0o700, dir_fd=parent)
        os.chown(name, entry.uid, entry.gid, dir_fd=parent, follow_symlinks=False)
        os.chmod(name, stat.S_IMODE(entry.mode), dir_fd=parent)

    def put_link(self, parent: int, name: str, entry: TreeEntry) -> tuple[TreeEntry, str]:
        first = self.found.get(entry.link_target)
        if first is None or not first.entry.is_regular:
            raise InvalidParameter(f"{entry.path}: a link to {entry.link_target}, which is no file of the context")
        source, base = self.place(entry.link_target)
        self.clear(parent, name, entry.path)
        os.link(base, name, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)
        return msgspec.structs.replace(first.entry, path=entry.path), first.digest

    def write(self, entry: TreeEntry) -> "HashedFile":
        if not entry.is_regular:
            raise InvalidParameter(f"{entry.path}: not a regular file")
        try:
            parent, name = self.place(entry.path)
            self.clear(parent, name, entry.path)
            self.found.pop(entry.path, None)
            return HashedFile(self, entry, os.open(name, NEW_FILE, 0o600, dir_fd=parent))
        except OSError as e:
            raise refusal(entry.path, e) from e

    def remove(self, path: str) -> None:
        try:
            parent, name = self.place(path)
            self.clear(parent, name, path, directory=True)
        except FileNotFoundError:
            pass
        except OSError as e:
            raise refusal(path, e) from e
        self.found.pop(path, None)

    # HeldTree

    def adopt(self, entries: Sequence[DigestedEntry]) -> None:
        self.found = {each.entry.path: each for each in entries}

    def read(self, path: str, offset: int, length: int) -> bytes:
        resolve = openat2.RESOLVE_BENEATH | openat2.RESOLVE_NO_SYMLINKS
        try:
            fd = openat2.openat2(self.root, path, os.O_RDONLY | os.O_NONBLOCK, resolve=resolve)
        except FileNotFoundError as e:
            raise NotFound(f"open {path}: no such file or directory") from e
        except OSError as e:
            raise refusal(path, e) from e
        with os.fdopen(fd, "rb") as file:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise InvalidParameter(f"read {path}: not a regular file")
            file.seek(offset)
            return file.read(length)

    def index(self) -> Sequence[DigestedEntry]:
        return list(self.found.values())

    # places

    def place(self, path: str) -> tuple[int, str]:
        """The directory in which it lies, made if need be, and its name there."""
        parent, _, name = path.rpartition("/")
        if name in ("", ".", "..") or path.startswith("/") or path.count("/") > MAX_DEPTH or "\0" in path:
            raise InvalidParameter(f"{path!r}: no path of a build context")
        return self.directory(parent), name

    def directory(self, path: str) -> int:
        if not path:
            return self.root
        fd = self.directories.get(path)
        if fd is not None:
            return fd
        if len(self.directories) >= MAX_OPEN:
            self.forget()
        try:
            fd = self.enter(path)
        except FileNotFoundError:
            parent, name = self.place(path)
            os.mkdir(name, 0o755, dir_fd=parent)
            self.found[path] = DigestedEntry(TreeEntry(path=path, mode=stat.S_IFDIR | 0o755))
            fd = self.enter(path)
        self.directories[path] = fd
        return fd

    def enter(self, path: str) -> int:
        resolve = openat2.RESOLVE_BENEATH | openat2.RESOLVE_NO_SYMLINKS
        return openat2.openat2(self.root, path, OPEN_DIRECTORY, resolve=resolve)

    def forget(self) -> None:
        for fd in self.directories.values():
            os.close(fd)
        self.directories.clear()

    def clear(self, parent: int, name: str, path: str, *, directory: bool = False) -> None:
        """Nothing of that name is there when this returns; a directory only if it was noted, or is to go."""
        try:
            os.unlink(name, dir_fd=parent)
        except FileNotFoundError:
            return
        except IsADirectoryError:
            if path not in self.found and not directory:
                return
            below = path + "/"
            for each in [each for each in self.directories if each == path or each.startswith(below)]:
                os.close(self.directories.pop(each))
            try:
                os.rmdir(name, dir_fd=parent)
            except OSError as e:
                if e.errno != errno.ENOTEMPTY:
                    raise
                for each in [each for each in self.found if each.startswith(below)]:
                    del self.found[each]
                remove_directory(parent, name)


class HashedFile:
    """Satisfies `FileWriter`."""

    def __init__(self, tree: DirectoryTree, entry: TreeEntry, fd: int) -> None:
        self.tree = tree
        self.entry = entry
        self.fd = fd
        self.size = 0
        self.hash = hashlib.sha256()

    def write(self, data: bytes | memoryview) -> None:
        self.hash.update(data)
        self.size += len(data)
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self.fd, view) :]
        except OSError as e:
            raise refusal(self.entry.path, e) from e

    def close(self) -> None:
        if self.fd < 0:
            return
        entry = self.entry
        try:
            if entry.uid or entry.gid:
                os.fchown(self.fd, entry.uid, entry.gid)
            os.fchmod(self.fd, stat.S_IMODE(entry.mode))
            for name, value in entry.xattrs.items():
                if name.startswith("user."):
                    with suppress(OSError):
                        os.setxattr(self.fd, name, value)
            os.utime(self.fd, ns=(entry.mtime_ns, entry.mtime_ns))
        except OSError as e:
            raise refusal(entry.path, e) from e
        finally:
            self.end()
        self.tree.found[entry.path] = DigestedEntry(entry, self.hash.hexdigest())

    def abort(self) -> None:
        if self.fd >= 0:
            self.end()
            self.tree.remove(self.entry.path)

    def end(self) -> None:
        os.close(self.fd)
        self.fd = -1


def remove_directory(parent: int, name: str) -> None:
    fd = os.open(name, OPEN_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        for each in os.listdir(fd):
            try:
                os.unlink(each, dir_fd=fd)
            except IsADirectoryError:
                remove_directory(fd, each)
    finally:
        os.close(fd)
    os.rmdir(name, dir_fd=parent)


def refusal(path: str, error: OSError) -> EngineError:
    kind = InvalidParameter if error.errno in REFUSED else Internal
    return kind(f"build context: {path}: {(error.strerror or '').lower()}")


class LocalTrees:
    def __init__(self, root: str, pool: Pool, remover: TreeRemover) -> None:
        self.root = root
        self.pool = pool
        self.remover = remover
        self.held: dict[str, DirectoryTree] = {}
        self.tasks: set[asyncio.Task[None]] = set()

    async def open(self, known: Sequence[str]) -> None:
        await self.pool.run(self.sort_out, frozenset(known))
        await self.empty_trash()

    def sort_out(self, known: frozenset[str]) -> None:
        try:
            os.makedirs(self.root, mode=0o700, exist_ok=True)
            for name in os.listdir(self.root):
                is_good = name in known and os.path.exists(f"{self.root}/{name}/index")
                if not is_good and not name.startswith("trash-"):
                    self.throw(name)
        except OSError as e:
            raise Internal(f"build contexts: {e}") from e

    async def take(self, ids: Sequence[str] = ()) -> DirectoryTree:
        for tree_id in ids:
            if tree_id not in self.held and (tree := await self.pool.run(self.reopened, tree_id)) is not None:
                self.held[tree_id] = tree
                return tree
        tree = await self.pool.run(self.fresh)
        self.held[tree.tree_id] = tree
        return tree

    def reopened(self, tree_id: str) -> DirectoryTree | None:
        home = f"{self.root}/{tree_id}"
        try:
            with open(f"{home}/index", "rb") as file:
                found = decode(file.read())
            os.unlink(f"{home}/index")
            return DirectoryTree(tree_id, home, found)
        except (OSError, msgspec.MsgspecError):
            return None

    def fresh(self) -> DirectoryTree:
        tree_id = secrets.token_hex(16)
        try:
            os.makedirs(f"{self.root}/{tree_id}/files", mode=0o755)
            return DirectoryTree(tree_id, f"{self.root}/{tree_id}")
        except OSError as e:
            raise Internal(f"build contexts: {e}") from e

    async def give_back(self, tree: DirectoryTree) -> None:
        try:
            await self.pool.run(self.write_index, tree)
        finally:
            self.held.pop(tree.tree_id, None)
            tree.close()

    def write_index(self, tree: DirectoryTree) -> None:
        fresh = f"{tree.home}/index.new"
        try:
            with open(fresh, "wb") as file:
                file.write(encode(tree.index()))
            os.rename(fresh, f"{tree.home}/index")
        except OSError as e:
            raise Internal(f"build contexts: {e}") from e

    async def drop(self, tree_id: str) -> None:
        tree = self.held.pop(tree_id, None)
        if tree is not None:
            tree.close()
        if await self.pool.run(self.throw, tree_id):
            await self.empty_trash()

    def throw(self, name: str) -> bool:
        try:
            os.rename(f"{self.root}/{name}", f"{self.root}/trash-{name}")
        except FileNotFoundError:
            return False
        except OSError as e:
            raise Internal(f"build contexts: {e}") from e
        return True

    async def empty_trash(self) -> None:
        busy = {task.get_name() for task in self.tasks}
        for name in await self.pool.run(os.listdir, self.root):
            if name.startswith("trash-") and name not in busy:
                task = asyncio.get_running_loop().create_task(self.finish(name), name=name)
                self.tasks.add(task)
                task.add_done_callback(self.tasks.discard)

    async def finish(self, name: str) -> None:
        try:
            await self.remover.remove_tree(f"{self.root}/{name}")
        except EngineError as e:
            log.warning("path=%s/%s could not be removed now: %s", self.root, name, e)
