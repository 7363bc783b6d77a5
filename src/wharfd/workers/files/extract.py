"""Puts an archive into a directory of a container.

Nothing of it is trusted, and the container may change its files meanwhile.  Names are followed element by element from descriptor to
descriptor, links by hand inside the root (`Tree`); what is made is made anew (O_EXCL); what is changed (owner, mode, attributes, times)
is changed on a descriptor or without following links.  So neither the archive nor a race reaches anything outside.
"""

import errno
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from wharfd.model.errors import InvalidParameter, NotFound
from wharfd.model.files import Extraction
from wharfd.sys import mount
from wharfd.wire.compression import detect
from wharfd.wire.containerpath import ContainerPath
from wharfd.wire.tarstream import Entry, Kind, TarReader
from wharfd.workers.files import look
from wharfd.workers.source import Source, Tee, read_head
from wharfd.workers.unpack.layer import (
    ARCHIVE_ERRORS,
    NEW_FILE,
    PERMISSIONS,
    copy_content,
    make_node,
    set_xattrs,
)
from wharfd.workers.unpack.tree import OPEN_DIRECTORY, Tree, clean

MAX_REMOVED_DEPTH = 2000

T = TypeVar("T")

# As for layers; here a place may also be a mount point, or lie on something read-only or of another kind.
REFUSED = ARCHIVE_ERRORS | {errno.EBUSY, errno.EROFS, errno.EACCES, errno.EOPNOTSUPP, errno.ENXIO}


class ContainerTree(Tree):
    """As `Tree`, for a root that is full of a container's own files, and in use."""

    def __init__(self, root: int) -> None:
        super().__init__(os.dup(root))

    def lift_whiteout(self, parent: int, name: str) -> bool:
        return False

    def make_way(self, parent: int, name: str, path: str) -> None:
        try:
            os.unlink(name, dir_fd=parent)
        except IsADirectoryError:
            self.forget(path)
            remove_directory(parent, name)

    def directory(self, parent: int, name: str, path: str) -> int:
        """A descriptor of the directory, made if there is none; it stays open with the others."""
        fd = self.open.get(path)
        if fd is None:
            with suppress(FileExistsError):
                os.mkdir(name, 0o755, dir_fd=parent)
            fd = self.open[path] = os.open(name, OPEN_DIRECTORY, dir_fd=parent)
        return fd

    def finish(self) -> None:
        for path, mtime_ns in self.mtimes.items():
            self.trim()
            with suppress(FileNotFoundError, NotADirectoryError, InvalidParameter):
                fd, base = self.find(path)
                os.utime(base, ns=(mtime_ns, mtime_ns), dir_fd=fd, follow_symlinks=False)


def remove_directory(parent: int, name: str, depth: int = 0) -> None:
    """Delete a tree without ever following a link, whatever takes the place of what meanwhile."""
    if depth > MAX_REMOVED_DEPTH:
        raise InvalidParameter("a directory lies too deep to be replaced")
    fd = os.open(name, OPEN_DIRECTORY, dir_fd=parent)
    try:
        for each in os.listdir(fd):
            try:
                os.unlink(each, dir_fd=fd)
            except IsADirectoryError:
                remove_directory(fd, each, depth + 1)
            except FileNotFoundError:
                continue
    finally:
        os.close(fd)
    os.rmdir(name, dir_fd=parent)


class Extractor:
    """`target` is the directory's real path below the root, without slashes at its ends; `shown` how the client calls it."""

    def __init__(self, tree: ContainerTree, target: str, shown: str, how: Extraction) -> None:
        self.tree = tree
        self.prefix = target + "/" if target else ""
        self.shown = shown
        self.keep_kinds = how.keep_kinds
        self.owner = how.owner

    def add(self, entry: Entry, reader: TarReader) -> None:
        name = inside(entry.name, f'invalid entry name "{entry.name}"')
        if not name:
            return  # Docker: the directory itself stays as it is
        fd, directory, base = self.tree.locate(self.prefix + name)
        match entry.kind:
            case Kind.DIRECTORY:
                self.add_directory(fd, directory + base, base, entry)
            case Kind.FILE:
                file = self.replacing(
                    lambda: os.open(base, NEW_FILE, entry.mode & PERMISSIONS, dir_fd=fd), fd, directory, base, entry
                )
                self.fill(file, entry, reader)
            case Kind.HARD_LINK:
                self.add_link(fd, directory, base, entry)
            case Kind.SYMLINK:
                self.replacing(lambda: os.symlink(entry.link, base, dir_fd=fd), fd, directory, base, entry)
                self.settle(fd, base, entry)
            case _:
                self.replacing(lambda: make_node(entry, base, fd), fd, directory, base, entry)
                self.settle(fd, base, entry)

    def replacing(self, make: Callable[[], T], fd: int, directory: str, base: str, entry: Entry) -> T:
        """What is there already gives way, unless kinds are to be kept."""
        try:
            return make()
        except FileExistsError:
            self.refuse_directory(fd, base, entry)
            self.tree.make_way(fd, base, directory + base)
            return make()

    def refuse_directory(self, fd: int, base: str, entry: Entry) -> None:
        if self.keep_kinds and stat.S_ISDIR(os.stat(base, dir_fd=fd, follow_symlinks=False).st_mode):
            raise InvalidParameter(f'cannot overwrite directory "{entry.name}" with non-directory "{self.shown}"')

    def fill(self, file: int, entry: Entry, reader: TarReader) -> None:
        try:
            if entry.size:
                copy_content(reader, entry, file)
            os.fchown(file, *self.owner_of(entry))
            if entry.mode & ~PERMISSIONS:
                os.fchmod(file, stat.S_IMODE(entry.mode))
            if entry.xattrs:
                set_xattrs(file, entry.xattrs)
            os.utime(file, ns=(entry.mtime_ns, entry.mtime_ns))
        finally:
            os.close(file)

    def add_directory(self, fd: int, path: str, base: str, entry: Entry) -> None:
        try:
            directory = self.tree.directory(fd, base, path)
        except OSError as e:
            if e.errno not in (errno.ENOTDIR, errno.ELOOP):
                raise
            if self.keep_kinds:
                raise InvalidParameter(
                    f'cannot overwrite non-directory "{entry.name}" with directory "{self.shown}"'
                ) from e
            self.tree.make_way(fd, base, path)
            directory = self.tree.directory(fd, base, path)
        os.fchown(directory, *self.owner_of(entry))
        os.fchmod(directory, stat.S_IMODE(entry.mode))
        if entry.xattrs:
            set_xattrs(directory, entry.xattrs)
        self.tree.mtimes[path] = entry.mtime_ns

    def add_link(self, fd: int, directory: str, base: str, entry: Entry) -> None:
        """Docker: the target is a name in the archive, below the directory that it is put into."""
        target = inside(entry.link, f'invalid hardlink target "{entry.link}"')
        try:
            source, name = self.tree.find(self.prefix + target)
            status = os.stat(name, dir_fd=source, follow_symlinks=False)
        except FileNotFoundError as e:
            raise InvalidParameter(f'invalid hardlink target "{entry.link}": no such file or directory') from e
        if not name or stat.S_ISDIR(status.st_mode):
            raise InvalidParameter(f'invalid hardlink target "{entry.link}": it is a directory')
        with suppress(FileNotFoundError):
            present = os.stat(base, dir_fd=fd, follow_symlinks=False)
            if (present.st_ino, present.st_dev) == (status.st_ino, status.st_dev):
                return
        self.replacing(
            lambda: os.link(name, base, src_dir_fd=source, dst_dir_fd=fd, follow_symlinks=False),
            fd,
            directory,
            base,
            entry,
        )

    def settle(self, fd: int, base: str, entry: Entry) -> None:
        """Owner and times of links and nodes, which are not opened."""
        os.chown(base, *self.owner_of(entry), dir_fd=fd, follow_symlinks=False)
        os.utime(base, ns=(entry.mtime_ns, entry.mtime_ns), dir_fd=fd, follow_symlinks=False)

    def owner_of(self, entry: Entry) -> tuple[int, int]:
        return self.owner or (entry.uid, entry.gid)


def inside(name: str, refusal: str) -> str:
    """The name relative to the directory that is written to.  Raises InvalidParameter if it leads out of it."""
    try:
        return clean(name)
    except InvalidParameter as e:
        if "outside" in str(e):
            raise InvalidParameter(refusal) from e
        raise


def extract(archive: int, root: int, path: ContainerPath, how: Extraction) -> None:
    """Put the archive that the descriptor `archive` gives into the directory `path`, which may be a link to one.

    Raises:
        NotFound: there is no such path.
        InvalidParameter: it is no directory, it is read-only, or the archive is at fault.
    """
    tree = ContainerTree(root)
    try:
        target = enter(tree, root, path)
        head = read_head(archive)
        if not head:
            return  # Docker: nothing at all is an archive without members
        source = Source(Tee(os.dup(archive), head), detect(head), hashing=False)
        try:
            unpack(TarReader(source.read), Extractor(tree, target, path.shown, how))
        finally:
            source.close()
        tree.finish()
    finally:
        tree.close()


def enter(tree: ContainerTree, root: int, path: ContainerPath) -> str:
    """The real path of the directory, which is open in the tree then."""
    with look.found(root, path):
        pass  # it is there, or the right error is raised
    try:
        fd, real = tree.walk(path.clean, create=False)
    except FileNotFoundError as e:
        raise NotFound(path.clean) from e
    except InvalidParameter as e:
        raise InvalidParameter("extraction point is not a directory") from e
    if os.fstatvfs(fd).f_flag & os.ST_RDONLY:
        if mount.mount_id(fd) == mount.mount_id(root):
            raise InvalidParameter("container rootfs is marked read-only")
        raise InvalidParameter("mounted volume is marked read-only")
    return real


def unpack(reader: TarReader, extractor: Extractor) -> None:
    for entry in reader:
        try:
            extractor.add(entry, reader)
        except OSError as e:
            if e.errno in REFUSED:
                raise InvalidParameter(f"{entry.name[:256]!r}: {(e.strerror or '').lower()}") from e
            raise
        except (ValueError, OverflowError) as e:
            raise InvalidParameter(f"{entry.name[:256]!r}: {e}") from e
    reader.drain()
