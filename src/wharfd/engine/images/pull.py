"""`docker pull`: an image from a registry.

    resolve   the name's target, and of an index the manifest for the platform
    bring     config and layers, several at once (`downloads.py`)
    unpack    each layer while its blob comes, or as soon as it is here, beside the others
    publish   the record, in one transaction

Until the manifest is known errors are statuses; the first thing told is `PullBegun`.  What fails before the last step leaves no image; of
the blobs those stay for a day that a further attempt can use, unless the image itself is at fault.
"""

import asyncio
from dataclasses import dataclass, field

from wharfd.engine.images.downloads import MAY_GO_ON, Downloads
from wharfd.engine.images.garbage import Garbage
from wharfd.engine.images.leases import Lease, Leases
from wharfd.engine.images.progress import BlobStep, PullBegun, PullEnded, Pulling, Step
from wharfd.engine.images.publish import NewImage, Publisher
from wharfd.engine.images.remote import RemoteImages
from wharfd.engine.images.resolve import by_tag
from wharfd.engine.images.signed import CheckSignatures
from wharfd.engine.images.survey import check_layers, is_runnable, survey
from wharfd.engine.images.unpacking import Unpacking, told
from wharfd.engine.ledger import Ledger
from wharfd.engine.tasks import carried_through
from wharfd.model.errors import EngineError, InvalidParameter
from wharfd.model.ids import Digest
from wharfd.ports.content import ResumableContent
from wharfd.ports.registry import Registry
from wharfd.ports.storage import Growing, LayerInfo, LayerStore, Ready
from wharfd.wire.authconfig import AuthConfig
from wharfd.wire.oci import ConfigDocument, Descriptor, Manifest, Platform, chain_ids, decode_config
from wharfd.wire.oci.documents import MAX_DOCUMENT
from wharfd.wire.reference import Reference, is_tag

TICK_S = 1.0  # how often it is told that an extraction goes on


@dataclass(slots=True, kw_only=True)
class Job:
    """One name that is being pulled.  Sets of digests are of layers."""

    ref: Reference
    login: AuthConfig | None
    progress: Pulling
    lease: Lease
    manifest: Manifest | None = None
    absent: set[Digest] = field(default_factory=set)  # whose blobs were not here at first
    here: set[Digest] = field(default_factory=set)  # whose blobs are here now
    is_planned: bool = False  # it is known which of them have to be unpacked
    extracting: dict[Digest, int] = field(default_factory=dict)  # those, and the ticks since their blobs came
    unpacked: set[Digest] = field(default_factory=set)
    is_shown: bool = False  # Docker: nothing is told of the layers of an image that is here already

    def tell(self, digest: Digest, step: Step, current: int = 0, total: int = 0) -> None:
        self.progress(BlobStep(digest, step, current, total))

    def arrived(self, digest: Digest) -> None:
        """Its blob is here, and the plan is made."""
        if digest in self.extracting:
            self.tell(digest, Step.EXTRACTING)
        elif digest in self.unpacked:
            return
        elif digest in self.absent:
            self.tell(digest, Step.PULLED)
        elif self.is_shown:
            self.tell(digest, Step.PRESENT)


class PullImage:
    def __init__(
        self,
        *,
        ledger: Ledger,
        content: ResumableContent,
        registry: Registry,
        remote: RemoteImages,
        downloads: Downloads,
        layers: LayerStore,
        unpacking: Unpacking,
        publisher: Publisher,
        garbage: Garbage,
        leases: Leases,
        check_signatures: CheckSignatures | None = None,
    ) -> None:
        self.ledger = ledger
        self.content = content
        self.registry = registry
        self.remote = remote
        self.downloads = downloads
        self.layers = layers
        self.unpacking = unpacking
        self.publisher = publisher
        self.garbage = garbage
        self.leases = leases
        self.check_signatures = check_signatures

    async def __call__(
        self,
        ref: Reference,
        progress: Pulling,
        *,
        login: AuthConfig | None = None,
        platform: Platform | None = None,
    ) -> None:
        """`ref` without tag and digest: all tags of the repository, one after the other.

        Raises NotFound (PullDenied, ManifestNotFound, RepositoryNotFound, no such platform), Unauthorized, RegistryFailure, Forbidden (by
        the signature policy), InvalidParameter (broken documents, content that is not what its digest says, hostile layers), Internal
        (disk full, a policy that cannot be used).
        """
        await self.garbage.expire()
        if not ref.is_name_only:
            await self.pull(ref, progress, login, platform)
            return
        for tag in await self.registry.tags(ref, login):
            if not is_tag(tag):
                continue
            tagged = ref.with_tag(tag)
            try:
                await self.pull(tagged, progress, login, platform)
            except EngineError as e:
                raise e.prefixed(f"error pulling {tagged}: ") from e

    async def pull(
        self, ref: Reference, progress: Pulling, login: AuthConfig | None, platform: Platform | None
    ) -> None:
        job = Job(ref=ref, login=login, progress=progress, lease=self.leases.open())
        before = self.target_of(ref)
        try:
            target, job.manifest = await self.remote.fetch(ref, login, platform, job.lease)
            if self.check_signatures is not None:
                await self.check_signatures(ref, target.digest, login)
            # Docker: of a digest the whole name is told.
            progress(PullBegun(ref.path, ref.tag or ref.familiar()))
            await self.bring(job, job.manifest)
            found = await survey(self.content, target)
            await self.publisher([NewImage(target=target, found=found, names=[ref], action="pull", about=ref)])
            await self.content.claim(found.blobs)
            job.lease.release()
        except BaseException as e:
            await carried_through(self.leave(job, may_go_on=isinstance(e, MAY_GO_ON)), "leave-pull")
            raise
        progress(PullEnded(target.digest, ref.familiar(), target.digest != before))

    def target_of(self, ref: Reference) -> Digest | None:
        """What the name stands for here."""
        if ref.digest is None:
            record = by_tag(self.ledger.images, ref)
        else:
            record = self.ledger.images.get(ref.digest)
            name = str(ref.with_digest(ref.digest))
            record = record if record is not None and name in record.digests else None
        return Digest(record.id) if record is not None else None

    async def leave(self, job: Job, *, may_go_on: bool) -> None:
        """What no image refers to goes away, but for blobs that the next attempt can use."""
        keys = list(job.lease.keys)
        job.lease.release()
        await self.garbage.collect(keys)
        if not may_go_on and job.manifest is not None:
            await self.garbage.abandon(each.digest for each in (job.manifest.config, *job.manifest.layers))

    async def bring(self, job: Job, manifest: Manifest) -> None:
        layers = {layer.digest: layer for layer in manifest.layers}
        await job.lease.hold(manifest.config.digest, *layers)
        job.absent = {digest for digest in layers if not self.content.has(digest)}
        job.is_shown = bool(job.absent) or not self.content.has(manifest.config.digest)
        if job.is_shown:
            for digest in layers:
                job.tell(digest, Step.ANNOUNCED)
        try:
            async with asyncio.TaskGroup() as group:
                for layer in layers.values():
                    group.create_task(self.bring_layer(job, layer), name=f"pull:{layer.digest}")
                config = await self.bring_config(job, manifest)
                if config is not None:
                    await self.unpack(job, group, manifest, config)
        except BaseExceptionGroup as failures:
            raise told(failures) from failures

    async def bring_config(self, job: Job, manifest: Manifest) -> ConfigDocument | None:
        """None for what is no image to run."""
        if manifest.config.size > MAX_DOCUMENT:
            raise InvalidParameter(f"invalid image config: larger than {MAX_DOCUMENT} bytes")
        await self.downloads.bring(job.ref, manifest.config, job.login)
        if not is_runnable(manifest):
            return None
        config = decode_config(await self.content.read(manifest.config.digest))
        check_layers(config, manifest)
        return config

    async def bring_layer(self, job: Job, layer: Descriptor) -> None:
        digest = layer.digest

        def watch(step: Step, amount: int) -> None:
            job.tell(digest, step, amount, layer.size if step is Step.DOWNLOADING else 0)

        await self.downloads.bring(job.ref, layer, job.login, watch)
        job.here.add(digest)
        if job.is_planned:
            job.arrived(digest)

    async def unpack(self, job: Job, group: asyncio.TaskGroup, manifest: Manifest, config: ConfigDocument) -> None:
        diff_ids = config.rootfs.diff_ids
        chain = chain_ids(diff_ids)
        await job.lease.hold(*chain)
        number_of = {chain_id: number for number, chain_id in enumerate(chain)}
        job.extracting = {
            layer.digest: 0
            for layer, chain_id in zip(manifest.layers, chain, strict=True)
            if self.layers.get(chain_id) is None
        }
        job.is_planned = True
        for digest in dict.fromkeys(layer.digest for layer in manifest.layers):
            if digest in job.here:
                job.arrived(digest)

        def arriving(number: int) -> tuple[Ready, Growing]:
            layer = manifest.layers[number]
            return (
                lambda: self.downloads.bring(job.ref, layer, job.login),
                lambda: self.downloads.growing(layer.digest),
            )

        def brought(info: LayerInfo) -> None:
            digest = manifest.layers[number_of[info.chain_id]].digest
            job.extracting.pop(digest, None)
            job.unpacked.add(digest)
            job.tell(digest, Step.PULLED)

        work = group.create_task(self.unpacking.unpack(manifest, diff_ids, brought, arriving), name="pull-unpack")
        while not (await asyncio.wait([work], timeout=TICK_S))[0]:
            for digest in job.here & job.extracting.keys():
                job.extracting[digest] += 1
                job.tell(digest, Step.EXTRACTING, job.extracting[digest])
