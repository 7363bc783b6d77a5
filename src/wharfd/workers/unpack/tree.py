"""The directory that an archive is unpacked into, and the way from an entry's name to a place in it.

Every step is taken relative to a descriptor and never through a link (O_NOFOLLOW); links of the archive itself are followed by hand,
as a process whose root this directory is would follow them.  So no name, no `..` and no link leads out.  Nobody else writes here.
"""

import errno
import os
import shutil
import stat

from wharfd.model.errors import InvalidParameter
from wharfd.wire.tarstream import clean_parts
from wharfd.wire.whiteout import OPAQUE_VALUE, OPAQUE_XATTR, is_overlay_whiteout

OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
MAX_OPEN = 384  # directories kept open; the usual soft limit of descriptors is 1024
MAX_LINKS = 40  # as the kernel's
MAX_NAME = 4096  # as the kernel's
MAX_DEPTH = 512
WHITEOUT_DEVICE = os.makedev(0, 0)


def clean(name: str) -> str:
    """A name relative to the root, without empty and dot elements; "" is the root itself.

    Docker: an absolute name counts from the root; one that climbs above it is refused.
    """
    if len(name) > MAX_NAME or name.count("/") > MAX_DEPTH:
        raise InvalidParameter(f"invalid archive: file name too long: {name[:64]!r}…")
    if "//" not in name and "./" not in name and name[0] not in "/." and name[-1] not in "/.":
        return name
    return "/".join(clean_parts(name))


class Tree:
    def __init__(self, root: str | int) -> None:
        """`root` is an empty directory, or a descriptor of one that is the tree's from now on."""
        self.open = {"": root if isinstance(root, int) else os.open(root, OPEN_DIRECTORY)}
        self.implied: set[str] = set()  # made since a longer name needed them
        self.mtimes: dict[str, int] = {}  # of directories, set at the end: filling them changes them
        self.modes: dict[str, int] = {}  # set-id bits, set at the end: files inherit the group of such a directory

    def close(self) -> None:
        for fd in self.open.values():
            os.close(fd)
        self.open.clear()

    def locate(self, name: str) -> tuple[int, str, str]:
        """A descriptor of the directory in which `name` lies (made if need be), its real path with a slash, and the last element."""
        self.trim()
        parent, _, base = name.rpartition("/")
        fd = self.open.get(parent)
        if fd is None:
            fd, parent = self.walk(parent, create=True)
        return fd, parent + "/" if parent else "", base

    def trim(self) -> None:
        """Close directories if there are too many.  Only where nobody works with a descriptor that he got before."""
        if len(self.open) > MAX_OPEN:
            self.forget("")

    def find(self, name: str) -> tuple[int, str]:
        """The same without making anything: FileNotFoundError where the way ends."""
        parent, _, base = name.rpartition("/")
        fd = self.open.get(parent)
        if fd is None:
            fd, _ = self.walk(parent, create=False)
        return fd, base

    def walk(self, path: str, *, create: bool) -> tuple[int, str]:
        names = path.split("/")[::-1]
        real = ""
        links = 0
        while names:
            name = names.pop()
            if name in ("", "."):
                continue
            if name == "..":
                real = real.rpartition("/")[0]
                continue
            below = real + "/" + name if real else name
            if below in self.open:
                real = below
                continue
            if below.count("/") > MAX_DEPTH:
                raise InvalidParameter(f"invalid archive: {path[:64]!r} leads too deep")
            try:
                self.open[below] = self.enter(self.reopened(real), name, below, create=create)
                real = below
            except OSError as e:
                if e.errno not in (errno.ENOTDIR, errno.ELOOP):
                    raise
                target = self.link_target(self.reopened(real), name, below)
                links += 1
                if links > MAX_LINKS:
                    raise InvalidParameter(f"invalid archive: too many links at {path!r}") from e
                if target.startswith("/"):
                    real = ""
                names += target.split("/")[::-1]
        return self.reopened(real), real

    def reopened(self, path: str) -> int:
        """The descriptor of a directory that was walked to before; it may have been closed meanwhile."""
        fd = self.open.get(path)
        if fd is None:
            parent, _, base = path.rpartition("/")
            fd = self.open[path] = os.open(base, OPEN_DIRECTORY, dir_fd=self.reopened(parent))
        return fd

    def enter(self, parent: int, name: str, path: str, *, create: bool) -> int:
        try:
            return os.open(name, OPEN_DIRECTORY, dir_fd=parent)
        except FileNotFoundError:
            if not create:
                raise
        except NotADirectoryError:
            if not create or not self.lift_whiteout(parent, name):
                raise
            self.implied.add(path)
            os.mkdir(name, 0o755, dir_fd=parent)
            fd = os.open(name, OPEN_DIRECTORY, dir_fd=parent)
            os.setxattr(fd, OPAQUE_XATTR, OPAQUE_VALUE)
            return fd
        os.mkdir(name, 0o755, dir_fd=parent)
        self.implied.add(path)
        return os.open(name, OPEN_DIRECTORY, dir_fd=parent)

    def link_target(self, parent: int, name: str, path: str) -> str:
        try:
            return os.readlink(name, dir_fd=parent)
        except OSError as e:
            if e.errno != errno.EINVAL:
                raise
            raise InvalidParameter(f"invalid archive: {path!r} is used as a directory and is none") from e

    def lift_whiteout(self, parent: int, name: str) -> bool:
        """Remove a deletion mark.  False if there is something else."""
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
        if not is_overlay_whiteout(status.st_mode, status.st_rdev):
            return False
        os.unlink(name, dir_fd=parent)
        return True

    def make_way(self, parent: int, name: str, path: str) -> None:
        """Remove what an earlier entry has put where a new one shall be."""
        try:
            os.unlink(name, dir_fd=parent)
        except IsADirectoryError:
            if not path:
                raise InvalidParameter("invalid archive: its root is no directory") from None
            self.forget(path)
            shutil.rmtree(name, dir_fd=parent)

    def forget(self, path: str) -> None:
        """Drop what is known of a directory and of everything below it ("": close all descriptors but the root's)."""
        prefix = path + "/" if path else ""
        for each in [each for each in self.open if each and (each == path or each.startswith(prefix))]:
            os.close(self.open.pop(each))
        if path:
            for known in (self.mtimes, self.modes):
                for each in [each for each in known if each == path or each.startswith(prefix)]:
                    del known[each]
            self.implied = {each for each in self.implied if each != path and not each.startswith(prefix)}

    def make_directory(self, parent: int, name: str, mode: int) -> bool:
        """True if it is new.  One that is there stays with its content and gets the mode."""
        opaque = False
        try:
            os.mkdir(name, mode, dir_fd=parent)
            return True
        except FileExistsError:
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                os.chmod(name, mode, dir_fd=parent)
                return False
            opaque = is_overlay_whiteout(status.st_mode, status.st_rdev)
        os.unlink(name, dir_fd=parent)
        os.mkdir(name, mode, dir_fd=parent)
        if opaque:
            # What was deleted below and is made anew here shows nothing of what was there.
            self.make_opaque(parent, name)
        return True

    def make_opaque(self, parent: int, name: str) -> None:
        fd = os.open(name, OPEN_DIRECTORY, dir_fd=parent)
        try:
            os.setxattr(fd, OPAQUE_XATTR, OPAQUE_VALUE)
        finally:
            os.close(fd)

    def white_out(self, parent: int, name: str) -> None:
        """Delete `name` of the layers below; what this layer itself has put there stays (OCI: marks speak of lower layers only)."""
        try:
            os.mknod(name, stat.S_IFCHR, WHITEOUT_DEVICE, dir_fd=parent)
        except FileExistsError:
            if stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
                self.make_opaque(parent, name)

    def finish(self) -> None:
        """Set what had to wait until the directories were full."""
        for path, mode in self.modes.items():
            self.trim()
            if path:
                fd, base = self.find(path)
                os.chmod(base, mode, dir_fd=fd)
            else:
                os.fchmod(self.open[""], mode)
        for path, mtime_ns in self.mtimes.items():
            self.trim()
            if path:
                fd, base = self.find(path)
                os.utime(base, ns=(mtime_ns, mtime_ns), dir_fd=fd, follow_symlinks=False)
            else:
                os.utime(self.open[""], ns=(mtime_ns, mtime_ns))
