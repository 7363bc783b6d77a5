"""What is mounted for a container lies beside its small files, in `mounts`."""

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Sequence

from wharfd.model.errors import EngineError, Internal, InvalidParameter, NotFound
from wharfd.model.ids import ContainerId
from wharfd.sys import mount
from wharfd.sys.blocking import Pool
from wharfd.sys.openat2 import RESOLVE_BENEATH, RESOLVE_NO_MAGICLINKS, openat2
from wharfd.sys.overlay import mount_overlay

MOUNTS = "mounts"


class MountDirectory:
    """Satisfies `ports.mounts.ContainerMounts`.  `root` is DATA_ROOT/containers."""

    def __init__(self, root: str, pool: Pool) -> None:
        self.root = root
        self.pool = pool

    def directory(self, container_id: ContainerId) -> str:
        return f"{self.root}/{container_id}/{MOUNTS}"

    def place(self, container_id: ContainerId, key: str) -> str:
        return f"{self.directory(container_id)}/{key}"

    async def memory(self, container_id: ContainerId, key: str, size_bytes: int) -> str:
        flags = mount.MS_NOSUID | mount.MS_NODEV | mount.MS_NOEXEC

        def fill(path: str) -> None:
            mount.mount("shm", path, "tmpfs", flags, f"mode=1777,size={size_bytes}")

        return await self.pool.run(self.ensure, self.place(container_id, key), fill)

    async def part(self, container_id: ContainerId, key: str, base: str, subpath: str) -> str:
        return await self.pool.run(self.ensure_part, self.place(container_id, key), base, subpath)

    async def layers(self, container_id: ContainerId, key: str, lower: Sequence[str]) -> str:
        def fill(path: str) -> None:
            if len(lower) > 1:
                mount_overlay(lower, path)
            else:
                # Linux: an overlay without a writable layer has two at least.
                mount.bind(lower[0], path, attributes=mount.MOUNT_ATTR_RDONLY)

        return await self.pool.run(self.ensure, self.place(container_id, key), fill)

    async def release(self, container_id: ContainerId) -> None:
        await self.pool.run(release, self.directory(container_id))

    def ensure(self, path: str, fill: Callable[[str], None], *, is_directory: bool = True) -> str:
        try:
            os.makedirs(os.path.dirname(path), 0o710, exist_ok=True)
            if is_directory:
                os.makedirs(path, 0o710, exist_ok=True)
            else:
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
            if not mount.is_mountpoint(path):
                fill(path)
        except OSError as e:
            raise Internal(f"mounting {path}: {(e.strerror or str(e)).lower()}") from e
        return path

    def ensure_part(self, path: str, base: str, subpath: str) -> str:
        pin = open_below(base, subpath)
        try:
            is_directory = stat.S_ISDIR(os.fstat(pin).st_mode)
            with contextlib.suppress(OSError):
                if os.path.isdir(path) is not is_directory:
                    os.rmdir(path) if os.path.isdir(path) else os.unlink(path)
            return self.ensure(
                path,
                lambda place: mount.bind(f"/proc/self/fd/{pin}", place, recursive=True),
                is_directory=is_directory,
            )
        finally:
            os.close(pin)


def open_below(base: str, subpath: str) -> int:
    """A descriptor that says only where it is.  Raises NotFound, InvalidParameter."""
    if "\0" in subpath:
        raise InvalidParameter(f"invalid subpath {subpath!r}: contains nul byte (\\x00)")
    top = os.open(base, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return openat2(top, subpath, os.O_PATH, resolve=RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS)
    except OSError as e:
        raise failure(e, base, subpath) from e
    finally:
        os.close(top)


def failure(error: OSError, base: str, subpath: str) -> EngineError:
    """In dockerd's words."""
    if error.errno in {errno.EXDEV, errno.ELOOP}:
        return InvalidParameter(f"path concatenation escapes the base directory, base: {base}, subpath: {subpath}")
    path = f"{base}/{subpath}"
    words = f"cannot access path {path}: lstat {path}: {os.strerror(error.errno or 0).lower()}"
    return NotFound(words) if error.errno in {errno.ENOENT, errno.ENOTDIR} else Internal(words)


def release(directory: str) -> None:
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return
    for name in names:
        path = f"{directory}/{name}"
        while mount.detach(path):
            pass
