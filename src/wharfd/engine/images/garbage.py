"""Blobs and layers that nothing refers to go away.

The record goes first, then what hung on it: a crash in between leaves garbage, which `open` finds at the next start.  Content comes
before its record, under a lease: a crash leaves garbage again, never a record without content.

What refers to a blob: an image's record.  What refers to a layer: an image's record, or a container that stands on it.  Whoever else
needs blobs or layers (the build cache) says so by a function in `keepers`, and names such blobs in `also_kept`.

What an unfinished pull has brought is neither: it stays for a day, so that the next pull goes on from it (`expire`, `abandon`).
"""

import logging
from collections.abc import Callable, Iterable, Set
from itertools import chain

from wharfd.engine.images.leases import Leases
from wharfd.engine.images.survey import survey
from wharfd.engine.ledger import Ledger
from wharfd.model.errors import EngineError
from wharfd.model.ids import ChainId, Digest, ImageId
from wharfd.model.image import ImageRecord
from wharfd.ports.clock import Clock
from wharfd.ports.content import ResumableContent
from wharfd.ports.records import Deletion
from wharfd.ports.storage import LayerStore
from wharfd.wire.oci import Descriptor

log = logging.getLogger(__name__)

KEEP_REMNANTS_NS = 24 * 3600 * 1_000_000_000


class Garbage:
    def __init__(
        self, *, ledger: Ledger, clock: Clock, content: ResumableContent, layers: LayerStore, leases: Leases
    ) -> None:
        self.ledger = ledger
        self.clock = clock
        self.content = content
        self.layers = layers
        self.leases = leases
        self.blobs: dict[ImageId, frozenset[Digest]] = {}
        self.keepers: list[Callable[[str], bool]] = []
        self.also_kept: list[Callable[[], Set[Digest]]] = []
        self.postponed: set[str] = set()  # layers that were in use when nothing else wanted them any more

    def note(self, image_id: ImageId, blobs: Iterable[Digest]) -> None:
        """Once its record is committed, and before the lease on its content ends: what the image consists of."""
        self.blobs[image_id] = self.blobs.get(image_id, frozenset()) | frozenset(blobs)

    async def open(self) -> None:
        """At start, when records, content and layers are open: records and what is there are made to agree."""
        for record in list(self.ledger.images.values()):
            try:
                found = await survey(self.content, descriptor_of(record))
            except EngineError as e:
                log.error("image=%s tags=%s its content is lost: %s", record.id, record.tags, e)
                await self.ledger.commit(Deletion(kind="image", id=record.id))
            else:
                self.note(record.id, found.blobs)
        others = (keeps() for keeps in self.also_kept)
        await self.content.claim({*(blob for blobs in self.blobs.values() for blob in blobs), *chain(*others)})
        freed = await self.expire()
        freed += await self.collect([*self.content.list(), *(info.chain_id for info in self.layers.list())])
        if freed:
            log.info("unreferenced content removed bytes=%d", freed)

    def of(self, record: ImageRecord) -> list[str]:
        """Everything that may become garbage with this image."""
        return [*self.blobs.get(record.id, ()), *(each for p in record.platforms for each in p.chain_ids)]

    async def collect(self, keys: Iterable[str]) -> int:
        """Delete those of the blobs and layers that nothing refers to and nobody holds; remnants stay.  Returns the bytes freed."""
        wanted = list(dict.fromkeys(keys))
        for image_id in [each for each in self.blobs if each not in self.ledger.images]:
            del self.blobs[image_id]
        freed = 0
        kept = self.content.unclaimed()
        for key in wanted:
            freed += await self.drop_blob(Digest(key), kept)
        # The upper ones first: a layer that is there has its parents.
        for key in sorted(wanted, key=lambda each: self.depth(ChainId(each)), reverse=True):
            freed += await self.drop_layer(ChainId(key))
        return freed

    async def expire(self) -> int:
        """What unfinished pulls have left too long ago goes away.  Returns the bytes freed."""
        limit_ns = self.clock.now_ns() - KEEP_REMNANTS_NS
        return await self.abandon(each.digest for each in await self.content.remnants() if each.changed_ns < limit_ns)

    async def abandon(self, digests: Iterable[Digest] | None = None) -> int:
        """Remnants go away (None: all), but for those that somebody holds.  Returns the bytes freed."""
        wanted = None if digests is None else set(digests)
        freed = 0
        for remnant in await self.content.remnants():
            digest = remnant.digest
            if wanted is not None and digest not in wanted:
                continue
            with self.leases.remove(digest) as is_free:
                if not is_free:
                    continue
                await self.content.drop_remnant(digest)
            freed += await self.collect([digest]) if remnant.whole else remnant.size
        return freed

    async def drop_blob(self, digest: Digest, kept: Set[Digest]) -> int:
        if not self.content.has(digest) or digest in kept or any(digest in blobs for blobs in self.blobs.values()):
            return 0
        if self.is_kept(digest):
            return 0
        with self.leases.remove(digest) as is_free:
            if not is_free:
                return 0
            size = self.content.size(digest)
            await self.content.delete(digest)
        return size

    async def drop_layer(self, chain_id: ChainId) -> int:
        info = self.layers.get(chain_id)
        if info is None or self.is_layer_of_image(chain_id) or self.is_kept(chain_id):
            self.postponed.discard(chain_id)
            return 0
        with self.leases.remove(chain_id) as is_free:
            if not is_free or self.is_layer_of_container(chain_id):
                self.postponed.add(chain_id)
                return 0
            await self.layers.remove(chain_id)
        self.postponed.discard(chain_id)
        return info.size_bytes

    async def follow(self) -> None:
        """Background work: containers that outlived their image take its layers along when they are removed."""
        subscription = self.ledger.bus.subscribe()
        try:
            while (event := await subscription.next()) is not None:
                if event.type == "container" and event.action == "destroy" and self.postponed:
                    await self.collect(list(self.postponed))
        finally:
            subscription.close()

    def is_kept(self, key: str) -> bool:
        return any(keeps(key) for keeps in self.keepers)

    def is_layer_of_image(self, chain_id: ChainId) -> bool:
        return any(
            chain_id in platform.chain_ids for image in self.ledger.images.values() for platform in image.platforms
        )

    def is_layer_of_container(self, chain_id: ChainId) -> bool:
        return any(
            (record.rootfs is not None and chain_id in record.rootfs.layers)
            or any(chain_id in part.layers for part in record.parts.values())
            for record in self.ledger.containers
        )

    def depth(self, chain_id: ChainId) -> int:
        depth = 0
        info = self.layers.get(chain_id)
        while info is not None:
            depth += 1
            info = self.layers.get(info.parent) if info.parent is not None else None
        return depth


def descriptor_of(record: ImageRecord) -> Descriptor:
    return Descriptor(media_type=record.media_type, digest=Digest(record.id), size=record.size)
