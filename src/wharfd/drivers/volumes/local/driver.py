"""The driver `local`: a directory per volume, `ROOT/NAME/_data`, on which a volume with mount options is mounted while it is used."""

import errno
import os
import shutil
from collections import Counter
from collections.abc import Sequence

import msgspec

from wharfd.drivers.volumes.copyup import copy_up
from wharfd.drivers.volumes.local.options import MountPlan, carry_out, parse_options, resolved
from wharfd.model.errors import Internal, InvalidParameter, NotFound, Unavailable
from wharfd.model.ids import VolumeName
from wharfd.model.volume import VolumeRecord
from wharfd.sys import mount
from wharfd.sys.blocking import Pool

DATA = "_data"
TRASH = ".trash"  # no volume's name begins with a dot


class LocalVolumes:
    def __init__(self, root: str, pool: Pool) -> None:
        self.root = root
        self.pool = pool
        self.users: Counter[str] = Counter()

    async def open(self) -> None:
        await self.pool.run(self.make)

    def make(self) -> None:
        try:
            os.makedirs(self.root, mode=0o701, exist_ok=True)
            shutil.rmtree(f"{self.root}/{TRASH}", ignore_errors=True)
            os.makedirs(f"{self.root}/{TRASH}", mode=0o700, exist_ok=True)
        except OSError as e:
            raise Unavailable(f"volumes: {e}") from e

    def place(self, name: str) -> str:
        return f"{self.root}/{name}/{DATA}"

    async def create(self, volume: VolumeRecord) -> VolumeRecord:
        parse_options(volume.options)
        mountpoint = self.place(volume.name)
        await self.pool.run(make_directory, mountpoint)
        return msgspec.structs.replace(volume, mountpoint=mountpoint)

    async def remove(self, volume: VolumeRecord) -> None:
        await self.pool.run(self.delete, volume.name)

    def delete(self, name: str) -> None:
        """Out of its place first, so that a name is free at once and a half-deleted volume is never found again."""
        home, trash = f"{self.root}/{name}", f"{self.root}/{TRASH}"
        try:
            mount.detach(f"{home}/{DATA}")
            doomed = f"{trash}/{name}"
            shutil.rmtree(doomed, ignore_errors=True)
            os.rename(home, doomed)
            shutil.rmtree(doomed)
        except FileNotFoundError:
            pass
        except OSError as e:
            raise Internal(f"remove {name}: {e}") from e
        self.users.pop(name, None)

    async def mount(self, volume: VolumeRecord, holder: str) -> str:
        return await self.pool.run(self.attach, volume)

    def attach(self, volume: VolumeRecord) -> str:
        plan = parse_options(volume.options)
        place = self.place(volume.name)
        make_directory(place)
        if plan is not None and not mount.is_mountpoint(place):
            mount_volume(plan, place)
        self.users[volume.name] += 1
        return place

    async def unmount(self, volume: VolumeRecord, holder: str) -> None:
        await self.pool.run(self.release, volume)

    def release(self, volume: VolumeRecord) -> None:
        """Linux: containers that still use it have mounts of their own; this one may go whoever counted."""
        self.users[volume.name] -= 1
        if self.users[volume.name] <= 0:
            del self.users[volume.name]
            if parse_options(volume.options) is not None:
                mount.detach(self.place(volume.name))

    async def copy_up(self, volume: VolumeRecord, source_root: str, path: str) -> None:
        await self.pool.run(self.fill, volume, source_root, path)

    def fill(self, volume: VolumeRecord, source_root: str, path: str) -> None:
        place = self.attach(volume)
        try:
            copy_up(source_root, path, place)
        except OSError as e:
            raise Internal(f"volume {volume.name}: {e}") from e
        finally:
            self.release(volume)

    async def size(self, volume: VolumeRecord) -> int:
        if not os.path.isdir(self.place(volume.name)):
            raise NotFound(f"volume {volume.name} has no directory")
        return await self.pool.run(size_below, self.place(volume.name))

    async def leftovers(self) -> Sequence[VolumeName]:
        names = await self.pool.run(os.listdir, self.root)
        return [VolumeName(name) for name in sorted(names) if name != TRASH]


def mount_volume(plan: MountPlan, place: str) -> None:
    """Raises Internal with dockerd's text."""
    failed = f"error while mounting volume '{place}': "
    try:
        plan = resolved(plan)
        carry_out(plan, place)
    except Internal as e:
        raise e.prefixed(failed) from e
    except (OSError, ValueError) as e:
        reason = e.strerror if isinstance(e, OSError) and e.strerror else str(e)
        raise Internal(
            f"{failed}failed to mount local volume: mount {plan.device}:{place}{plan}: {reason.lower()}"
        ) from e


def make_directory(path: str) -> None:
    """Durable enough without being synced: what a power cut takes was empty, and is made again when it is used."""
    try:
        os.makedirs(os.path.dirname(path), mode=0o701, exist_ok=True)
        os.mkdir(path, 0o755)
    except FileExistsError:
        pass
    except OSError as e:
        if e.errno == errno.ENAMETOOLONG:
            raise InvalidParameter("volume name is too long for this file system") from e
        raise Unavailable(f"volume: {e}") from e


def size_below(path: str) -> int:
    """Bytes of the regular files; hard links count once."""
    total = 0
    seen: set[tuple[int, int]] = set()
    for _, _, names, directory in os.fwalk(path):
        for name in names:
            try:
                info = os.stat(name, dir_fd=directory, follow_symlinks=False)
            except FileNotFoundError:
                continue
            if info.st_nlink > 1:
                if (info.st_dev, info.st_ino) in seen:
                    continue
                seen.add((info.st_dev, info.st_ino))
            total += info.st_size
    return total
