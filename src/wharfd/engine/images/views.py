"""Images as they are shown: list, inspect, history.  Reads records; documents only where a record does not hold them."""

from collections import Counter
from dataclasses import dataclass, field

from wharfd.engine.images.garbage import descriptor_of
from wharfd.engine.images.names import repository
from wharfd.engine.images.platforms import as_platform
from wharfd.engine.images.resolve import Images
from wharfd.engine.images.select import LIST_ACCEPTED, dangling_test, names_matching, selection
from wharfd.engine.images.sizes import chain_set, content_size, shared_layers, total_size
from wharfd.engine.images.survey import ManifestFound, survey
from wharfd.engine.ledger import Ledger
from wharfd.model.ids import Digest
from wharfd.model.image import HistoryEntry, ImageConfig, ImagePlatform, ImageRecord
from wharfd.ports.clock import Clock
from wharfd.ports.content import ContentStore
from wharfd.wire.filters import Filters
from wharfd.wire.oci import Descriptor, Platform
from wharfd.wire.oci.documents import REFERENCE_DIGEST


@dataclass(slots=True, kw_only=True)
class ManifestView:
    """A row of `Manifests`.  `kind`: image, attestation, unknown.  Sizes in bytes."""

    descriptor: Descriptor
    kind: str
    available: bool
    content_size: int
    unpacked_size: int = 0
    platform: Platform | None = None
    containers: list[str] = field(default_factory=list)
    describes: str = ""  # an attestation: the manifest that it speaks of


@dataclass(slots=True, kw_only=True)
class ImageSummary:
    """`tags` and `digests` canonical; those that were asked for.  `shared_bytes` and `containers` -1: not computed."""

    record: ImageRecord
    target: Descriptor
    tags: list[str]
    digests: list[str]
    size_bytes: int  # content and unpacked layers, of all platforms
    containers: int
    shared_bytes: int = -1
    manifests: list[ManifestView] | None = None


@dataclass(slots=True, kw_only=True)
class ImageDetails:
    record: ImageRecord
    target: Descriptor
    platform: ImagePlatform
    config: ImageConfig
    size_bytes: int  # of the content of this platform
    manifests: list[ManifestView] | None = None


@dataclass(slots=True, kw_only=True)
class HistoryRow:
    """The newest first.  `id` empty: `<missing>`."""

    entry: HistoryEntry
    size_bytes: int
    id: str = ""
    tags: list[str] = field(default_factory=list)


class ImageViews:
    def __init__(self, *, ledger: Ledger, images: Images, content: ContentStore, clock: Clock) -> None:
        self.ledger = ledger
        self.images = images
        self.content = content
        self.clock = clock

    async def summaries(
        self, filters: Filters, *, shared_size: bool = False, manifests: bool = False
    ) -> list[ImageSummary]:
        """The newest first.  Raises InvalidParameter, ImageNotFound (of `before` and `since`)."""
        filters.validate(LIST_ACCEPTED)
        selected = selection(filters, self.ledger, self.clock.now_ns())
        is_wanted = dangling_test(filters)
        uses = Counter(container.image_id for container in self.ledger.containers)
        shared = shared_layers(self.ledger) if shared_size else None
        found = []
        for record in self.ledger.images.values():
            if not is_wanted(record) or not selected(record):
                continue
            summary = self.summary(record, uses[record.id])
            if "reference" in filters:
                names = names_matching(record, filters)
                if not names:
                    continue
                summary.tags = [name for name in record.tags if name in names]
                shown = {repository(name) for name in names}
                summary.digests = [name for name in record.digests if repository(name) in shown]
            if shared is not None:
                summary.shared_bytes = sum(shared.get(chain_id, 0) for chain_id in chain_set(record))
            found.append(summary)
        found.sort(key=lambda each: each.record.created_ns, reverse=True)
        if manifests:
            for summary in found:
                summary.manifests = await self.manifests(summary.record)
        return found

    def summary(self, record: ImageRecord, containers: int) -> ImageSummary:
        return ImageSummary(
            record=record,
            target=descriptor_of(record),
            tags=record.tags,
            digests=record.digests,
            size_bytes=total_size(record),
            containers=containers,
        )

    async def inspect(self, ref: str, platform: Platform | None = None, *, manifests: bool = False) -> ImageDetails:
        """Raises ImageNotFound, NotFound (not for that platform), InvalidParameter."""
        record = self.images.find(ref)
        chosen = self.images.choose(record, ref, platform)
        return ImageDetails(
            record=record,
            target=descriptor_of(record),
            platform=chosen,
            config=await self.images.config_of(chosen),
            size_bytes=content_size(record, chosen),
            manifests=await self.manifests(record) if manifests else None,
        )

    async def history(self, ref: str, platform: Platform | None = None) -> list[HistoryRow]:
        """Raises as `inspect`."""
        record = self.images.find(ref)
        chosen = self.images.choose(record, ref, platform)
        config = await self.images.config_of(chosen)
        sizes = iter(chosen.layer_sizes)
        rows = [
            HistoryRow(entry=entry, size_bytes=0 if entry.empty_layer else next(sizes, 0)) for entry in config.history
        ]
        rows.reverse()
        if rows:
            rows[0].id = record.id
            rows[0].tags = record.tags
        return rows

    async def manifests(self, record: ImageRecord) -> list[ManifestView]:
        found = await survey(self.content, descriptor_of(record))
        present = [self.manifest_view(record, each) for each in found.manifests]
        absent = [
            ManifestView(
                descriptor=each,
                kind="attestation" if each.is_attestation else "image",
                available=False,
                content_size=0,
                platform=each.platform,
                describes=describes(each),
            )
            for each in found.absent
        ]
        return [*present, *absent]

    def manifest_view(self, record: ImageRecord, each: ManifestFound) -> ManifestView:
        run = next((p for p in record.platforms if p.manifest == each.descriptor.digest), None)
        blobs = {each.descriptor.digest, each.manifest.config.digest, *(layer.digest for layer in each.manifest.layers)}
        size = sum(self.content.size(Digest(blob)) for blob in blobs if self.content.has(Digest(blob)))
        if run is None:
            kind = "attestation" if each.descriptor.is_attestation else "unknown"
            return ManifestView(
                descriptor=each.descriptor,
                kind=kind,
                available=not each.missing,
                content_size=size,
                describes=describes(each.descriptor),
            )
        users = [
            str(container.id)
            for container in self.ledger.containers
            if container.image_id == record.id and container.manifest in (None, run.manifest)
        ]
        return ManifestView(
            descriptor=each.descriptor,
            kind="image",
            available=run.available,
            content_size=size,
            unpacked_size=sum(run.layer_sizes),
            platform=as_platform(run),
            containers=users,
        )


def describes(descriptor: Descriptor) -> str:
    return (descriptor.annotations or {}).get(REFERENCE_DIGEST, "")
