"""What the records speak of: blobs, layers and directories, each with who needs it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from wharfd.engine.images.survey import MAX_DEPTH, is_document
from wharfd.model.build import CacheKind, CacheRecord
from wharfd.model.container import ContainerRecord
from wharfd.model.errors import EngineError, InvalidParameter
from wharfd.model.ids import ChainId, Digest, short_id
from wharfd.model.image import ImageRecord
from wharfd.ports.records import Snapshot
from wharfd.wire.oci import Descriptor, Index, decode_target

ReadBlob = Callable[[Digest], bytes | None]  # None: it is not there


@dataclass(slots=True)
class Wanted:
    """Names with the words for who needs them.  `may`: is explained by a record, and need not be there."""

    blobs: dict[Digest, str] = field(default_factory=dict)
    sizes: dict[Digest, int] = field(default_factory=dict)
    layers: dict[ChainId, str] = field(default_factory=dict)
    roots: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    volumes: dict[str, str] = field(default_factory=dict)
    trees: dict[str, str] = field(default_factory=dict)
    mounts: dict[str, str] = field(default_factory=dict)
    may: set[str] = field(default_factory=set)
    damaged: list[tuple[Digest, str]] = field(default_factory=list)

    def need(self, descriptor: Descriptor, who: str) -> None:
        self.blobs.setdefault(descriptor.digest, who)
        self.sizes[descriptor.digest] = descriptor.size


def wanted_by(records: Snapshot, read: ReadBlob) -> Wanted:
    found = Wanted()
    for image in records.images:
        add_image(image, read, found)
    for container in records.containers:
        add_container(container, found)
    for volume in records.volumes:
        if volume.driver == "local":
            found.volumes[volume.name] = f"volume {volume.name}"
    for cached in records.build_cache:
        add_cached(cached, found)
    kept = {layer for each in records.build_cache for layers in each.outputs for layer in layers}
    for blob in records.build_layers:
        if blob.id.partition(" ")[0] in kept:
            found.blobs.setdefault(Digest(blob.digest), f"build layer {blob.id}")
            found.sizes[Digest(blob.digest)] = blob.size
    for build in records.builds:
        for digest in (build.log, *build.blobs):
            if digest:
                found.blobs.setdefault(Digest(digest), f"build {build.id}")
    return found


def add_image(image: ImageRecord, read: ReadBlob, found: Wanted) -> None:
    who = f"image {(image.tags or image.digests or [short_id(image.id)])[0]}"
    target = Descriptor(media_type=image.media_type, digest=Digest(image.id), size=image.size)
    found.need(target, who)
    for platform in image.platforms:
        found.may |= set(platform.chain_ids)  # what is not unpacked will be when a container needs it
        if platform.available:
            found.blobs.setdefault(platform.config_digest, who)
    whole = {platform.manifest for platform in image.platforms if platform.available}
    for descriptor, is_needed in content_of(target, read, whole, found):
        if is_needed:
            found.need(descriptor, who)
        else:
            found.may.add(descriptor.digest)


def content_of(
    target: Descriptor, read: ReadBlob, whole: set[Digest], found: Wanted, depth: int = MAX_DEPTH
) -> Iterator[tuple[Descriptor, bool]]:
    """What hangs on a document, and whether it must be there: an index may name what was never brought."""
    data = read(target.digest)
    if data is None:
        return
    try:
        document = decode_target(data, target.media_type)
        if isinstance(document, Index):
            if depth == 0:
                raise InvalidParameter("nested too deeply")
            for child in document.manifests:
                yield child, child.digest in whole
                if is_document(child):
                    yield from content_of(child, read, whole, found, depth - 1)
            return
    except EngineError as e:
        found.damaged.append((target.digest, str(e)))
        return
    for blob in (document.config, *document.layers):
        yield blob, target.digest in whole


def add_container(container: ContainerRecord, found: Wanted) -> None:
    who = f"container {container.name or short_id(container.id)}"
    for part in container.parts.values():
        found.layers.update({ChainId(layer): who for layer in part.layers})
    if container.started_ns:
        found.files[container.id] = who
    found.may.add(container.id)
    if container.rootfs is not None:
        found.layers.update({ChainId(layer): who for layer in container.rootfs.layers})
        found.roots[container.id] = who


def add_cached(cached: CacheRecord, found: Wanted) -> None:
    who = f"build cache {cached.id}"
    for layers in cached.outputs:
        found.layers.update({ChainId(layer): who for layer in layers})
    if cached.kind is CacheKind.LOCAL and cached.directory:
        found.trees[cached.directory] = who
    if cached.kind is CacheKind.MOUNT and cached.directory:
        found.mounts[cached.directory] = who
