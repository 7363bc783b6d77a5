"""Image archives: the tars that `docker save` writes and `docker load` reads, made from blobs in memory.

    docker_archive    <digest>.json, <digest>/layer.tar, manifest.json         as before Docker 25
    oci_archive       blobs/sha256/…, index.json, oci-layout, manifest.json    as today

The same images give the same bytes.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from wharfd.model.ids import Digest
from wharfd.wire.compression import detect
from wharfd.wire.oci.documents import (
    CONTAINERD_NAME,
    REF_NAME,
    ArchiveImage,
    Descriptor,
    Index,
    Manifest,
    digest_of,
    encode,
    encode_layout,
)
from wharfd.wire.oci.media_types import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, layer_type
from wharfd.wire.reference import parse_normalised
from wharfd.wire.tarstream import END, Entry, Kind, header, padding


@dataclass(slots=True, kw_only=True)
class PackedImage:
    """`layers` are tars as they are to be stored (plain, gzip or zstd), the lowest first.  `names`: familiar, with their tags."""

    config: bytes
    layers: Sequence[bytes]
    names: Sequence[str] = field(default_factory=list)

    def manifest(self) -> bytes:
        return encode(
            Manifest(
                media_type=OCI_MANIFEST,
                config=Descriptor(media_type=OCI_CONFIG, digest=digest_of(self.config), size=len(self.config)),
                layers=[
                    Descriptor(media_type=layer_type(detect(layer[:6])), digest=digest_of(layer), size=len(layer))
                    for layer in self.layers
                ],
            )
        )


def docker_archive(images: Sequence[PackedImage]) -> Iterator[bytes]:
    entries = []
    written: set[Digest] = set()
    for image in images:
        config = f"{hexed(digest_of(image.config))}.json"
        yield from member(config, image.config)
        paths = []
        for layer in image.layers:
            digest = digest_of(layer)
            path = f"{hexed(digest)}/layer.tar"
            paths.append(path)
            if digest not in written:
                written.add(digest)
                yield from member(path, layer)
        entries.append(ArchiveImage(config=config, repo_tags=list(image.names) or None, layers=paths))
    yield from member("manifest.json", encode(entries))
    yield END


def oci_archive(images: Sequence[PackedImage], *, docker_manifest: bool = True) -> Iterator[bytes]:
    blobs: dict[Digest, bytes] = {}
    descriptors: list[Descriptor] = []
    entries = []
    for image in images:
        manifest = image.manifest()
        for blob in (*image.layers, image.config, manifest):
            blobs[digest_of(blob)] = blob
        target = Descriptor(media_type=OCI_MANIFEST, digest=digest_of(manifest), size=len(manifest))
        descriptors += named(target, image.names)
        entries.append(
            ArchiveImage(
                config=blob_path(digest_of(image.config)),
                repo_tags=list(image.names) or None,
                layers=[blob_path(digest_of(layer)) for layer in image.layers],
            )
        )
    for digest, blob in blobs.items():
        yield from member(blob_path(digest), blob)
    yield from member("index.json", encode(Index(media_type=OCI_INDEX, manifests=descriptors)))
    yield from member("oci-layout", encode_layout())
    if docker_manifest:
        yield from member("manifest.json", encode(entries))
    yield END


def named(target: Descriptor, names: Iterable[str]) -> list[Descriptor]:
    """One entry of the index for each name; a single one without names."""
    found = []
    for name in names:
        reference = parse_normalised(name).with_default_tag()
        notes = {CONTAINERD_NAME: str(reference), REF_NAME: reference.tag or ""}
        found.append(
            Descriptor(media_type=target.media_type, digest=target.digest, size=target.size, annotations=notes)
        )
    return found or [target]


def member(name: str, data: bytes) -> Iterator[bytes]:
    yield header(Entry(name=name, kind=Kind.FILE, mode=0o644, size=len(data)))
    yield data
    yield padding(len(data))


def blob_path(digest: Digest) -> str:
    return f"blobs/sha256/{hexed(digest)}"


def hexed(digest: Digest) -> str:
    return digest.removeprefix("sha256:")
