"""Make an image of what a container has changed: the image that it stands on, with one layer more and a config of its own.

The container is frozen while its files are read, unless that is not wanted.  It is recorded as frozen before it is: an engine that dies
meanwhile thaws it when it comes back, and nothing else is left of a commit that was broken off.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import msgspec

from wharfd.engine.containers.archive.view import usable_rootfs
from wharfd.engine.containers.merge import inherit
from wharfd.engine.happenings import container_event, image_event
from wharfd.engine.images.garbage import Garbage
from wharfd.engine.images.leases import Lease, Leases
from wharfd.engine.images.platforms import host_platform
from wharfd.engine.images.publish import NewImage, Publisher
from wharfd.engine.images.survey import survey
from wharfd.engine.images.unpacking import Unpacking
from wharfd.engine.ledger import Ledger
from wharfd.engine.locks import KeyedLocks
from wharfd.model.archive import IngestedLayer
from wharfd.model.config import ContainerConfig
from wharfd.model.container import ContainerRecord, State
from wharfd.model.errors import EngineError
from wharfd.model.ids import Digest, ImageId
from wharfd.model.image import HistoryEntry, RunConfig
from wharfd.ports.archives import ChangeLister
from wharfd.ports.clock import Clock
from wharfd.ports.content import ContentStore, Spool, SpoolStore
from wharfd.ports.host import Host
from wharfd.ports.runtime import RuntimeDriver
from wharfd.wire.changes import apply_changes
from wharfd.wire.oci import (
    ConfigDocument,
    Descriptor,
    Manifest,
    RootFS,
    chain_ids,
    decode_config,
    decode_manifest,
    digest_of,
    encode,
    encode_config,
)
from wharfd.wire.oci.media_types import OCI_CONFIG, OCI_MANIFEST, layer_compression, layer_type
from wharfd.wire.reference import Reference
from wharfd.wire.timestamps import format_rfc3339_nano


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitRequest:
    """`config` None: the container's own.  `changes` are Dockerfile instructions, applied before the container's config fills gaps."""

    ref: str
    name: Reference | None = None
    author: str = ""
    comment: str = ""
    pause: bool = True
    changes: Sequence[str] = ()
    config: ContainerConfig | None = None


@dataclass(frozen=True, slots=True)
class Base:
    """What the container stands on.  Without an image: nothing."""

    config: ConfigDocument
    layers: list[Descriptor]


class CommitContainer:
    def __init__(
        self,
        *,
        ledger: Ledger,
        locks: KeyedLocks,
        clock: Clock,
        host: Host,
        runtime: RuntimeDriver,
        lister: ChangeLister,
        content: ContentStore,
        spools: SpoolStore,
        unpacking: Unpacking,
        publisher: Publisher,
        garbage: Garbage,
        leases: Leases,
    ) -> None:
        self.ledger = ledger
        self.locks = locks
        self.clock = clock
        self.host = host
        self.runtime = runtime
        self.lister = lister
        self.content = content
        self.spools = spools
        self.unpacking = unpacking
        self.publisher = publisher
        self.garbage = garbage
        self.leases = leases

    async def __call__(self, asked: CommitRequest) -> ImageId:
        """The id of the new image.

        Raises:
            ContainerNotFound.
            Conflict: it is being removed.
            InvalidParameter: changes that are none.
            NotFound: the content of its image is not here any more.
        """
        record = self.ledger.container(asked.ref)
        run = run_config(asked, record)
        lease = self.leases.open()
        spool = await self.spools.spool()
        done = False
        try:
            base = await self.base(record, lease)
            layer = await self.pack(record, spool, pause=asked.pause)
            target = await self.make(asked, record, run, base, layer, spool, lease)
            done = True
        finally:
            keys = list(lease.keys)
            lease.release()
            await spool.drop()
            if not done:
                await self.garbage.collect(keys)
        return ImageId(target.digest)

    async def base(self, record: ContainerRecord, lease: Lease) -> Base:
        """Held by the lease from now on."""
        if record.manifest is None:
            own = host_platform(self.host)
            return Base(ConfigDocument(architecture=own.architecture, os=own.os, variant=own.variant), [])
        await lease.hold(record.manifest)
        manifest = decode_manifest(await self.content.read(record.manifest))
        await lease.hold(manifest.config.digest, *(layer.digest for layer in manifest.layers))
        config = decode_config(await self.content.read(manifest.config.digest))
        await lease.hold(*chain_ids(config.rootfs.diff_ids))
        for layer in manifest.layers:
            self.content.size(layer.digest)
        return Base(config, [as_oci(layer) for layer in manifest.layers])

    async def pack(self, record: ContainerRecord, spool: Spool, *, pause: bool) -> IngestedLayer | None:
        async with self.locks.hold("container", record.id):
            record = self.ledger.container(record.id)
            rootfs = usable_rootfs(record, "commit")
            if not pause or record.state is not State.RUNNING:
                return await self.lister.pack(rootfs, spool.path)
            async with self.frozen(record):
                return await self.lister.pack(rootfs, spool.path)

    @asynccontextmanager
    async def frozen(self, record: ContainerRecord) -> AsyncIterator[None]:
        """Docker: this is told as a pause.  A container that has just ended is left as it is."""
        await self.ledger.commit(msgspec.structs.replace(record, frozen=True))
        try:
            await self.runtime.pause(record.id)
        except EngineError:
            await self.thawed(record)
            yield
            return
        try:
            await self.ledger.commit(events=[container_event(record, "pause", self.clock.now_ns())])
            yield
        finally:
            try:
                await self.runtime.resume(record.id)
            finally:
                await self.thawed(record)
            await self.ledger.commit(events=[container_event(record, "unpause", self.clock.now_ns())])

    async def thawed(self, record: ContainerRecord) -> None:
        now = self.ledger.containers.get(record.id)
        if now is not None:
            await self.ledger.commit(msgspec.structs.replace(now, frozen=False))

    async def make(
        self,
        asked: CommitRequest,
        record: ContainerRecord,
        run: RunConfig,
        base: Base,
        layer: IngestedLayer | None,
        spool: Spool,
        lease: Lease,
    ) -> Descriptor:
        config, manifest = self.documents(asked, record, run, base, layer)
        target = Descriptor(media_type=OCI_MANIFEST, digest=digest_of(manifest), size=len(manifest))
        diff_ids = decode_config(config).rootfs.diff_ids
        await lease.hold(digest_of(config), target.digest, *chain_ids(diff_ids))
        if layer is not None:
            await lease.hold(layer.digest)
            if not self.content.has(layer.digest):
                await spool.adopt({layer.digest.removeprefix("sha256:"): layer.digest})
        await self.store(config)
        await self.store(manifest)
        await self.unpacking.unpack(decode_manifest(manifest, OCI_MANIFEST), diff_ids)
        found = await survey(self.content, target)
        names = [asked.name] if asked.name is not None else []
        new = NewImage(target=target, found=found, names=names, action="create", parent=record.image_id)
        await self.publisher([new])
        await self.tell(asked, record, ImageId(target.digest), run)
        return target

    async def tell(self, asked: CommitRequest, record: ContainerRecord, image_id: ImageId, run: RunConfig) -> None:
        now_ns = self.clock.now_ns()
        name = asked.name.familiar() if asked.name is not None else ""
        events = [image_event(image_id, "tag", now_ns, name=name, labels=run.labels)] if name else []
        attributes = {"comment": asked.comment, "imageID": image_id, "imageRef": name}
        events.append(container_event(record, "commit", now_ns, **attributes))
        await self.ledger.commit(events=events)

    def documents(
        self,
        asked: CommitRequest,
        record: ContainerRecord,
        run: RunConfig,
        base: Base,
        layer: IngestedLayer | None,
    ) -> tuple[bytes, bytes]:
        created = format_rfc3339_nano(self.clock.now_ns())
        entry = HistoryEntry(
            created=created,
            created_by=" ".join(record.config.cmd or ()),
            author=asked.author,
            comment=asked.comment,
            empty_layer=layer is None,
        )
        added = [] if layer is None else [layer]
        diff_ids = [*base.config.rootfs.diff_ids, *(each.diff_id for each in added)]
        config = encode_config(
            msgspec.structs.replace(
                base.config,
                created=created,
                author=asked.author,
                comment=asked.comment,
                config=run,
                rootfs=RootFS(diff_ids=diff_ids),
                history=[*base.config.history, entry],
            )
        )
        manifest = Manifest(
            media_type=OCI_MANIFEST,
            config=Descriptor(media_type=OCI_CONFIG, digest=digest_of(config), size=len(config)),
            layers=[*base.layers, *(described(each) for each in added)],
        )
        return config, encode(manifest)

    async def store(self, document: bytes) -> Digest:
        writer = await self.content.writer()
        await writer.write(document)
        return await writer.commit(digest_of(document))


def described(layer: IngestedLayer) -> Descriptor:
    return Descriptor(media_type=layer_type(layer.compression), digest=layer.digest, size=layer.size)


def as_oci(layer: Descriptor) -> Descriptor:
    """The manifest of the new image is an OCI one, whatever that of the old was."""
    compression = layer_compression(layer.media_type)
    if compression is None:
        return layer
    return Descriptor(media_type=layer_type(compression), digest=layer.digest, size=layer.size, urls=layer.urls)


def run_config(asked: CommitRequest, record: ContainerRecord) -> RunConfig:
    """Raises InvalidParameter."""
    own = as_run_config(record.config)
    given = record.config if asked.config is None else asked.config
    changed = apply_changes(as_run_config(given), asked.changes)
    return as_run_config(inherit(as_container_config(changed), own))


SHARED = tuple(RunConfig.__struct_fields__)


def as_run_config(config: ContainerConfig) -> RunConfig:
    return RunConfig(**{name: getattr(config, name) for name in SHARED})


def as_container_config(config: RunConfig) -> ContainerConfig:
    return ContainerConfig(**{name: getattr(config, name) for name in SHARED})
