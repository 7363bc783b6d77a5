"""Layers made by builds: the `SnapshotStore` port over the directories of `OverlayLayers`.

A layer that is kept lies beside the others at once.  Until it is known to be on the disk it has a file `unsettled` that names the boot of
the machine: after another boot it is not believed.
"""

import os
import secrets
import stat
from collections.abc import Iterable, Sequence
from contextlib import suppress

from wharfd.drivers.storage.overlay.layers import INFO, UNSETTLED, OverlayLayers, boot_id, encode
from wharfd.drivers.storage.overlay.layout import Layout
from wharfd.drivers.storage.overlay.rootfs import OverlayRootfs
from wharfd.model.errors import Internal, NotFound
from wharfd.model.ids import ChainId, ContainerId, Digest
from wharfd.model.tree import RootView
from wharfd.ports.snapshots import Staged
from wharfd.ports.storage import LayerInfo
from wharfd.sys import filesystem, mount
from wharfd.sys.blocking import Pool

NO_DIFF_ID = Digest("")


class OverlaySnapshots:
    def __init__(self, layout: Layout, layers: OverlayLayers, rootfs: OverlayRootfs, pool: Pool) -> None:
        self.layout = layout
        self.rootfs = rootfs
        self.layers = layers
        self.pool = pool

    async def stage(self, parent: ChainId | None) -> Staged:
        return await self.pool.run(self.make_stage, parent)

    def make_stage(self, parent: ChainId | None) -> Staged:
        try:
            directory = self.layout.staging()
            staged = Staged(directory=directory, upper=f"{directory}/diff", work=f"{directory}/work")
            os.mkdir(staged.work, 0o700)
            os.mkdir(staged.upper, 0o755)
            if parent is not None:
                root = os.stat(self.layout.diff(parent))
                os.chown(staged.upper, root.st_uid, root.st_gid)
                os.chmod(staged.upper, stat.S_IMODE(root.st_mode))
        except OSError as e:
            raise Internal(f"storage: {e}") from e
        return staged

    async def keep(self, staged: Staged, parent: ChainId | None, size_bytes: int) -> LayerInfo:
        info = await self.pool.run(self.keep_now, staged.directory, staged.upper, parent, size_bytes)
        self.layers.add_unsettled(info)
        return info

    def keep_now(self, staging: str, diff: str, parent: ChainId | None, size_bytes: int) -> LayerInfo:
        chain_id = ChainId(f"sha256:{secrets.token_hex(32)}")
        info = LayerInfo(chain_id=chain_id, parent=parent, diff_id=NO_DIFF_ID, size_bytes=size_bytes)
        target = self.layout.layer(chain_id)
        try:
            if diff != f"{staging}/diff":
                os.rename(diff, f"{staging}/diff")
            for name in os.listdir(staging):
                if name != "diff":
                    self.layers.trash.throw(f"{staging}/{name}")
            write(f"{staging}/{UNSETTLED}", boot_id().encode())
            write(f"{staging}/{INFO}", encode(info))
            os.chmod(staging, 0o711)  # noqa: S103 - as of other layers
            os.rename(staging, target)
        except OSError as e:
            raise Internal(f"storage: {e}") from e
        return info

    async def discard(self, staged: Staged) -> None:
        await self.layers.trash.discard(staged.directory)

    async def freeze(self, container_id: ContainerId, parent: ChainId | None, size_bytes: int) -> LayerInfo:
        info = await self.pool.run(self.freeze_now, container_id, parent, size_bytes)
        self.layers.add_unsettled(info)
        await self.layers.trash.empty()
        return info

    def freeze_now(self, container_id: ContainerId, parent: ChainId | None, size_bytes: int) -> LayerInfo:
        home = self.layout.container(container_id)
        try:
            if mount.is_mountpoint(f"{home}/merged"):
                raise Internal(f"root {container_id} is mounted")
            staging = self.layout.staging()
        except OSError as e:
            raise Internal(f"storage: {e}") from e
        info = self.keep_now(staging, f"{home}/upper", parent, size_bytes)
        self.layers.trash.throw(home)
        return info

    async def alias(self, chain_id: ChainId, parent: ChainId | None, diff_id: Digest, of: ChainId) -> LayerInfo:
        known = self.layers.known.get(chain_id)
        if known is not None:
            return known
        original = self.layers.known.get(of)
        if original is None:
            raise NotFound(f"layer {of} does not exist")
        await self.settle()
        info = LayerInfo(chain_id=chain_id, parent=parent, diff_id=diff_id, size_bytes=original.size_bytes)
        owner = self.layers.aliases.owner(of)
        await self.pool.run(self.alias_now, info, owner)
        self.layers.known[chain_id] = info
        self.layers.aliases.owners[chain_id] = owner
        return info

    def alias_now(self, info: LayerInfo, owner: ChainId) -> None:
        target = self.layout.layer(info.chain_id)
        if os.path.lexists(target):
            return  # another caller was faster
        try:
            staging = self.layout.staging()
            self.layers.aliases.link(owner, f"{staging}/diff")
            write(f"{staging}/{INFO}", encode(info), synced=True)
            os.chmod(staging, 0o711)  # noqa: S103 - as of other layers
            filesystem.sync_directory(staging)
            os.rename(staging, target)
            filesystem.sync_directory(self.layout.layers)
        except OSError as e:
            raise Internal(f"storage: {e}") from e

    def view(self, layers: Sequence[ChainId], staged: Staged | None = None) -> RootView:
        for chain_id in layers:
            if self.layers.get(chain_id) is None:
                raise NotFound(f"layer {chain_id} does not exist")
        lower = [self.layout.diff(chain_id) for chain_id in reversed(layers)]
        if staged is None:
            return RootView(lower=lower, options=list(self.rootfs.options))
        return RootView(lower=lower, upper=staged.upper, work=staged.work, options=list(self.rootfs.options))

    def changes(self, chain_id: ChainId) -> tuple[str, list[str]]:
        below = [self.layout.diff(each) for each in self.ancestry(chain_id)]
        return self.layout.diff(chain_id), [*below, self.layout.base]

    def ancestry(self, chain_id: ChainId) -> Sequence[ChainId]:
        return self.layers.ancestry(chain_id)[1:]

    def aliases(self, chain_id: ChainId) -> Sequence[ChainId]:
        aliases = self.layers.aliases
        owner = aliases.owner(chain_id)
        return [each for each in (owner, *aliases.of(owner)) if each != chain_id]

    async def space(self) -> tuple[int, int]:
        status = await self.pool.run(os.statvfs, self.layout.root)
        return status.f_blocks * status.f_frsize, status.f_bavail * status.f_frsize

    async def settle(self) -> None:
        """Layers that are being unpacked sync for themselves; the run is shared with them."""
        waiting = set(self.layers.unsettled)
        if waiting:
            await self.layers.sync.run()
            await self.pool.run(self.believe, waiting)
            self.layers.unsettled -= waiting

    def believe(self, layers: Iterable[ChainId]) -> None:
        for chain_id in layers:
            with suppress(FileNotFoundError):  # removed meanwhile
                os.unlink(f"{self.layout.layer(chain_id)}/{UNSETTLED}")


def write(path: str, data: bytes, *, synced: bool = False) -> None:
    with open(path, "xb") as file:
        file.write(data)
        if synced:
            file.flush()
            os.fsync(file.fileno())
