"""`docker import`: a root file system's tar becomes an image of one layer."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from wharfd.engine.images.garbage import Garbage
from wharfd.engine.images.leases import Leases
from wharfd.engine.images.platforms import host_platform
from wharfd.engine.images.publish import NewImage, Publisher
from wharfd.engine.images.survey import survey
from wharfd.engine.images.unpacking import Unpacking
from wharfd.model.archive import IngestedLayer
from wharfd.model.ids import Digest, ImageId
from wharfd.model.image import HistoryEntry, RunConfig
from wharfd.ports.clock import Clock
from wharfd.ports.content import ContentStore, SpoolStore
from wharfd.ports.host import Host
from wharfd.ports.workers import ArchiveIngester
from wharfd.wire.changes import apply_changes
from wharfd.wire.oci import (
    ConfigDocument,
    Descriptor,
    Manifest,
    Platform,
    RootFS,
    chain_ids,
    decode_manifest,
    digest_of,
    encode,
    encode_config,
)
from wharfd.wire.oci.media_types import OCI_CONFIG, OCI_MANIFEST, layer_type
from wharfd.wire.reference import Reference
from wharfd.wire.timestamps import format_rfc3339_nano


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """`name` None: the image gets no name.  `changes` are Dockerfile instructions.  `platform` None: this host's."""

    name: Reference | None = None
    message: str = ""
    changes: Sequence[str] = ()
    platform: Platform | None = None


class ImportImage:
    def __init__(
        self,
        *,
        content: ContentStore,
        spools: SpoolStore,
        ingester: ArchiveIngester,
        unpacking: Unpacking,
        publisher: Publisher,
        garbage: Garbage,
        leases: Leases,
        clock: Clock,
        host: Host,
    ) -> None:
        self.content = content
        self.spools = spools
        self.ingester = ingester
        self.unpacking = unpacking
        self.publisher = publisher
        self.garbage = garbage
        self.leases = leases
        self.clock = clock
        self.host = host

    async def __call__(self, asked: Import, tarball: AsyncIterator[bytes]) -> ImageId:
        """Raises InvalidParameter for changes that are none and for a broken archive; nothing is left then."""
        run = apply_changes(RunConfig(), asked.changes)
        lease = self.leases.open()
        spool = await self.spools.spool()
        done = False
        try:
            layer = await self.ingester.ingest_layer(tarball, spool.path)
            config, manifest = self.documents(asked, run, layer)
            target = Descriptor(media_type=OCI_MANIFEST, digest=digest_of(manifest), size=len(manifest))
            await lease.hold(layer.digest, digest_of(config), target.digest, *chain_ids([layer.diff_id]))
            if not self.content.has(layer.digest):
                await spool.adopt({layer.digest.removeprefix("sha256:"): layer.digest})
            await self.store(config)
            await self.store(manifest)
            await self.unpacking.unpack(decode_manifest(manifest, OCI_MANIFEST), [layer.diff_id])
            found = await survey(self.content, target)
            names = [asked.name] if asked.name is not None else []
            await self.publisher([NewImage(target=target, found=found, names=names, action="import")])
            done = True
        finally:
            keys = list(lease.keys)
            lease.release()
            await spool.drop()
            if not done:
                await self.garbage.collect(keys)
        return ImageId(target.digest)

    def documents(self, asked: Import, run: RunConfig, layer: IngestedLayer) -> tuple[bytes, bytes]:
        platform = asked.platform or host_platform(self.host)
        created = format_rfc3339_nano(self.clock.now_ns())
        config = encode_config(
            ConfigDocument(
                created=created,
                architecture=platform.architecture,
                os=platform.os,
                variant=platform.variant,
                config=run,
                rootfs=RootFS(diff_ids=[layer.diff_id]),
                history=[HistoryEntry(created=created, comment=asked.message)],
            )
        )
        manifest = Manifest(
            media_type=OCI_MANIFEST,
            config=Descriptor(media_type=OCI_CONFIG, digest=digest_of(config), size=len(config)),
            layers=[Descriptor(media_type=layer_type(layer.compression), digest=layer.digest, size=layer.size)],
        )
        return config, encode(manifest)

    async def store(self, document: bytes) -> Digest:
        writer = await self.content.writer()
        await writer.write(document)
        return await writer.commit(digest_of(document))
