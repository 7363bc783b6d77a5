"""What steps have made and may be used again: the records in the ledger, found by their keys.

A record is written when the step is done and its layers are in their place, so an engine that dies in between leaves layers that no record
explains; those go at the next start.  Records whose layers are gone are not believed.
"""

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence, Set
from contextlib import contextmanager

import msgspec

from wharfd.engine.images.garbage import Garbage
from wharfd.engine.ledger import Ledger
from wharfd.model.build import CacheKind, CacheRecord, LayerBlob
from wharfd.model.ids import ChainId, Digest
from wharfd.ports.clock import Clock
from wharfd.ports.records import Deletion
from wharfd.ports.storage import LayerStore

log = logging.getLogger(__name__)

MAX_QUICK_KEYS = 16
MAX_FACTS = 64


class BuildCache:
    def __init__(self, *, ledger: Ledger, clock: Clock, layers: LayerStore, garbage: Garbage) -> None:
        self.ledger = ledger
        self.clock = clock
        self.layers = layers
        self.garbage = garbage
        self.removers: dict[CacheKind, Callable[[CacheRecord], Awaitable[None]]] = {}  # of what is no layer
        self.by_key: dict[str, str] = {}
        self.times: dict[str, int] = {}  # when layers were made
        self.needed: frozenset[Digest] | None = None
        self.kept: Counter[str] = Counter()  # layers, by how many records need them
        self.users: Counter[str] = Counter()  # records, by how many builds work with them
        garbage.keepers.append(self.keeps)
        garbage.also_kept.append(self.blobs_needed)

    async def open(self) -> None:
        """Once layers are known, before garbage is collected."""
        lost = []
        for record in list(self.ledger.build_cache.values()):
            if self.is_whole(record):
                self.index(record)
            else:
                lost.append(Deletion(kind="build-cache", id=record.id))
        if lost:
            log.info("build cache: records=%d have lost their layers", len(lost))
            await self.ledger.commit(*lost)

    def is_whole(self, record: CacheRecord) -> bool:
        return all(self.layers.get(ChainId(layer)) is not None for layers in record.outputs for layer in layers)

    def index(self, record: CacheRecord) -> None:
        for key in (*record.quick_keys, record.key):
            self.by_key[key] = record.id
        self.kept.update({layer for layers in record.outputs for layer in layers})
        self.times |= dict.fromkeys(record.made, record.created_ns)
        self.needed = None

    def forget(self, record: CacheRecord) -> None:
        for key in (*record.quick_keys, record.key):
            if self.by_key.get(key) == record.id:
                del self.by_key[key]
        self.kept.subtract({layer for layers in record.outputs for layer in layers})
        self.kept += Counter()
        for layer in record.made:
            self.times.pop(layer, None)
        self.needed = None

    def keeps(self, key: str) -> bool:
        """For the garbage collector: is this layer, or the blob of this digest, needed?"""
        return key in self.kept or key in self.blobs_needed()

    def blobs_needed(self) -> Set[Digest]:
        """The archives of kept layers, whether there is an image that has them or not."""
        if self.needed is None:
            blobs = self.ledger.build_layers.values()
            self.needed = frozenset(Digest(blob.digest) for blob in blobs if layer_of(blob) in self.kept)
        return self.needed

    # finding

    def records(self) -> Sequence[CacheRecord]:
        return list(self.ledger.build_cache.values())

    def find(self, key: Digest) -> CacheRecord | None:
        record_id = self.by_key.get(key)
        record = self.ledger.build_cache.get(record_id) if record_id is not None else None
        return record if record is not None and self.is_whole(record) else None

    def get(self, record_id: str) -> CacheRecord | None:
        return self.ledger.build_cache.get(record_id)

    @contextmanager
    def using(self, records: Iterable[str]) -> Iterator[None]:
        """They are not pruned meanwhile."""
        held = list(records)
        self.users.update(held)
        try:
            yield
        finally:
            self.users.subtract(held)
            self.users += Counter()

    # changing

    async def add(self, record: CacheRecord) -> None:
        """It takes the place of another one of the same key."""
        old = self.find(Digest(record.key))
        await self.ledger.commit(record)
        if old is not None:
            record = msgspec.structs.replace(record, quick_keys=list({*record.quick_keys, *old.quick_keys}))
        self.index(record)
        if old is not None and not self.users[old.id]:
            await self.remove([old])

    def touch(
        self, record: CacheRecord, quick_key: Digest | None = None, *, size_bytes: int | None = None
    ) -> CacheRecord:
        """It was used, found by that key if it was."""
        current = self.ledger.build_cache.get(record.id)
        if current is None:
            return record
        keys = current.quick_keys
        if quick_key is not None and quick_key not in keys:
            keys = [*keys, quick_key][-MAX_QUICK_KEYS:]
            self.by_key[quick_key] = record.id
        after = msgspec.structs.replace(
            current,
            used_ns=self.clock.now_ns(),
            uses=current.uses + 1,
            quick_keys=keys,
            size_bytes=current.size_bytes if size_bytes is None else size_bytes,
        )
        self.ledger.post(after)
        return after

    def remember(self, record: CacheRecord, name: str, value: str) -> None:
        current = self.ledger.build_cache.get(record.id)
        if current is not None and current.facts.get(name) != value:
            facts = dict(list(current.facts.items())[-MAX_FACTS:])
            self.ledger.post(msgspec.structs.replace(current, facts={**facts, name: value}))

    async def remove(self, records: Sequence[CacheRecord]) -> int:
        """Returns the bytes freed: what images or other records need of their layers stays."""
        if not records:
            return 0
        layers = {layer for record in records for layer in record.made}
        await self.ledger.commit(*(Deletion(kind="build-cache", id=record.id) for record in records))
        for record in records:
            self.forget(record)
        gone = [
            blob
            for blob in self.ledger.build_layers.values()
            if layer_of(blob) in layers and layer_of(blob) not in self.kept
        ]
        await self.ledger.commit(*(Deletion(kind="build-layer", id=blob.id) for blob in gone))
        for record in records:
            if (remove := self.removers.get(record.kind)) is not None:
                await remove(record)
        freed = sum(record.size_bytes for record in records if record.kind in self.removers)
        freed += sum(info.size_bytes for layer in layers if (info := self.layers.get(ChainId(layer))) is not None)
        await self.garbage.collect([*layers, *(blob.digest for blob in gone)])
        left = (self.layers.get(ChainId(layer)) for layer in layers)
        return freed - sum(info.size_bytes for info in left if info is not None)

    # archives of layers

    def blob(self, layer: str, packing: str) -> LayerBlob | None:
        return self.ledger.build_layers.get(f"{layer} {packing}")

    async def note_blobs(self, blobs: Sequence[LayerBlob]) -> None:
        fresh = [blob for blob in blobs if self.ledger.build_layers.get(blob.id) != blob]
        if fresh:
            await self.ledger.commit(*fresh)
            self.needed = None


def layer_of(blob: LayerBlob) -> str:
    return blob.id.partition(" ")[0]
