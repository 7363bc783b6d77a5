"""Makes the documents of an image: configs, manifests, an index if there are several platforms.  All end up in the content store."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from wharfd.engine.build.exporters.layers import LayerArchives, Packing
from wharfd.engine.build.requests import BuildResult
from wharfd.engine.build.roots import Root
from wharfd.engine.images.leases import Lease
from wharfd.engine.images.platforms import host_platform
from wharfd.model.build import LayerBlob
from wharfd.model.errors import InvalidParameter
from wharfd.model.ids import Digest
from wharfd.model.image import HistoryEntry
from wharfd.ports.clock import Clock
from wharfd.ports.content import ContentStore
from wharfd.ports.host import Host
from wharfd.wire.buildcache import INLINE_CACHE
from wharfd.wire.oci import (
    ConfigDocument,
    Descriptor,
    Index,
    Manifest,
    Platform,
    RootFS,
    decode_config,
    digest_of,
    encode,
    encode_config,
    parse_platform,
)
from wharfd.wire.oci.media_types import (
    DOCKER_CONFIG,
    DOCKER_INDEX,
    DOCKER_LAYER,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    layer_compression,
    layer_type,
)
from wharfd.wire.timestamps import format_rfc3339_nano

CONFIG = "containerimage.config"
INLINE = "containerimage.inlinecache"
MADE_BY_EXPORTER = "buildkit.exporter.image.v0"
EPOCH = "source-date-epoch"
TRUE = frozenset({"1", "t", "true", "T", "TRUE", "True"})
FALSE = frozenset({"0", "f", "false", "F", "FALSE", "False"})


@dataclass(frozen=True, slots=True)
class MadeImage:
    """`target`: what a name is to point to.  `blobs`: everything that belongs to it.  `manifests` by platform id."""

    target: Descriptor
    config: Digest | None
    blobs: Sequence[Digest]
    manifests: Mapping[str, Descriptor] = field(default_factory=dict)

    def response(self) -> dict[str, str]:
        response = {
            "containerimage.digest": self.target.digest,
            "containerimage.descriptor": base64.b64encode(encode(self.target)).decode(),
        }
        if self.config is not None:
            response["containerimage.config.digest"] = self.config
        return response


class ImageMaker:
    def __init__(self, *, content: ContentStore, clock: Clock, host: Host, archives: LayerArchives) -> None:
        self.content = content
        self.host = host
        self.clock = clock
        self.archives = archives

    async def make(
        self, result: BuildResult, roots: Mapping[str, Root], attributes: Mapping[str, str], lease: Lease
    ) -> MadeImage:
        """`roots` by platform id.  The lease holds everything afterwards.  Raises InvalidParameter (a config that is none)."""
        epoch_ns = epoch(attributes, result)
        packing = packing_of(attributes, epoch_ns)
        is_oci = truth(attributes, "oci-mediatypes", True)
        made = {
            platform: await self.manifest(result, platform, root, packing, epoch_ns, attributes, lease, is_oci=is_oci)
            for platform, root in roots.items()
        }
        blobs = [blob for each in made.values() for blob in each.blobs]
        manifests = {platform: each.target for platform, each in made.items()}
        if len(made) == 1 and not truth(attributes, "force-index", False):
            (only,) = made.values()
            return MadeImage(only.target, only.config, blobs, manifests)
        media_type = OCI_INDEX if is_oci else DOCKER_INDEX
        index = encode(
            Index(
                media_type=media_type,
                manifests=[
                    msgspec.structs.replace(descriptor, platform=self.platform_of(platform))
                    for platform, descriptor in manifests.items()
                ],
                annotations=annotations(attributes, "annotation-index.") or None,
            )
        )
        digest = await self.store(index, lease)
        target = Descriptor(media_type=media_type, digest=digest, size=len(index))
        return MadeImage(target, None, [*blobs, digest], manifests)

    async def manifest(
        self,
        result: BuildResult,
        platform: str,
        root: Root,
        packing: Packing,
        epoch_ns: int | None,
        attributes: Mapping[str, str],
        lease: Lease,
        *,
        is_oci: bool,
    ) -> MadeImage:
        if root.local is not None:
            raise InvalidParameter("a client's directory cannot be exported as an image")
        blobs = await self.archives.blobs(root.layers, packing, lease)
        config = encode_config(self.config(result, platform, blobs, epoch_ns))
        if (cache := result.metadata.get(f"{INLINE}/{platform}") or result.metadata.get(INLINE)) is not None:
            config = with_inline_cache(config, cache)
        config_digest = await self.store(config, lease)
        media_type = OCI_MANIFEST if is_oci else DOCKER_MANIFEST
        manifest = encode(
            Manifest(
                media_type=media_type,
                config=Descriptor(
                    media_type=OCI_CONFIG if is_oci else DOCKER_CONFIG, digest=config_digest, size=len(config)
                ),
                layers=[layer_descriptor(blob, is_oci=is_oci) for blob in blobs],
                annotations={
                    **annotations(attributes, "annotation."),
                    **annotations(attributes, "annotation-manifest."),
                }
                or None,
            )
        )
        digest = await self.store(manifest, lease)
        await self.archives.name(root.layers, blobs, lease)
        target = Descriptor(media_type=media_type, digest=digest, size=len(manifest))
        return MadeImage(target, config_digest, [digest, config_digest, *(Digest(blob.digest) for blob in blobs)])

    def config(
        self, result: BuildResult, platform: str, blobs: Sequence[LayerBlob], epoch_ns: int | None
    ) -> ConfigDocument:
        data = result.metadata.get(f"{CONFIG}/{platform}") or result.metadata.get(CONFIG)
        document = decode_config(data) if data else self.default_config(platform)
        history = fitted(document.history, len(blobs))
        if epoch_ns is None:
            history = dated(history, [blob.created_ns for blob in blobs])
            created = document.created or next((each.created for each in reversed(history) if each.created), "")
        else:
            created = format_rfc3339_nano(epoch_ns)
            history = [each if each.created else msgspec.structs.replace(each, created=created) for each in history]
        return msgspec.structs.replace(
            document,
            created=created or format_rfc3339_nano(self.clock.now_ns()),
            history=history,
            rootfs=RootFS(diff_ids=[Digest(blob.diff_id) for blob in blobs]),
        )

    def default_config(self, platform: str) -> ConfigDocument:
        parsed = self.platform_of(platform)
        return ConfigDocument(architecture=parsed.architecture, os=parsed.os, variant=parsed.variant)

    def platform_of(self, platform: str) -> Platform:
        own = host_platform(self.host)
        return parse_platform(platform, own) if platform else own

    async def store(self, document: bytes, lease: Lease) -> Digest:
        digest = digest_of(document)
        await lease.hold(digest)
        if not self.content.has(digest):
            writer = await self.content.writer()
            await writer.write(document)
            await writer.commit(digest)
        return digest


def with_inline_cache(config: bytes, cache: bytes) -> bytes:
    document = msgspec.json.decode(config)
    return msgspec.json.encode({**document, INLINE_CACHE: base64.b64encode(cache).decode()})


def dated(history: Sequence[HistoryEntry], times_ns: Sequence[int]) -> list[HistoryEntry]:
    """With the times of the layers (0: not known), so that the same layers make the same image whenever it is exported.

    What made no layer was done when the layer before it was made, or the first new one.
    """
    times = iter(times_ns)
    first = next((at_ns for at_ns in times_ns if at_ns), 0)
    last = format_rfc3339_nano(first) if first else ""
    found = []
    for entry in history:
        at_ns = 0 if entry.empty_layer else next(times, 0)
        if not entry.created:
            entry = msgspec.structs.replace(entry, created=format_rfc3339_nano(at_ns) if at_ns else last)
        if at_ns or not first:
            last = entry.created
        found.append(entry)
    return found


def fitted(history: Sequence[HistoryEntry], count: int) -> list[HistoryEntry]:
    """As many entries with a layer as there are layers: too many are said to be empty, too few are added to."""
    found: list[HistoryEntry] = []
    left = count
    for entry in history:
        if not entry.empty_layer and not left:
            entry = msgspec.structs.replace(entry, empty_layer=True)
        elif not entry.empty_layer:
            left -= 1
        found.append(entry)
    return [*found, *(HistoryEntry(comment=MADE_BY_EXPORTER) for _ in range(left))]


def layer_descriptor(blob: LayerBlob, *, is_oci: bool) -> Descriptor:
    compression = layer_compression(blob.media_type) or ""
    media_type = layer_type(compression) if is_oci else DOCKER_LAYER + (f".{compression}" if compression else "")
    return Descriptor(media_type=media_type, digest=Digest(blob.digest), size=blob.size)


def packing_of(attributes: Mapping[str, str], epoch_ns: int | None) -> Packing:
    asked = attributes.get("compression", "") or "gzip"
    compressions = {"gzip": "gzip", "uncompressed": "", "zstd": "zstd", "estargz": "gzip"}
    if asked not in compressions:
        raise InvalidParameter(f"unsupported layer compression type: {asked}")
    return Packing(
        compression=compressions[asked],
        clamp_ns=epoch_ns if truth(attributes, "rewrite-timestamp", False) else None,
        force=truth(attributes, "force-compression", False),
    )


def epoch(attributes: Mapping[str, str], result: BuildResult) -> int | None:
    """Nanoseconds.  Raises InvalidParameter."""
    text = attributes.get(EPOCH) or result.metadata.get(EPOCH, b"").decode(errors="replace")
    if not text:
        return None
    try:
        return int(text) * 10**9
    except ValueError as e:
        raise InvalidParameter(f"failed to parse {EPOCH}: {text!r}") from e


def annotations(attributes: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {key.removeprefix(prefix): value for key, value in attributes.items() if key.startswith(prefix)}


def truth(attributes: Mapping[str, str], name: str, default: bool) -> bool:
    """Raises InvalidParameter."""
    text = attributes.get(name)
    if text is None:
        return default
    if text == "" or text in TRUE:
        return True
    if text not in FALSE:
        raise InvalidParameter(f"non-bool value for {name}: {text!r}")
    return False
