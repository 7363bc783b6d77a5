"""What the members of an image archive mean: an OCI layout (`index.json`), a docker-archive (`manifest.json`), or both in one.

`docker save` of today writes both; then the layout says what the images are, and `manifest.json` how those are called that the layout
leaves without a name.  A docker-archive alone has no manifests: they are made here, the same ones each time.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from wharfd.model.archive import ArchiveMember
from wharfd.model.errors import InvalidParameter
from wharfd.model.ids import Digest
from wharfd.wire.compression import MAGIC_BYTES, detect
from wharfd.wire.oci import (
    ArchiveImage,
    Descriptor,
    Manifest,
    decode_archive_manifest,
    decode_config,
    decode_index,
    decode_target,
    digest_of,
    encode,
)
from wharfd.wire.oci.documents import check_layout, image_name
from wharfd.wire.oci.media_types import OCI_CONFIG, OCI_MANIFEST, layer_type
from wharfd.wire.reference import Reference, parse_normalised

MAX_LINKS = 8  # a layer may be a link to another image's layer
STORED = ("", "gzip", "zstd")

ReadBlob = Callable[[Digest, int], Awaitable[bytes]]  # at most so many of the first bytes
ReadWhole = Callable[[Digest], Awaitable[bytes]]


@dataclass(slots=True, kw_only=True)
class ArchivedImage:
    """`documents` are those that the archive does not hold: to be stored beside its blobs."""

    target: Descriptor
    names: list[Reference] = field(default_factory=list)
    documents: list[bytes] = field(default_factory=list)


class Archive:
    def __init__(self, members: Sequence[ArchiveMember], read: ReadWhole, read_head: ReadBlob) -> None:
        self.members = {member.name: member for member in members}
        self.read = read
        self.read_head = read_head

    async def images(self) -> list[ArchivedImage]:
        """Raises InvalidParameter for what is no image archive."""
        named = await self.named() if "manifest.json" in self.members else []
        if "index.json" in self.members:
            return await self.from_layout(named)
        if not named:
            raise InvalidParameter("unrecognized image format")
        return [await self.from_docker(image) for image in named]

    def blobs(self) -> dict[Digest, str]:
        """The archive's files by their digest."""
        return {m.digest: m.name for m in self.members.values() if m.digest is not None}

    async def named(self) -> list[ArchiveImage]:
        return decode_archive_manifest(await self.file("manifest.json"))

    async def file(self, name: str) -> bytes:
        return await self.read(self.digest(name))

    def digest(self, name: str) -> Digest:
        """Of a member, links followed.  Raises InvalidParameter if it is not there."""
        for _ in range(MAX_LINKS):
            member = self.members.get(name)
            if member is None:
                break
            if member.digest is not None:
                return member.digest
            name = member.link
        raise InvalidParameter(f"invalid archive: {name} does not exist")

    async def from_layout(self, named: Sequence[ArchiveImage]) -> list[ArchivedImage]:
        if "oci-layout" in self.members:
            check_layout(await self.file("oci-layout"))
        index = decode_index(await self.file("index.json"))
        tags = await self.tags_by_config(named)
        images: dict[Digest, ArchivedImage] = {}
        for descriptor in index.manifests:
            if descriptor.is_attestation:
                continue
            image = images.setdefault(descriptor.digest, ArchivedImage(target=bare(descriptor)))
            name = image_name(descriptor)
            names = [name] if is_whole_name(name) else await self.tags_of(descriptor, tags)
            image.names += [each for each in map(parsed, names) if each not in image.names]
        if not images:
            raise InvalidParameter("unrecognized image format: the index names no image")
        return list(images.values())

    async def tags_by_config(self, named: Sequence[ArchiveImage]) -> dict[Digest, list[str]]:
        return {self.digest(image.config): image.repo_tags or [] for image in named}

    async def tags_of(self, descriptor: Descriptor, tags: Mapping[Digest, list[str]]) -> list[str]:
        """What `manifest.json` calls it, whose entries are known by their config."""
        if not tags or descriptor.digest not in self.blobs():
            return []
        try:
            manifest = decode_manifest_or_none(await self.read(descriptor.digest), descriptor.media_type)
        except InvalidParameter:
            return []
        return tags.get(manifest.config.digest, []) if manifest is not None else []

    async def from_docker(self, image: ArchiveImage) -> ArchivedImage:
        config = await self.file(image.config)
        decode_config(config)
        layers = []
        for path in image.layers or []:
            digest = self.digest(path)
            compression = detect(await self.read_head(digest, MAGIC_BYTES))
            if compression not in STORED:
                raise InvalidParameter(f"invalid archive: layer {path} is compressed with {compression}")
            layers.append(Descriptor(media_type=layer_type(compression), digest=digest, size=self.size(digest)))
        manifest = encode(
            Manifest(
                media_type=OCI_MANIFEST,
                config=Descriptor(media_type=OCI_CONFIG, digest=digest_of(config), size=len(config)),
                layers=layers,
            )
        )
        target = Descriptor(media_type=OCI_MANIFEST, digest=digest_of(manifest), size=len(manifest))
        return ArchivedImage(target=target, names=[parsed(tag) for tag in image.repo_tags or []], documents=[manifest])

    def size(self, digest: Digest) -> int:
        return next(member.size for member in self.members.values() if member.digest == digest)


def decode_manifest_or_none(data: bytes, media_type: str) -> Manifest | None:
    target = decode_target(data, media_type)
    return target if isinstance(target, Manifest) else None


def is_whole_name(name: str) -> bool:
    """An annotation may be a mere tag ("latest"), which says nothing of the repository."""
    return "/" in name or ":" in name


def bare(descriptor: Descriptor) -> Descriptor:
    return Descriptor(media_type=descriptor.media_type, digest=descriptor.digest, size=descriptor.size)


def parsed(name: str) -> Reference:
    """Raises InvalidParameter."""
    return parse_normalised(name).with_default_tag()
