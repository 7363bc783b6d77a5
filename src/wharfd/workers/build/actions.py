"""Carries out file actions on a root: copy, make files and directories, remove, link."""

import io
import os
import posixpath
import stat
from collections.abc import Sequence
from contextlib import ExitStack, suppress

from wharfd.model.errors import InvalidParameter, NotFound
from wharfd.model.fileactions import AnyAction, Copy, MakeDirectory, MakeFile, Named, Remove, Symlink
from wharfd.model.fileactions import Owner as AskedOwner
from wharfd.model.files import Extraction
from wharfd.model.tree import RootView
from wharfd.sys import openat2
from wharfd.sys.clock import now_ns
from wharfd.sys.overlay_stack import read_pinned
from wharfd.wire.compression import detect
from wharfd.wire.tarstream import TarReader
from wharfd.wire.userdb import parse_group, parse_passwd
from wharfd.workers.build.copying import NEW_FILE, OPEN_FILE, Copier, remove_tree
from wharfd.workers.build.places import (
    Owner,
    absolute,
    expand,
    make_directories,
    open_directory,
    real_path,
    status_of,
)
from wharfd.workers.build.roots import opened
from wharfd.workers.files.extract import ContainerTree, Extractor, unpack
from wharfd.workers.source import BROKEN, Source, Tee, decoder, read_head

TAR_BLOCK = 512
MAGIC = b"ustar"
USER_FILE_BYTES = 16 << 20


def apply_actions(target: RootView, roots: Sequence[RootView], actions: Sequence[AnyAction]) -> int:
    """Root numbers of the actions count `roots`; -1 is the target.  Returns the bytes of the files that the target's upper layer has.

    Raises NotFound, InvalidParameter.
    """
    with ExitStack() as held:
        target_root = held.enter_context(opened(target))
        others = [held.enter_context(opened(root)) for root in roots]
        doer = Actions(target_root, others)
        for action in actions:
            doer.do(action)
    return size_of_tree(target.upper)


class Actions:
    def __init__(self, target: int, roots: Sequence[int]) -> None:
        self.target = target
        self.roots = roots

    def root(self, number: int) -> int:
        return self.target if number < 0 else self.roots[number]

    def do(self, action: AnyAction) -> None:
        match action:
            case Copy():
                self.copy(action)
            case MakeDirectory():
                self.make_directory(action)
            case MakeFile():
                self.make_file(action)
            case Remove():
                self.remove(action)
            case Symlink():
                self.link(action)

    # copy

    def copy(self, how: Copy) -> None:
        source = self.root(how.source_input)
        owner = self.owner(how.owner) if how.owner is not None else None
        if not how.create_destination:
            self.demand_parent(how.destination)
        paths: Sequence[str] = [absolute(how.source)]
        if how.wildcard:
            paths = expand(source, how.source, follow=how.follow_links)
            if not paths and not how.allow_empty_wildcard:
                raise NotFound(f"{how.source} not found")
        for path in how.required:
            if status_of(source, real_path(source, path, follow=True)) is None:
                raise NotFound(f'"{absolute(path)}": not found')
        copier = Copier(source, self.target, how, owner)
        for path in paths:
            if not (how.unpack and self.unpack(source, path, how, owner)):
                copier.copy(path)

    def demand_parent(self, path: str) -> None:
        parent = posixpath.dirname(real_path(self.target, path, follow=True))
        if status_of(self.target, parent) is None:
            raise NotFound(f"failed to stat {path}: lstat {parent}: no such file or directory")

    def unpack(self, source: int, path: str, how: Copy, owner: Owner | None) -> bool:
        """False if it is no archive."""
        real = real_path(source, path, follow=True)
        status = status_of(source, real)
        if status is None or not stat.S_ISREG(status.st_mode):
            return False
        directory, base = posixpath.split(real)
        parent = open_directory(source, directory)
        try:
            archive = os.open(base, OPEN_FILE, dir_fd=parent)
        finally:
            os.close(parent)
        try:
            if not is_archive(archive):
                return False
            os.lseek(archive, 0, os.SEEK_SET)
            place = real_path(self.target, how.destination, follow=True)
            os.close(make_directories(self.target, place, 0o755, owner, how.timestamp_ns))
            tree = ContainerTree(self.target)
            try:
                head = read_head(archive)
                reader = Source(Tee(os.dup(archive), head), detect(head), hashing=False)
                try:
                    unpack(TarReader(reader.read), Extractor(tree, place.strip("/"), place, Extraction(owner=owner)))
                finally:
                    reader.close()
                tree.finish()
            finally:
                tree.close()
        finally:
            os.close(archive)
        return True

    # the others

    def make_directory(self, how: MakeDirectory) -> None:
        path = real_path(self.target, how.path, follow=True)
        owner = self.owner(how.owner) or (0, 0)
        mode = how.mode & 0o7777
        if how.parents:
            os.close(make_directories(self.target, path, mode, owner, how.timestamp_ns))
            return
        if path == "/" or status_of(self.target, path) is not None:
            return
        parent = posixpath.dirname(path)
        os.close(open_directory(self.target, parent))
        os.close(make_directories(self.target, path, mode, owner, how.timestamp_ns))

    def make_file(self, how: MakeFile) -> None:
        path = real_path(self.target, how.path, follow=True)
        directory, base = posixpath.split(path)
        if not base:
            raise InvalidParameter(f"{how.path}: is a directory")
        parent = open_directory(self.target, directory)
        try:
            with suppress(FileNotFoundError):
                os.unlink(base, dir_fd=parent)
            fd = os.open(base, NEW_FILE, 0o600, dir_fd=parent)
            try:
                view = memoryview(how.data)
                while view:
                    view = view[os.write(fd, view) :]
                os.fchown(fd, *(self.owner(how.owner) or (0, 0)))
                os.fchmod(fd, how.mode & 0o7777)
                time_ns = now_ns() if how.timestamp_ns is None else how.timestamp_ns
                os.utime(fd, ns=(time_ns, time_ns))
            finally:
                os.close(fd)
        except IsADirectoryError as e:
            raise InvalidParameter(f"{how.path}: is a directory") from e
        finally:
            os.close(parent)

    def remove(self, how: Remove) -> None:
        paths = expand(self.target, how.path, follow=False) if how.wildcard else [absolute(how.path)]
        for path in paths:
            real = real_path(self.target, path, follow=False)
            if real == "/":
                raise InvalidParameter("the root cannot be removed")
            if status_of(self.target, real) is None:
                if how.allow_not_found or how.wildcard:
                    continue
                raise NotFound(f"stat {path}: no such file or directory")
            directory, base = posixpath.split(real)
            parent = open_directory(self.target, directory)
            try:
                try:
                    os.unlink(base, dir_fd=parent)
                except IsADirectoryError:
                    remove_tree(parent, base)
            finally:
                os.close(parent)

    def link(self, how: Symlink) -> None:
        path = real_path(self.target, how.path, follow=False)
        directory, base = posixpath.split(path)
        parent = open_directory(self.target, directory)
        try:
            os.symlink(how.target, base, dir_fd=parent)
            os.chown(base, *(self.owner(how.owner) or (0, 0)), dir_fd=parent, follow_symlinks=False)
            if how.timestamp_ns is not None:
                os.utime(base, ns=(how.timestamp_ns, how.timestamp_ns), dir_fd=parent, follow_symlinks=False)
        except FileExistsError as e:
            raise InvalidParameter(f"symlink {how.target} {how.path}: file exists") from e
        finally:
            os.close(parent)

    # owners

    def owner(self, asked: AskedOwner | None) -> Owner | None:
        """Docker: a name that is not in the root's files is an error; a user's group is, without one, the one of the same number."""
        if asked is None:
            return None
        uid, gid = 0, 0
        match asked.user:
            case Named(name=name, input=number):
                entry = next((e for e in parse_passwd(self.text(number, "/etc/passwd")) if e.name == name), None)
                if entry is None:
                    raise InvalidParameter(f"unable to find user {name}: no matching entries in passwd file")
                uid, gid = entry.uid, entry.gid
            case int(number):
                uid = gid = number
            case None:
                pass
        match asked.group:
            case Named(name=name, input=number):
                group = next((e for e in parse_group(self.text(number, "/etc/group")) if e.name == name), None)
                if group is None:
                    raise InvalidParameter(f"unable to find group {name}: no matching entries in group file")
                gid = group.gid
            case int(number):
                gid = number
            case None:
                pass
        return uid, gid

    def text(self, number: int, path: str) -> str:
        try:
            pin = openat2.open_in_root(self.root(number), path, os.O_PATH | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return ""
        try:
            return (read_pinned(pin, USER_FILE_BYTES) or b"").decode(errors="replace")
        finally:
            os.close(pin)


def is_archive(fd: int) -> bool:
    """Docker: a tar, compressed or not, that begins with a good header."""
    head = read_head(fd)
    compression = detect(head)
    try:
        plain = decoder(compression, opened_file(fd)) if compression else opened_file(fd)
        block = plain.read(TAR_BLOCK)
    except (OSError, InvalidParameter):
        return False
    except BROKEN:
        return False
    if len(block) < TAR_BLOCK:
        return False
    if block[257:262] == MAGIC:
        return True
    return is_old_header(block)


def opened_file(fd: int) -> io.BufferedReader:
    os.lseek(fd, 0, os.SEEK_SET)
    return io.BufferedReader(io.FileIO(os.dup(fd)))


def is_old_header(block: bytes) -> bool:
    """Of a tar before POSIX: only the checksum tells."""
    try:
        wanted = int(block[148:156].strip(b" \0") or b"-1", 8)
    except ValueError:
        return False
    return bool(block[0]) and wanted == sum(block[:148]) + 8 * 0x20 + sum(block[156:])


def size_of_tree(top: str) -> int:
    """Bytes of the regular files, one with several names once."""
    total = 0
    seen: set[int] = set()
    pending = [top]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                elif entry.is_file(follow_symlinks=False):
                    status = entry.stat(follow_symlinks=False)
                    if status.st_nlink > 1:
                        if status.st_ino in seen:
                            continue
                        seen.add(status.st_ino)
                    total += status.st_size
    return total
