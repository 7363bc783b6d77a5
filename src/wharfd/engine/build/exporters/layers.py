"""Archives of layers: found, or made once for all who want them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from wharfd.engine.build.cache import BuildCache
from wharfd.engine.build.sources.images import AS_IT_CAME
from wharfd.engine.images.leases import Lease
from wharfd.engine.tasks import Tasks
from wharfd.model.build import LayerBlob
from wharfd.model.errors import EngineError
from wharfd.model.ids import ChainId, Digest
from wharfd.ports.buildfiles import BuildFiles
from wharfd.ports.content import ContentStore, SpoolStore
from wharfd.ports.snapshots import SnapshotStore
from wharfd.ports.storage import LayerStore
from wharfd.wire.oci import chain_ids
from wharfd.wire.oci.media_types import layer_compression, layer_type


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing:
    """`compression`: "", gzip, zstd.  `clamp_ns`: no file is said to be younger.  `force`: also layers that came from elsewhere."""

    compression: str = "gzip"
    clamp_ns: int | None = None
    force: bool = False

    @property
    def name(self) -> str:
        return (self.compression or "plain") + (f" {self.clamp_ns}" if self.clamp_ns is not None else "")


class LayerArchives:
    def __init__(
        self,
        *,
        tasks: Tasks,
        cache: BuildCache,
        content: ContentStore,
        spools: SpoolStore,
        layers: LayerStore,
        snapshots: SnapshotStore,
        files: BuildFiles,
    ) -> None:
        self.tasks = tasks
        self.cache = cache
        self.content = content
        self.spools = spools
        self.layers = layers
        self.snapshots = snapshots
        self.files = files
        self.making: dict[str, asyncio.Future[LayerBlob]] = {}
        self.naming = asyncio.Lock()

    async def blobs(self, layers: Sequence[ChainId], packing: Packing, lease: Lease) -> Sequence[LayerBlob]:
        """One for each layer, held by the lease.  Those that are not there yet are made side by side."""
        return list(await asyncio.gather(*(self.blob(layer, packing, lease) for layer in layers)))

    async def blob(self, layer: ChainId, packing: Packing, lease: Lease) -> LayerBlob:
        while True:
            known = self.known(layer, packing) or await self.made(layer, packing)
            await lease.hold(known.digest)
            if self.content.has(Digest(known.digest)):
                return known

    def known(self, layer: ChainId, packing: Packing) -> LayerBlob | None:
        names = [packing.name]
        original = self.cache.blob(layer, AS_IT_CAME)
        if original is not None and self.may_use(original, packing):
            names.insert(0, AS_IT_CAME)
        found = (self.cache.blob(layer, name) for name in names)
        return next((each for each in found if each is not None and self.content.has(Digest(each.digest))), None)

    def may_use(self, original: LayerBlob, packing: Packing) -> bool:
        return not packing.force or layer_compression(original.media_type) == packing.compression

    def make_early(self, layer: ChainId, packing: Packing) -> None:
        """It will be wanted.  Who wants it then joins, and hears of what went wrong."""
        if self.known(layer, packing) is None:
            self.begin(layer, packing)

    async def made(self, layer: ChainId, packing: Packing) -> LayerBlob:
        """Goes on if the caller is cancelled: the next build will want it, too."""
        return await asyncio.shield(self.begin(layer, packing))

    def begin(self, layer: ChainId, packing: Packing) -> "asyncio.Future[LayerBlob]":
        key = f"{layer} {packing.name}"
        future = self.making.get(key)
        if future is None:
            future = self.making[key] = asyncio.get_running_loop().create_future()
            self.tasks.spawn(self.make(key, layer, packing, future), f"build-pack:{layer[7:19]}")
        return future

    async def make(self, key: str, layer: ChainId, packing: Packing, future: "asyncio.Future[LayerBlob]") -> None:
        try:
            blob = await self.pack(key, layer, packing)
        except EngineError as error:
            future.set_exception(error)
            future.exception()  # retrieved, also if nobody waits any more
        except BaseException:
            future.cancel()
            raise
        else:
            future.set_result(blob)
        finally:
            del self.making[key]

    async def pack(self, key: str, layer: ChainId, packing: Packing) -> LayerBlob:
        upper, lower = self.snapshots.changes(layer)
        spool = await self.spools.spool()
        try:
            packed = await self.files.pack(upper, lower, spool.path, packing.compression, packing.clamp_ns)
            if not self.content.has(packed.digest):
                await spool.adopt({packed.digest.removeprefix("sha256:"): packed.digest})
        finally:
            await spool.drop()
        blob = LayerBlob(
            id=key,
            diff_id=packed.diff_id,
            digest=packed.digest,
            size=packed.size,
            media_type=layer_type(packing.compression),
            created_ns=self.cache.times.get(layer, 0),
        )
        await self.cache.note_blobs([blob])
        return blob

    async def name(self, layers: Sequence[ChainId], blobs: Sequence[LayerBlob], lease: Lease) -> None:
        """Give the layers their chain ids, under which images know them."""
        chain = chain_ids([blob.diff_id for blob in blobs])
        await lease.hold(*chain)
        below: ChainId | None = None
        for layer, blob, chain_id in zip(layers, blobs, chain, strict=True):
            async with self.naming:  # two results of the same files would give one name at the same time
                if self.layers.get(chain_id) is None:
                    await self.snapshots.alias(chain_id, below, Digest(blob.diff_id), layer)
            below = chain_id
