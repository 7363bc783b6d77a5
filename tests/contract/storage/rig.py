"""Makes layers out of tar members, the way that the engine does."""

import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.tars import Member, tar_of
from wharfd.drivers.storage.overlay.layers import OverlayLayers
from wharfd.drivers.storage.overlay.layout import Layout
from wharfd.drivers.storage.overlay.rootfs import OverlayRootfs
from wharfd.drivers.workers.pool import WorkerPool
from wharfd.model.container import Rootfs
from wharfd.model.ids import ChainId, ContainerId, Digest
from wharfd.ports.storage import LayerInfo, LayerStore, RootfsStore
from wharfd.sys import mount
from wharfd.sys.blocking import Pool
from wharfd.wire.oci import chain_ids

CONTAINER = ContainerId("c" * 64)


class Blob:
    """A layer on its way in: where its bytes lie and what they hash to."""

    def __init__(self, folder: Path, *members: Member) -> None:
        data = tar_of(*members)
        self.diff_id = Digest("sha256:" + hashlib.sha256(data).hexdigest())
        self.path = str(folder / self.diff_id)
        Path(self.path).write_bytes(data)


class StorageRig:
    def __init__(self, layers: LayerStore, rootfs: RootfsStore, folder: Path) -> None:
        self.layers = layers
        self.rootfs = rootfs
        self.folder = folder

    def blob(self, *members: Member) -> Blob:
        return Blob(self.folder, *members)

    async def stack(self, *contents: list[Member]) -> list[ChainId]:
        """Unpack layers upon each other, the lowest first."""
        blobs = [self.blob(*members) for members in contents]
        chain = chain_ids([blob.diff_id for blob in blobs])
        parent = None
        for blob, chain_id in zip(blobs, chain, strict=True):
            await self.layers.unpack(chain_id, parent, blob.diff_id, blob.path, "")
            parent = chain_id
        return list(chain)

    async def unpack(self, blob: Blob, *parents: Blob) -> LayerInfo:
        """`parents`: the lowest first."""
        chain = chain_ids([each.diff_id for each in (*parents, blob)])
        return await self.layers.unpack(chain[-1], chain[-2] if parents else None, blob.diff_id, blob.path, "")

    async def mounted(self, *contents: list[Member]) -> tuple[Rootfs, Path]:
        rootfs = await self.rootfs.prepare(CONTAINER, await self.stack(*contents))
        return rootfs, Path(await self.rootfs.mount(CONTAINER, rootfs))


@asynccontextmanager
async def on_disk(place: Path, folder: Path) -> AsyncIterator[StorageRig]:
    """The real driver in the directory `place`; blobs come from `folder`."""
    pool, workers = Pool("storage", 4), WorkerPool()
    layout = Layout(str(place))
    layers = OverlayLayers(layout, pool, workers)
    rootfs = OverlayRootfs(layout, layers, pool)
    await rootfs.open()
    yield StorageRig(layers, rootfs, folder)
    for name in os.listdir(layout.containers):
        mount.detach(f"{layout.containers}/{name}/merged")
    await workers.close()
    pool.close()
