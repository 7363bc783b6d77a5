"""What a cache has to offer: its manifest and config, or the notes in the configs of images, become tables."""

import base64
import binascii
from collections.abc import Sequence

import msgspec

from wharfd.engine.build.remotecache.places import Origin
from wharfd.model.errors import InvalidParameter
from wharfd.model.ids import Digest
from wharfd.wire.buildcache import CACHE_CONFIG, CachedLayer, CacheTable, decode_cache, decode_inline
from wharfd.wire.oci import Descriptor
from wharfd.wire.oci.media_types import INDEXES, MANIFESTS
from wharfd.wire.timestamps import parse_rfc3339

MAX_IMAGES = 64  # of an index that are looked at


class Document(msgspec.Struct, frozen=True):
    """A manifest or an index, also one that mixes the two up as caches do."""

    config: Descriptor | None = None
    layers: list[Descriptor] | None = None
    manifests: list[Descriptor] | None = None


class RootFS(msgspec.Struct, frozen=True):
    diff_ids: list[str] = []


class HistoryEntry(msgspec.Struct, frozen=True):
    created: str | None = None
    empty_layer: bool = False


class ImageWithCache(msgspec.Struct, frozen=True):
    rootfs: RootFS = RootFS()
    history: list[HistoryEntry] | None = None
    cache: str | None = msgspec.field(default=None, name="moby.buildkit.cache.v0")


async def tables_of(origin: Origin) -> Sequence[CacheTable]:
    """Raises InvalidParameter for what is no cache, and what the origin raises."""
    document = decode(await origin.target())
    blobs = document.layers if document.config is not None else document.manifests
    configs = [
        each for each in (document.config, *(blobs or [])) if each is not None and each.media_type == CACHE_CONFIG
    ]
    if configs:
        data = await origin.read(configs[0])
        return [decode_cache(data, {each.digest: each for each in blobs or []})]
    if document.config is not None:
        return await inline_tables(origin, [document])
    images = [
        decode(await origin.document(each))
        for each in (document.manifests or [])[:MAX_IMAGES]
        if each.media_type in MANIFESTS | INDEXES and not each.is_attestation
    ]
    return await inline_tables(origin, images)


async def inline_tables(origin: Origin, images: Sequence[Document]) -> Sequence[CacheTable]:
    tables = []
    for image in images:
        if image.config is None or not image.layers:
            continue
        config = decode_image(await origin.read(image.config))
        if config.cache and len(config.rootfs.diff_ids) == len(image.layers):
            tables.append(decode_inline(unwrapped(config.cache), layers_of(image.layers, config)))
    return tables


def layers_of(descriptors: Sequence[Descriptor], config: ImageWithCache) -> list[CachedLayer]:
    times = [each.created for each in config.history or [] if not each.empty_layer]
    times += [None] * (len(descriptors) - len(times))
    return [
        CachedLayer(
            digest=each.digest,
            size=each.size,
            media_type=each.media_type,
            diff_id=Digest(diff_id),
            created_ns=parse_rfc3339(created) if created else 0,
        )
        for each, diff_id, created in zip(descriptors, config.rootfs.diff_ids, times, strict=False)
    ]


def decode(data: bytes) -> Document:
    try:
        return msgspec.json.decode(data, type=Document)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as e:
        raise InvalidParameter(f"invalid manifest of a build cache: {e}") from e


def decode_image(data: bytes) -> ImageWithCache:
    try:
        return msgspec.json.decode(data, type=ImageWithCache)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as e:
        raise InvalidParameter(f"invalid image config: {e}") from e


def unwrapped(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as e:
        raise InvalidParameter(f"invalid build cache in an image's config: {e}") from e
