"""What hangs on an image's target: documents, configs and layers, as far as the content store has them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import msgspec

from wharfd.model.errors import InvalidParameter
from wharfd.model.ids import Digest
from wharfd.model.image import ImagePlatform
from wharfd.ports.content import ContentStore
from wharfd.ports.storage import LayerStore
from wharfd.wire.oci import ConfigDocument, Descriptor, Index, Manifest, chain_ids, decode_config, decode_target
from wharfd.wire.oci.media_types import INDEXES, MANIFESTS, is_layer
from wharfd.wire.timestamps import parse_rfc3339

MAX_DEPTH = 4  # of indexes in indexes


@dataclass(slots=True, kw_only=True)
class ManifestFound:
    """A manifest of the image.  `config` is None for what is no image to run (an attestation) or whose config is not here."""

    descriptor: Descriptor
    manifest: Manifest
    config: ConfigDocument | None = None
    missing: list[Digest] = field(default_factory=list)

    @property
    def is_image(self) -> bool:
        return self.config is not None and not self.descriptor.is_attestation


@dataclass(slots=True, kw_only=True)
class Survey:
    """`blobs` are all that are here, with their sizes; `manifests` in the order of the index."""

    blobs: dict[Digest, int] = field(default_factory=dict)
    manifests: list[ManifestFound] = field(default_factory=list)
    absent: list[Descriptor] = field(default_factory=list)  # manifests that the index names and that are not here


async def survey(content: ContentStore, target: Descriptor) -> Survey:
    """Raises NotFound if the target itself is not here, InvalidParameter for documents that are none."""
    found = Survey()
    await walk(content, target, found, MAX_DEPTH)
    return found


async def walk(content: ContentStore, descriptor: Descriptor, found: Survey, depth: int) -> None:
    data = await content.read(descriptor.digest)
    document = decode_target(data, descriptor.media_type)
    found.blobs[descriptor.digest] = len(data)
    if isinstance(document, Index):
        if depth == 0:
            raise InvalidParameter(f"index {descriptor.digest} is nested too deeply")
        for child in document.manifests:
            if content.has(child.digest) and not is_document(child):
                found.blobs[child.digest] = content.size(child.digest)
            elif content.has(child.digest):
                await walk(content, child, found, depth - 1)
            else:
                found.absent.append(child)
        return
    present = ManifestFound(descriptor=descriptor, manifest=document)
    found.manifests.append(present)
    for blob in (document.config, *document.layers):
        if content.has(blob.digest):
            found.blobs[blob.digest] = content.size(blob.digest)
        else:
            present.missing.append(blob.digest)
    if is_runnable(document) and not descriptor.is_attestation and content.has(document.config.digest):
        present.config = decode_config(await content.read(document.config.digest))
        check_layers(present.config, document)


def is_document(descriptor: Descriptor) -> bool:
    """Is it a manifest or an index?  An index may list other things too, which are kept and not looked into."""
    return not descriptor.media_type or descriptor.media_type in MANIFESTS or descriptor.media_type in INDEXES


def is_runnable(manifest: Manifest) -> bool:
    """Docker: manifests that carry something else (signatures, charts, attestations) have no layers of a root file system."""
    return not manifest.layers or any(is_layer(layer.media_type) for layer in manifest.layers)


def check_layers(config: ConfigDocument, manifest: Manifest) -> None:
    wanted, present = len(config.rootfs.diff_ids), len(manifest.layers)
    if wanted != present:
        raise InvalidParameter(f"mismatched image rootfs and manifest layers: {wanted} diff ids, {present} layers")


def platforms(found: Survey, layers: LayerStore) -> list[ImagePlatform]:
    """The images to run, for a record.  Sizes of layers that are not unpacked are 0."""
    return [platform_of(each, found, layers) for each in found.manifests if each.is_image]


def platform_of(each: ManifestFound, found: Survey, layers: LayerStore) -> ImagePlatform:
    assert each.config is not None
    config = each.config
    named = each.descriptor.platform
    chain = chain_ids(config.rootfs.diff_ids)
    infos = [layers.get(chain_id) for chain_id in chain]
    blobs = {each.descriptor.digest, each.manifest.config.digest, *(layer.digest for layer in each.manifest.layers)}
    return ImagePlatform(
        manifest=each.descriptor.digest,
        media_type=each.manifest.media_type,
        manifest_size=found.blobs[each.descriptor.digest],
        config_digest=each.manifest.config.digest,
        os=config.os or (named.os if named else "") or "linux",
        architecture=config.architecture or (named.architecture if named else ""),
        variant=config.variant or (named.variant if named else ""),
        os_version=config.os_version or (named.os_version if named else ""),
        diff_ids=list(config.rootfs.diff_ids),
        chain_ids=list(chain),
        layer_sizes=[info.size_bytes if info else 0 for info in infos],
        content_size=sum(found.blobs.get(blob, 0) for blob in blobs),
        available=not each.missing,
    )


def created_ns(config: ConfigDocument) -> int:
    """0 if it says nothing, or nothing that is a time."""
    try:
        return parse_rfc3339(config.created) if config.created else 0
    except InvalidParameter:
        return 0


async def read_head(content: ContentStore, digest: Digest, count: int) -> bytes:
    """The first bytes of a blob of any size."""
    head = b""
    stream: AsyncIterator[bytes] = content.stream(digest)
    try:
        async for chunk in stream:
            head += chunk
            if len(head) >= count:
                break
    finally:
        close = getattr(stream, "aclose", None)
        if close is not None:
            await close()
    return head[:count]


def with_layer_sizes(platform: ImagePlatform, layers: LayerStore) -> ImagePlatform:
    infos = [layers.get(chain_id) for chain_id in chain_ids(platform.diff_ids)]
    return msgspec.structs.replace(platform, layer_sizes=[info.size_bytes if info else 0 for info in infos])
