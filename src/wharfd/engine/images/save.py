"""`docker save`: images as an archive that every engine loads: an OCI layout with `manifest.json` for the older ones."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from wharfd.engine.happenings import image_event
from wharfd.engine.images.garbage import descriptor_of
from wharfd.engine.images.leases import Lease, Leases
from wharfd.engine.images.names import familiar
from wharfd.engine.images.platforms import matching, preferred
from wharfd.engine.images.resolve import find_image, is_id_of
from wharfd.engine.images.survey import survey
from wharfd.engine.ledger import Ledger
from wharfd.model.errors import NotFound
from wharfd.model.ids import Digest
from wharfd.model.image import ImagePlatform, ImageRecord
from wharfd.ports.clock import Clock
from wharfd.ports.content import ContentStore
from wharfd.ports.host import Host
from wharfd.wire.oci import (
    ArchiveImage,
    Descriptor,
    Index,
    Platform,
    decode_manifest,
    encode,
    format_platform,
)
from wharfd.wire.oci.archives import blob_path, named
from wharfd.wire.oci.documents import encode_layout
from wharfd.wire.oci.media_types import OCI_INDEX
from wharfd.wire.reference import Reference, parse_any, parse_normalised
from wharfd.wire.tarstream import END, Entry, Kind, header, padding


@dataclass(slots=True, kw_only=True)
class Saved:
    """One image of the archive.  `names` canonical; none if it was asked for by its id."""

    record: ImageRecord
    target: Descriptor
    names: list[str] = field(default_factory=list)
    platform: ImagePlatform | None = None  # that of `manifest.json`


class SaveImages:
    def __init__(self, *, ledger: Ledger, content: ContentStore, leases: Leases, clock: Clock, host: Host) -> None:
        self.ledger = ledger
        self.content = content
        self.leases = leases
        self.clock = clock
        self.host = host

    async def __call__(self, refs: Sequence[str], platform: Platform | None = None) -> AsyncIterator[bytes]:
        """The archive's bytes.  A name without a tag means all tags of its repository.

        Raises (before the first byte) ImageNotFound, NotFound (not for that platform), InvalidParameter.
        """
        chosen: dict[str, Saved] = {}
        for ref in refs:
            for record, names in self.named(ref):
                saved = self.choose(record, ref, platform)
                known = chosen.setdefault(saved.target.digest, saved)
                known.names += [name for name in names if name not in known.names]
        lease = self.leases.open()
        blobs: dict[Digest, None] = {}
        for saved in chosen.values():
            found = await survey(self.content, saved.target)
            await lease.hold(*found.blobs)
            blobs |= dict.fromkeys(found.blobs)
        now_ns = self.clock.now_ns()
        events = [
            image_event(each.record.id, "save", now_ns, name=each.record.id, labels=each.record.labels)
            for each in chosen.values()
        ]
        await self.ledger.commit(events=events)
        return self.archive(list(chosen.values()), list(blobs), lease)

    def named(self, ref: str) -> list[tuple[ImageRecord, list[str]]]:
        """The images that a reference means, each with the names to save it under."""
        parsed = parse_any(ref)
        if isinstance(parsed, Reference) and parsed.is_name_only:
            found = [(record, self.tags_of(record, parsed)) for record in self.ledger.images.values()]
            several = [(record, tags) for record, tags in found if tags]
            if several:
                return several
        record = find_image(self.ledger.images, ref)
        if not isinstance(parsed, Reference) or parsed.digest is not None or is_id_of(ref, record):
            return [(record, [])]
        return [(record, [str(parsed.with_default_tag())])]

    def tags_of(self, record: ImageRecord, repository: Reference) -> list[str]:
        return [tag for tag in record.tags if parse_normalised(tag).name == repository.name]

    def choose(self, record: ImageRecord, ref: str, platform: Platform | None) -> Saved:
        """The whole image, or only the manifest for a platform."""
        if platform is None:
            return Saved(record=record, target=descriptor_of(record), platform=preferred(record.platforms, self.host))
        run = matching(record.platforms, [platform])
        if run is None:
            raise NotFound(f"no suitable export target found for platform {format_platform(platform)}")
        target = Descriptor(media_type=run.media_type, digest=run.manifest, size=run.manifest_size)
        return Saved(record=record, target=target, platform=run)

    async def archive(self, images: list[Saved], blobs: list[Digest], lease: Lease) -> AsyncIterator[bytes]:
        try:
            for folder in ("blobs/", "blobs/sha256/"):
                yield header(Entry(name=folder, kind=Kind.DIRECTORY, mode=0o755))
            for digest in sorted(blobs):
                size = self.content.size(digest)
                yield header(Entry(name=blob_path(digest), mode=0o644, size=size))
                async for chunk in self.content.stream(digest):
                    yield chunk
                yield padding(size)
            index = Index(
                media_type=OCI_INDEX, manifests=[e for each in images for e in named(each.target, each.names)]
            )
            manifest = [await self.entry(each) for each in images if each.platform is not None]
            for name, data in (
                ("index.json", encode(index)),
                ("manifest.json", encode(manifest)),
                ("oci-layout", encode_layout()),
            ):
                yield header(Entry(name=name, mode=0o644, size=len(data)))
                yield data
                yield padding(len(data))
            yield END
        finally:
            lease.release()

    async def entry(self, saved: Saved) -> ArchiveImage:
        assert saved.platform is not None
        manifest = decode_manifest(await self.content.read(saved.platform.manifest), saved.platform.media_type)
        return ArchiveImage(
            config=blob_path(manifest.config.digest),
            repo_tags=[familiar(name) for name in saved.names] or None,
            layers=[blob_path(layer.digest) for layer in manifest.layers],
        )
