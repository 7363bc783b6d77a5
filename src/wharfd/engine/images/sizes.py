"""How much room images take: of one, of what they share, of all together.  Reads records only."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from wharfd.engine.ledger import Ledger
from wharfd.model.image import ImagePlatform, ImageRecord


@dataclass(slots=True, kw_only=True)
class ImageUsage:
    """`size_bytes`: content and unpacked layers of all platforms; `shared_bytes`: of that, layers that other images have too."""

    record: ImageRecord
    size_bytes: int
    shared_bytes: int
    containers: int


@dataclass(slots=True, kw_only=True)
class ImagesUsage:
    """For `docker system df`.  Every blob and layer counted once; `reclaimable_bytes`: of images that no container uses."""

    rows: list[ImageUsage]
    total_bytes: int
    reclaimable_bytes: int
    active: int


def images_usage(ledger: Ledger) -> ImagesUsage:
    uses = Counter(container.image_id for container in ledger.containers)
    shared = shared_layers(ledger)
    rows = []
    total = reclaimable = 0
    seen: set[str] = set()
    # Images in use first: what they share with others is not reclaimable.
    for record in sorted(ledger.images.values(), key=lambda each: not uses[each.id]):
        own = own_size(record, seen)
        total += own
        reclaimable += 0 if uses[record.id] else own
        rows.append(
            ImageUsage(
                record=record,
                size_bytes=total_size(record),
                shared_bytes=sum(shared.get(chain_id, 0) for chain_id in chain_set(record)),
                containers=uses[record.id],
            )
        )
    active = sum(1 for record in ledger.images.values() if uses[record.id])
    return ImagesUsage(rows=rows, total_bytes=total, reclaimable_bytes=reclaimable, active=active)


def chain_set(record: ImageRecord) -> set[str]:
    return {chain_id for platform in record.platforms for chain_id in platform.chain_ids}


def layer_sizes(records: Sequence[ImageRecord]) -> dict[str, int]:
    return {
        chain_id: size
        for record in records
        for platform in record.platforms
        for chain_id, size in zip(platform.chain_ids, platform.layer_sizes, strict=False)
    }


def shared_layers(ledger: Ledger) -> dict[str, int]:
    """Sizes of the layers that more than one image has."""
    records = list(ledger.images.values())
    count = Counter(chain_id for record in records for chain_id in chain_set(record))
    return {chain_id: size for chain_id, size in layer_sizes(records).items() if count[chain_id] > 1}


def content_size(record: ImageRecord, platform: ImagePlatform) -> int:
    index = record.size if str(record.id) != str(platform.manifest) else 0
    return index + platform.content_size


def total_size(record: ImageRecord) -> int:
    """Docker: content as stored, and the layers unpacked."""
    return sum(layer_sizes([record]).values()) + sum(p.content_size for p in record.platforms) + index_size(record)


def index_size(record: ImageRecord) -> int:
    return 0 if any(str(platform.manifest) == str(record.id) for platform in record.platforms) else record.size


def own_size(record: ImageRecord, seen: set[str]) -> int:
    """What this image adds to those seen before."""
    size = index_size(record)
    for platform in record.platforms:
        if platform.manifest not in seen:
            seen.add(platform.manifest)
            size += platform.content_size
        for chain_id, layer in zip(platform.chain_ids, platform.layer_sizes, strict=False):
            if chain_id not in seen:
                seen.add(chain_id)
                size += layer
    return size
