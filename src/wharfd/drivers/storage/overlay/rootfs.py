"""Root file systems as overlay mounts: the `RootfsStore` port.

A container's writable directories are durable without being synced: if a power cut takes them, they were empty or their content was not
synced either, and `mount` makes them again.
"""

import os
import stat
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from wharfd.drivers.storage.overlay.holds import Holds
from wharfd.drivers.storage.overlay.layers import OverlayLayers
from wharfd.drivers.storage.overlay.layout import Layout
from wharfd.drivers.storage.overlay.sizes import SizeLimits
from wharfd.model.container import Rootfs
from wharfd.model.errors import Internal, InvalidParameter, NotFound, Unavailable
from wharfd.model.ids import ChainId, ContainerId
from wharfd.ports.storage import StorageFacts
from wharfd.sys import filesystem, mount, mountinfo, openat2
from wharfd.sys.blocking import Pool
from wharfd.sys.overlay import mount_overlay
from wharfd.sys.overlay_stack import Stack, read_pinned, read_regular

# Docker: dockerd with its images in containerd calls the driver "overlayfs"; clients tell the two kinds of store by "driver-type".
DRIVER = "overlayfs"
DRIVER_TYPE = "io.containerd.snapshotter.v1"

PARAMETERS = "/sys/module/overlay/parameters"
# index: two mounts may share a layer (no exclusive use).  redirect_dir, metacopy: what a layer says of other paths is not followed, and
# an upper directory holds whole files and directories, as `diff` and `commit` read it.
WANTED_OPTIONS = (("index", "index=off"), ("redirect_dir", "redirect_dir=nofollow"), ("metacopy", "metacopy=off"))


class OverlayRootfs:
    def __init__(self, layout: Layout, layers: OverlayLayers, pool: Pool) -> None:
        self.layout = layout
        self.layers = layers
        self.pool = pool
        self.backing = ""
        self.options: tuple[str, ...] = ()
        self.holds = Holds()
        self.sizes = SizeLimits(layout.containers)

    async def open(self) -> None:
        await self.pool.run(self.make)
        await self.layers.open()

    def make(self) -> None:
        root = self.layout.root
        try:
            os.makedirs(root, mode=0o711, exist_ok=True)
            self.backing = filesystem.kind(root)
            if self.backing == "overlayfs":
                raise Unavailable(
                    f"{root} lies on an overlay file system, on which no other overlay can be put: "
                    "choose a --data-root on another one (ext4, xfs, btrfs, tmpfs)"
                )
            self.layout.make()
            self.try_mount()
        except OSError as e:
            raise Unavailable(f"storage driver {DRIVER}: {e}") from e

    def try_mount(self) -> None:
        """Mount one overlay here and take it down: what is impossible shall be known at start, with the kernel's words."""
        trial = self.layout.staging()
        lower, upper, work, merged = (f"{trial}/{name}" for name in ("lower", "upper", "work", "merged"))
        for path in (lower, upper, work, merged):
            os.mkdir(path)
        mount_overlay([lower, self.layout.base], merged, upperdir=upper, workdir=work)
        mount.detach(merged)
        # The module is loaded now, and shows which options it has.
        self.options = tuple(option for name, option in WANTED_OPTIONS if os.path.exists(f"{PARAMETERS}/{name}"))
        self.layers.trash.throw(trial)

    def facts(self) -> StorageFacts:
        return StorageFacts(driver=DRIVER, status=[("driver-type", DRIVER_TYPE)])

    def can_limit_size(self) -> bool:
        return self.sizes.can_limit()

    async def prepare(
        self, container_id: ContainerId, layers: Sequence[ChainId], *, is_root: bool = True, size_bytes: int = 0
    ) -> Rootfs:
        for chain_id in layers:
            if self.layers.get(chain_id) is None:
                raise NotFound(f"layer {chain_id} does not exist")
        home = self.layout.container(container_id)
        base = (
            [self.layout.base] if is_root or not layers else []
        )  # Linux: an overlay needs one lower directory at least
        rootfs = Rootfs(
            layers=list(layers),
            lower=[*(self.layout.diff(chain_id) for chain_id in reversed(layers)), *base],
            upper=f"{home}/upper",
            work=f"{home}/work",
            merged=f"{home}/merged",
            size_bytes=size_bytes,
        )
        await self.pool.run(self.make_directories, rootfs)
        return rootfs

    def make_directories(self, rootfs: Rootfs) -> None:
        try:
            if rootfs.size_bytes and not os.path.lexists(rootfs.work):
                home = os.path.dirname(rootfs.work)
                os.makedirs(home, mode=0o711, exist_ok=True)
                self.sizes.set(home, rootfs.size_bytes)
            os.makedirs(rootfs.work, mode=0o711, exist_ok=True)
            os.makedirs(rootfs.merged, mode=0o711, exist_ok=True)
            # Linux: the root that overlayfs shows has the owner and mode of the upper directory.
            root = os.stat(rootfs.lower[0])
            os.mkdir(rootfs.upper)
            os.chown(rootfs.upper, root.st_uid, root.st_gid)
            os.chmod(rootfs.upper, stat.S_IMODE(root.st_mode))
        except FileExistsError:
            return
        except OSError as e:
            raise Internal(f"storage driver {DRIVER}: {e}") from e

    async def mount(self, container_id: ContainerId, rootfs: Rootfs) -> str:
        async with self.holds.turn(container_id) as mounted:
            await self.pool.run(self.mount_now, rootfs)
            mounted.stays = True
        return rootfs.merged

    @asynccontextmanager
    async def hold(self, container_id: ContainerId, rootfs: Rootfs) -> AsyncIterator[str]:
        async with self.holds.turn(container_id) as mounted:
            if not mounted.holders:
                # By whom, this engine may not know: a container that ran before it did.
                mounted.stays = await self.pool.run(self.is_mounted_now, rootfs.merged)
                await self.pool.run(self.mount_now, rootfs)
            mounted.holders += 1
        try:
            yield rootfs.merged
        finally:
            await self.release(container_id, rootfs)

    async def release(self, container_id: ContainerId, rootfs: Rootfs) -> None:
        async with self.holds.turn(container_id) as mounted:
            mounted.holders -= 1
            if not mounted.holders and not mounted.stays:
                await self.pool.run(self.unmount_now, rootfs.merged)

    def mount_now(self, rootfs: Rootfs) -> None:
        self.make_directories(rootfs)
        if mount.is_mountpoint(rootfs.merged):
            return
        try:
            mount_overlay(rootfs.lower, rootfs.merged, upperdir=rootfs.upper, workdir=rootfs.work, options=self.options)
        except OSError as e:
            raise Internal(f"error creating overlay mount to {rootfs.merged}: {e}") from e

    async def unmount(self, container_id: ContainerId, rootfs: Rootfs) -> None:
        async with self.holds.turn(container_id) as mounted:
            mounted.stays = False
            if not mounted.holders:
                await self.pool.run(self.unmount_now, rootfs.merged)

    def unmount_now(self, merged: str) -> None:
        try:
            while mount.detach(merged):
                pass
        except OSError as e:
            raise Internal(f"storage driver {DRIVER}: {e}") from e

    async def remove(self, container_id: ContainerId) -> None:
        if await self.pool.run(self.remove_now, self.layout.container(container_id)):
            await self.layers.trash.empty()

    def remove_now(self, home: str) -> bool:
        self.unmount_now(f"{home}/merged")
        try:
            self.sizes.lift(home, self.layout.trash)
        except FileNotFoundError:
            return False
        except OSError as e:
            raise Internal(f"storage driver {DRIVER}: {e}") from e
        return self.layers.trash.throw(home)

    async def size_rw(self, container_id: ContainerId) -> int:
        try:
            return await self.pool.run(size_of_files, f"{self.layout.container(container_id)}/upper")
        except FileNotFoundError as e:
            raise NotFound(f"container {container_id} has no root file system") from e

    async def leftovers(self) -> Sequence[ContainerId]:
        return await self.pool.run(self.find_leftovers)

    def find_leftovers(self) -> Sequence[ContainerId]:
        names = set(os.listdir(self.layout.containers))
        below = len(self.layout.containers) + 1
        for entry in mountinfo.mounts_below(os.path.realpath(self.layout.containers)):
            names.add(entry.mount_point[below:].partition("/")[0])
        return [ContainerId(name) for name in sorted(names) if name.isalnum()]

    async def read_file(self, rootfs: Rootfs, path: str, limit: int) -> bytes | None:
        return await self.pool.run(self.read_now, rootfs, path, limit)

    def read_now(self, rootfs: Rootfs, path: str, limit: int) -> bytes | None:
        try:
            if self.is_mounted_now(rootfs.merged):
                data = read_mounted(rootfs.merged, path, limit + 1)
            else:
                found = Stack([rootfs.upper, *rootfs.lower]).find(path)
                data = read_regular(found, limit + 1) if found is not None else None
        except OSError as e:
            raise Internal(f"reading {path} inside a container: {e}") from e
        if data is not None and len(data) > limit:
            raise InvalidParameter(f"{path} is larger than {limit} bytes")
        return data

    async def is_mounted(self, container_id: ContainerId) -> bool:
        return self.is_mounted_now(f"{self.layout.container(container_id)}/merged")

    def is_mounted_now(self, merged: str) -> bool:
        try:
            return mount.is_mountpoint(merged)
        except FileNotFoundError:
            return False


def read_mounted(root: str, path: str, limit: int) -> bytes | None:
    top = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        pin = openat2.open_in_root(top, path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    finally:
        os.close(top)
    try:
        return read_pinned(pin, limit)
    finally:
        os.close(pin)


def size_of_files(top: str) -> int:
    """Bytes of the regular files in a tree; a file with several names counts once."""
    total = 0
    seen: set[int] = set()
    for _, _, names, directory in os.fwalk(top):
        for name in names:
            try:
                status = os.stat(name, dir_fd=directory, follow_symlinks=False)
            except FileNotFoundError:
                continue  # a running container deletes as it likes
            if stat.S_ISREG(status.st_mode) and status.st_ino not in seen:
                if status.st_nlink > 1:
                    seen.add(status.st_ino)
                total += status.st_size
    return total
