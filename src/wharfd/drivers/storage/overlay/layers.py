"""Layers as directories: the `LayerStore` port.

Layers of one image are unpacked side by side, each into a directory of its own, and appear in order, the lower first: a layer that is
there has all its parents.
"""

import os
from collections.abc import Sequence
from typing import Protocol

import msgspec

from wharfd.drivers.storage.overlay.aliases import Aliases
from wharfd.drivers.storage.overlay.flight import SingleFlights
from wharfd.drivers.storage.overlay.layout import Layout
from wharfd.drivers.storage.overlay.settle import settle
from wharfd.drivers.storage.overlay.syncing import SharedSync
from wharfd.drivers.storage.overlay.trash import Trash
from wharfd.model.archive import UnpackedLayer
from wharfd.model.errors import EngineError, Internal, InvalidParameter, NotFound
from wharfd.model.ids import ChainId, Digest
from wharfd.ports.content import GrowingBlob
from wharfd.ports.storage import Growing, LayerInfo, Ready
from wharfd.ports.workers import LayerUnpacker, TreeRemover
from wharfd.sys import filesystem
from wharfd.sys.blocking import Pool

INFO = "info.json"
UNSETTLED = "unsettled"
BOOT_ID = "/proc/sys/kernel/random/boot_id"
encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(LayerInfo).decode


class LayerWorkers(LayerUnpacker, TreeRemover, Protocol):
    """What this driver needs of worker processes."""


class OverlayLayers:
    def __init__(self, layout: Layout, pool: Pool, workers: LayerWorkers) -> None:
        self.layout = layout
        self.pool = pool
        self.workers = workers
        self.trash = Trash(layout, pool, workers)
        self.known: dict[ChainId, LayerInfo] = {}
        self.flights: SingleFlights[LayerInfo] = SingleFlights()
        self.sync = SharedSync(layout.root, pool)
        self.aliases = Aliases(layout)
        self.unsettled: set[ChainId] = set()

    async def open(self) -> None:
        """Called by the root file systems' `open`, after the directories were made."""
        self.known = await self.pool.run(self.scan)
        await self.trash.empty()

    def scan(self) -> dict[ChainId, LayerInfo]:
        found = {}
        for name in os.listdir(self.layout.unpacking):
            self.trash.throw(f"{self.layout.unpacking}/{name}")
        for name in os.listdir(self.layout.layers):
            try:
                with open(f"{self.layout.layers}/{name}/{INFO}", "rb") as file:
                    info = decode(file.read())
                self.aliases.read(info.chain_id)
                if self.is_unsettled(info.chain_id):
                    self.unsettled.add(info.chain_id)
            except (OSError, ValueError, msgspec.MsgspecError):
                # Not ours, or damaged: out of the way, so that the layer can be unpacked again.
                self.trash.throw(f"{self.layout.layers}/{name}")
                continue
            found[info.chain_id] = info
        return found

    def is_unsettled(self, chain_id: ChainId) -> bool:
        """Raises ValueError for a layer that a power cut may have cut."""
        try:
            with open(f"{self.layout.layer(chain_id)}/{UNSETTLED}", encoding="ascii") as file:
                boot = file.read()
        except FileNotFoundError:
            return False
        if boot != boot_id():
            raise ValueError("made before the last boot, and perhaps not whole")
        return True

    def add_unsettled(self, info: LayerInfo) -> None:
        self.known[info.chain_id] = info
        self.unsettled.add(info.chain_id)

    def get(self, chain_id: ChainId) -> LayerInfo | None:
        return self.known.get(chain_id)

    def list(self) -> Sequence[LayerInfo]:
        return list(self.known.values())

    async def unpack(
        self,
        chain_id: ChainId,
        parent: ChainId | None,
        diff_id: Digest,
        blob_path: str,
        compression: str,
        ready: Ready | None = None,
        growing: Growing | None = None,
    ) -> LayerInfo:
        info = self.known.get(chain_id)
        if info is not None:
            return info
        if parent is not None and parent not in self.known and parent not in self.flights:
            raise NotFound(f"layer {parent} does not exist")
        return await self.flights.join(
            chain_id, lambda: self.make(chain_id, parent, diff_id, blob_path, compression, ready, growing)
        )

    async def make(
        self,
        chain_id: ChainId,
        parent: ChainId | None,
        diff_id: Digest,
        blob_path: str,
        compression: str,
        ready: Ready | None,
        growing: Growing | None,
    ) -> LayerInfo:
        coming = await growing() if growing is not None else None
        if coming is None and ready is not None:
            await ready()
        staging = self.layout.new_staging()
        try:
            await self.pool.run(os.mkdir, staging, 0o700)
            unpacked = None
            if coming is not None:
                unpacked = await self.unpack_early(coming, ready, compression, f"{staging}/diff")
            if unpacked is None:
                unpacked = await self.workers.unpack(blob_path, compression, f"{staging}/diff")
            if unpacked.diff_id != diff_id:
                raise InvalidParameter(f"invalid layer: its content is {unpacked.diff_id}, the image says {diff_id}")
            if parent is not None:
                await self.wait_for(parent)
            info = await self.pool.run(self.finish, staging, chain_id, parent, unpacked)
            await self.sync.run()
            await self.pool.run(self.publish, staging, info)
        except BaseException:
            await self.trash.discard(staging)
            raise
        return info

    async def unpack_early(
        self, blob: GrowingBlob, ready: Ready | None, compression: str, into: str
    ) -> UnpackedLayer | None:
        """Unpack a blob while it is coming.  None: it is whole now, and is to be read from its beginning.

        What fails because these bytes were not the blob's (a transfer that broke off, or that brought something else) says nothing.
        """
        failure: EngineError | None = None
        unpacked = None
        try:
            unpacked = await self.workers.unpack_growing(blob, compression, into)
        except EngineError as e:
            failure = e
        if ready is not None:
            await ready()
        if blob.is_whole and failure is not None:
            raise failure
        if blob.is_whole and unpacked is not None:
            return unpacked
        await self.trash.discard(into)
        return None

    async def wait_for(self, chain_id: ChainId) -> None:
        """Wait for a layer that is being unpacked.  Raises what that raises."""
        if chain_id in self.known:
            return
        if chain_id not in self.flights:
            raise NotFound(f"layer {chain_id} could not be unpacked")
        await self.flights.join(chain_id, self.never)

    async def never(self) -> LayerInfo:
        raise Internal("a layer's parent was to be unpacked by its child")

    def finish(self, staging: str, chain_id: ChainId, parent: ChainId | None, unpacked: UnpackedLayer) -> LayerInfo:
        try:
            below = [self.layout.diff(each) for each in self.ancestry(parent)]
            copied = settle(f"{staging}/diff", unpacked, below)
            info = LayerInfo(
                chain_id=chain_id, parent=parent, diff_id=unpacked.diff_id, size_bytes=unpacked.size_bytes + copied
            )
            with open(f"{staging}/{INFO}", "xb") as file:
                file.write(encode(info))
        except OSError as e:
            raise Internal(f"layer {chain_id}: {e}") from e
        return info

    def publish(self, staging: str, info: LayerInfo) -> None:
        """On a thread, which also makes it known: a caller that is cancelled must not leave a layer that nobody knows."""
        chain_id = info.chain_id
        try:
            os.chmod(staging, 0o711)  # noqa: S103 - names inside are of no use without the mount
            os.rename(staging, self.layout.layer(chain_id))
            filesystem.sync_directory(self.layout.layers)
        except OSError as e:
            raise Internal(f"layer {chain_id}: {e}") from e
        self.known[chain_id] = info

    def ancestry(self, chain_id: ChainId | None) -> Sequence[ChainId]:
        """The layer and those below it, the uppermost first.  Raises NotFound."""
        found: list[ChainId] = []
        while chain_id is not None:
            info = self.known.get(chain_id)
            if info is None:
                raise NotFound(f"layer {chain_id} does not exist")
            found.append(chain_id)
            chain_id = info.parent
        return found

    async def remove(self, chain_id: ChainId) -> None:
        if self.known.pop(chain_id, None) is None:
            return
        self.unsettled.discard(chain_id)
        if self.aliases.owners.pop(chain_id, None) is None and self.aliases.of(chain_id):
            await self.pool.run(self.hand_over, chain_id)
        await self.trash.discard(self.layout.layer(chain_id))

    def hand_over(self, chain_id: ChainId) -> None:
        try:
            self.aliases.hand_over(chain_id)
        except OSError as e:
            raise Internal(f"layer {chain_id}: {e}") from e


def boot_id() -> str:
    with open(BOOT_ID, encoding="ascii") as file:
        return file.read().strip()
