"""`docker push`: an image to a registry, byte for byte as it lies here.

choose   the target of the name, whole or (an index of which not all is here) the manifest for one platform
blobs    what the registry has not: taken over from another repository of its, or sent; several at once
then     manifests from the innermost outwards, the target last, under its tag
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from wharfd.engine.happenings import image_event
from wharfd.engine.images.garbage import Garbage, descriptor_of
from wharfd.engine.images.leases import Lease, Leases
from wharfd.engine.images.names import repository
from wharfd.engine.images.platforms import as_platform, host_platform
from wharfd.engine.images.progress import BlobStep, PushBegun, PushedInstead, PushEnded, Pushing, Step
from wharfd.engine.images.resolve import by_tag
from wharfd.engine.images.survey import ManifestFound, Survey, is_document, platform_of, survey
from wharfd.engine.images.unpacking import told
from wharfd.engine.ledger import Ledger
from wharfd.model.errors import Conflict, NotFound
from wharfd.model.ids import Digest, ImageId
from wharfd.model.image import ImageRecord
from wharfd.ports.clock import Clock
from wharfd.ports.content import ContentStore
from wharfd.ports.host import Host
from wharfd.ports.registry import Mounted, Registry
from wharfd.ports.storage import LayerStore
from wharfd.wire.authconfig import AuthConfig
from wharfd.wire.oci import Descriptor, Index, Platform, best_match, decode_target, format_platform, runnable
from wharfd.wire.oci.media_types import is_foreign_layer
from wharfd.wire.reference import Reference, parse_normalised

TOLD_BYTES = 512 << 10  # progress is told each time when so many more have gone
TRIED_SOURCES = 3  # repositories that a blob may be mounted from; each costs a request


@dataclass(slots=True, kw_only=True)
class Job:
    """One name that is being pushed.  `documents` innermost first."""

    ref: Reference
    login: AuthConfig | None
    progress: Pushing
    documents: list[Descriptor] = field(default_factory=list)
    blobs: dict[Digest, Descriptor] = field(default_factory=dict)
    layers: set[Digest] = field(default_factory=set)  # the blobs whose way is told

    def tell(self, digest: Digest, step: Step, current: int = 0, total: int = 0, source: str = "") -> None:
        if digest in self.layers:
            self.progress(BlobStep(digest, step, current, total, source))


class PushImage:
    """`limit` blobs at once."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        clock: Clock,
        host: Host,
        content: ContentStore,
        registry: Registry,
        layers: LayerStore,
        garbage: Garbage,
        leases: Leases,
        limit: int,
    ) -> None:
        self.ledger = ledger
        self.clock = clock
        self.host = host
        self.content = content
        self.registry = registry
        self.layers = layers
        self.garbage = garbage
        self.leases = leases
        self.limit = limit

    async def __call__(
        self,
        ref: Reference,
        progress: Pushing,
        *,
        login: AuthConfig | None = None,
        platform: Platform | None = None,
    ) -> None:
        """`ref` without a tag: all tags of the repository.  `platform`: only the manifest for it.

        Raises NotFound (no such name, no such platform, content that is not here), Conflict (several platforms would fit),
        Unauthorized, Forbidden, RegistryFailure, InvalidParameter (the registry refuses what it got).
        """
        progress(PushBegun(ref.name))
        if not ref.is_name_only:
            await self.push(ref, progress, login, platform)
            return
        tags = sorted(
            tag for record in self.ledger.images.values() for tag in record.tags if repository(tag) == ref.name
        )
        if not tags:
            raise NotFound(f"An image does not exist locally with the tag: {ref.familiar_name}")
        for tag in tags:
            await self.push(parse_normalised(tag), progress, login, platform)

    async def push(
        self, ref: Reference, progress: Pushing, login: AuthConfig | None, platform: Platform | None
    ) -> None:
        record = by_tag(self.ledger.images, ref) if ref.digest is None else None
        if record is None or ref.tag is None:
            raise NotFound(f"tag does not exist: {ref.familiar()}")
        job = Job(ref=ref, login=login, progress=progress)
        with self.leases.open() as lease:
            target = await self.choose(record, job, platform, lease)
            await self.gather(target, job)
            await self.send_blobs(job)
            for document in job.documents:
                await self.send_document(job, document, is_target=document is job.documents[-1])
        event = image_event(ref.familiar(), "push", self.clock.now_ns(), name=ref.familiar_name, labels=record.labels)
        await self.ledger.commit(events=[event])
        progress(PushEnded(ref.tag, target.digest, target.size))

    async def choose(self, record: ImageRecord, job: Job, platform: Platform | None, lease: Lease) -> Descriptor:
        """# Docker: of an index that is not whole here, the one manifest that is; of several, the one for this host."""
        whole = descriptor_of(record)
        await lease.hold(*self.garbage.blobs.get(ImageId(record.id), ()))
        found = await survey(self.content, whole)
        if platform is None and not is_partial(found):
            return whole
        present = [each for each in found.manifests if each.is_image and not each.missing]
        names = [as_platform(platform_of(each, found, self.layers)) for each in present]
        if platform is not None:
            number = best_match(names, [platform])
            if number is None:
                raise NotFound(
                    f"image with reference {job.ref.familiar()} was found but does not provide the specified platform "
                    f"({format_platform(platform)})"
                )
            return present[number].descriptor
        number = best_match(names, runnable(host_platform(self.host)))
        if number is None and len(present) > 1:
            raise Conflict("multiple matching manifests found but no specific platform requested")
        if not present:
            raise NotFound(
                f"image with reference {job.ref.familiar()} was found but none of its platforms is available"
            )
        chosen = present[number or 0].descriptor
        if chosen.digest != whole.digest:
            job.progress(PushedInstead(whole, chosen))
        return chosen

    async def gather(self, descriptor: Descriptor, job: Job) -> None:
        """What has to be there before this document, and then the document."""
        document = decode_target(await self.content.read(descriptor.digest), descriptor.media_type)
        if isinstance(document, Index):
            for child in document.manifests:
                if is_document(child):
                    await self.gather(child, job)
                else:
                    self.add_blob(child, job)
        else:
            for blob in (document.config, *document.layers):
                self.add_blob(blob, job)
            job.layers |= {layer.digest for layer in document.layers}
        job.documents.append(descriptor)

    def add_blob(self, blob: Descriptor, job: Job) -> None:
        if self.content.has(blob.digest) or not (is_foreign_layer(blob.media_type) and blob.urls):
            job.blobs[blob.digest] = blob

    async def send_blobs(self, job: Job) -> None:
        places = asyncio.Semaphore(self.limit)
        for digest in job.blobs:
            job.tell(digest, Step.WAITING)
        # One question before the crowd: whether one may come in, and through which door, is found out once.
        first = next(iter(job.blobs), None)
        is_there = first is not None and await self.registry.has_blob(job.ref, first, job.login)

        async def one(blob: Descriptor) -> None:
            async with places:
                if is_there and blob.digest == first:
                    job.tell(blob.digest, Step.THERE)
                else:
                    await self.send_blob(job, blob, ask=blob.digest != first)

        try:
            async with asyncio.TaskGroup() as group:
                for blob in job.blobs.values():
                    group.create_task(one(blob), name=f"push:{blob.digest}")
        except BaseExceptionGroup as failures:
            raise told(failures) from failures

    async def send_blob(self, job: Job, blob: Descriptor, *, ask: bool) -> None:
        """`ask`: it is not known yet whether the registry has it."""
        digest = blob.digest
        if ask and await self.registry.has_blob(job.ref, digest, job.login):
            job.tell(digest, Step.THERE)
            return
        for source in self.sources(job.ref, digest):
            if await self.registry.mount_blob(job.ref, digest, source, job.login) is Mounted.MOUNTED:
                job.tell(digest, Step.MOUNTED, source=source.path)
                return
        size = self.content.size(digest)
        told = 0

        def sent(count: int) -> None:
            nonlocal told
            if abs(count - told) >= TOLD_BYTES or count == size:
                told = count
                job.tell(digest, Step.PUSHING, count, size)

        def stream(offset: int) -> AsyncIterator[bytes]:
            return self.content.stream(digest, offset)

        job.tell(digest, Step.PUSHING, 0, size)
        await self.registry.upload_blob(job.ref, blob, stream, job.login, on_sent=sent)
        job.tell(digest, Step.PUSHED)

    def sources(self, ref: Reference, digest: Digest) -> Sequence[Reference]:
        """Other repositories of the same registry in which the blob may be: those whose names its images have."""
        found: dict[str, Reference] = {}
        for image_id, blobs in self.garbage.blobs.items():
            record = self.ledger.images.get(image_id)
            if record is None or digest not in blobs:
                continue
            for name in (parse_normalised(each).name_only() for each in (*record.tags, *record.digests)):
                if name.domain == ref.domain and name.name != ref.name:
                    found[name.name] = name
        return list(found.values())[:TRIED_SOURCES]

    async def send_document(self, job: Job, document: Descriptor, *, is_target: bool) -> None:
        ref = job.ref if is_target else job.ref.with_digest(document.digest)
        data = await self.content.read(document.digest)
        media_type = document.media_type or decode_target(data).media_type
        await self.registry.put_document(ref, data, media_type, job.login)


def is_partial(found: Survey) -> bool:
    """Is something of the image not here, besides layers that may not be passed on?"""
    return bool(found.absent) or any(lacks(each) for each in found.manifests)


def lacks(each: ManifestFound) -> bool:
    foreign = {layer.digest for layer in each.manifest.layers if is_foreign_layer(layer.media_type) and layer.urls}
    return any(digest not in foreign for digest in each.missing)
