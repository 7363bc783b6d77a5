"""What the build cache takes, record by record, as `docker system df` and `docker buildx du` show it."""

from collections.abc import Sequence
from dataclasses import dataclass

from wharfd.engine.build.cache import BuildCache
from wharfd.engine.ledger import Ledger
from wharfd.model.build import CacheRecord
from wharfd.model.ids import ChainId
from wharfd.ports.snapshots import SnapshotStore


@dataclass(frozen=True, slots=True)
class CacheItem:
    """`is_shared`: its layers belong to an image, too, and stay when the record goes."""

    record: CacheRecord
    in_use: bool
    is_shared: bool


class BuildCacheUsage:
    def __init__(self, *, ledger: Ledger, cache: BuildCache, snapshots: SnapshotStore) -> None:
        self.ledger = ledger
        self.cache = cache
        self.snapshots = snapshots

    def __call__(self) -> Sequence[CacheItem]:
        """The oldest first."""
        of_images = {
            chain_id
            for image in self.ledger.images.values()
            for platform in image.platforms
            for chain_id in platform.chain_ids
        }
        return [
            CacheItem(record, self.cache.users[record.id] > 0, self.is_shared(record, of_images))
            for record in sorted(self.cache.records(), key=lambda record: record.created_ns)
        ]

    def is_shared(self, record: CacheRecord, of_images: set[str]) -> bool:
        return any(alias in of_images for layer in record.made for alias in self.snapshots.aliases(ChainId(layer)))
