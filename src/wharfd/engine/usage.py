"""How much room everything takes, for `docker system df`.

What images take stands in their records; writable layers and volumes are measured, one after the other and only if they are asked for,
large volumes not at every question (`volumes/sizes.py`).
Calls that come while one is measuring get its answer.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from wharfd.engine.build.usage import CacheItem
from wharfd.engine.containers.list import ContainerList, ListContainers, ListQuery
from wharfd.engine.containers.status import is_at_work
from wharfd.engine.images.sizes import ImagesUsage, images_usage
from wharfd.engine.images.views import ImageSummary, ImageViews
from wharfd.engine.joined import Joined
from wharfd.engine.ledger import Ledger
from wharfd.engine.tasks import Tasks
from wharfd.engine.volumes.list import users
from wharfd.engine.volumes.make import LOCAL
from wharfd.engine.volumes.sizes import VolumeSizes
from wharfd.model.errors import NotFound
from wharfd.model.volume import VolumeRecord
from wharfd.ports.volumes import VolumeDriver
from wharfd.wire.filters import NO_FILTERS

UNKNOWN_SIZE = -1


class Kind(StrEnum):
    """In the words of the API's `type`."""

    CONTAINER = "container"
    IMAGE = "image"
    VOLUME = "volume"
    BUILD_CACHE = "build-cache"


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """`active`: how many of `count` are in use; `reclaimable_bytes`: what the others take."""

    count: int = 0
    active: int = 0
    total_bytes: int = 0
    reclaimable_bytes: int = 0


@dataclass(frozen=True, slots=True)
class ContainersUsage:
    totals: Totals
    listed: ContainerList


@dataclass(frozen=True, slots=True)
class ImageItems:
    totals: Totals
    items: Sequence[ImageSummary]


@dataclass(frozen=True, slots=True)
class VolumeItem:
    """`size_bytes` -1: not known (a volume with a file system of its own, which is mounted only while it is used)."""

    record: VolumeRecord
    size_bytes: int
    users: int


@dataclass(frozen=True, slots=True)
class VolumesUsage:
    totals: Totals
    items: Sequence[VolumeItem]


@dataclass(frozen=True, slots=True)
class BuildCacheItems:
    totals: Totals
    items: Sequence[CacheItem]


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """None: not asked for."""

    containers: ContainersUsage | None = None
    images: ImageItems | None = None
    volumes: VolumesUsage | None = None
    build_cache: BuildCacheItems | None = None


class DiskUsage:
    def __init__(
        self,
        *,
        ledger: Ledger,
        tasks: Tasks,
        list_containers: ListContainers,
        images: ImageViews,
        volumes: Mapping[str, VolumeDriver],
        build_cache: Callable[[], Sequence[CacheItem]],
    ) -> None:
        self.ledger = ledger
        self.list_containers = list_containers
        self.images = images
        self.volumes = volumes
        self.build_cache = build_cache
        self.sizes = VolumeSizes()
        self.joined_containers = Joined(tasks, self.of_containers, "usage:containers")
        self.joined_volumes = Joined(tasks, self.of_volumes, "usage:volumes")

    async def __call__(self, kinds: Collection[Kind]) -> Usage:
        return Usage(
            containers=await self.joined_containers() if Kind.CONTAINER in kinds else None,
            images=await self.of_images() if Kind.IMAGE in kinds else None,
            volumes=await self.joined_volumes() if Kind.VOLUME in kinds else None,
            build_cache=self.of_build_cache() if Kind.BUILD_CACHE in kinds else None,
        )

    async def of_containers(self) -> ContainersUsage:
        listed = await self.list_containers(ListQuery(all=True, size=True))
        sizes = [(each.size.rw if each.size else 0, is_at_work(each.record)) for each in listed.entries]
        return ContainersUsage(totals_of(sizes), listed)

    async def of_images(self) -> ImageItems:
        items = await self.images.summaries(NO_FILTERS, shared_size=True)
        found: ImagesUsage = images_usage(self.ledger)
        totals = Totals(
            count=len(found.rows),
            active=found.active,
            total_bytes=found.total_bytes,
            reclaimable_bytes=found.reclaimable_bytes,
        )
        return ImageItems(totals, items)

    def of_build_cache(self) -> BuildCacheItems:
        """Docker: what images have, too, counts with them."""
        items = self.build_cache()
        own = [item for item in items if not item.is_shared]
        totals = replace(totals_of([(item.record.size_bytes, item.in_use) for item in own]), count=len(items))
        return BuildCacheItems(totals, items)

    async def of_volumes(self) -> VolumesUsage:
        used = users(self.ledger)
        items = [
            VolumeItem(volume, await self.size_of(volume), len(used.get(volume.name, ())))
            for volume in list(self.ledger.volumes.values())
        ]
        self.sizes.forget()
        return VolumesUsage(totals_of([(max(each.size_bytes, 0), each.users > 0) for each in items]), items)

    async def size_of(self, volume: VolumeRecord) -> int:
        """Docker: does not count volumes with mount options; what is behind them may be another machine's."""
        if volume.options or volume.driver != LOCAL:
            return UNKNOWN_SIZE
        try:
            return await self.sizes.of(volume.name, volume.created_ns, lambda: self.volumes[volume.driver].size(volume))
        except NotFound:  # it has been removed meanwhile
            return 0


def totals_of(sizes: Sequence[tuple[int, bool]]) -> Totals:
    """From (bytes, in use)."""
    return Totals(
        count=len(sizes),
        active=sum(1 for _, in_use in sizes if in_use),
        total_bytes=sum(size for size, _ in sizes),
        reclaimable_bytes=sum(size for size, in_use in sizes if not in_use),
    )
