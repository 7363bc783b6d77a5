"""`docker load`: images from an archive that streams in.

    split    a worker writes the members into a spool as they come, each under its digest
    read     index.json, manifest.json and what they name: which images are they, is everything there
    adopt    the blobs that belong to an image move to the content store
    unpack   the layers that this host would run, side by side
    publish  all records in one transaction

Whatever fails before the last step leaves nothing behind.
"""

from collections.abc import AsyncIterator, Sequence

from wharfd.engine.images.archive import Archive, ArchivedImage
from wharfd.engine.images.garbage import Garbage
from wharfd.engine.images.leases import Lease, Leases
from wharfd.engine.images.platforms import as_platform, host_platform
from wharfd.engine.images.progress import ImageLoaded, LayerLoaded, Progress
from wharfd.engine.images.publish import NewImage, Publisher
from wharfd.engine.images.survey import ManifestFound, Survey, is_document, platform_of, survey
from wharfd.engine.images.unpacking import Unpacking
from wharfd.model.archive import ArchiveMember
from wharfd.model.errors import InvalidParameter, NotFound
from wharfd.model.ids import Digest, ImageId
from wharfd.ports.content import ContentStore, Spool, SpoolStore
from wharfd.ports.host import Host
from wharfd.ports.storage import LayerInfo, LayerStore
from wharfd.ports.workers import ArchiveIngester
from wharfd.wire.oci import (
    Descriptor,
    Index,
    Platform,
    best_match,
    chain_ids,
    decode_target,
    digest_of,
    format_platform,
    runnable,
)


class LoadImages:
    def __init__(
        self,
        *,
        content: ContentStore,
        spools: SpoolStore,
        ingester: ArchiveIngester,
        layers: LayerStore,
        unpacking: Unpacking,
        publisher: Publisher,
        garbage: Garbage,
        leases: Leases,
        host: Host,
    ) -> None:
        self.content = content
        self.spools = spools
        self.ingester = ingester
        self.layers = layers
        self.unpacking = unpacking
        self.publisher = publisher
        self.garbage = garbage
        self.leases = leases
        self.host = host

    async def __call__(
        self, archive: AsyncIterator[bytes], progress: Progress, platforms: Sequence[Platform] = ()
    ) -> None:
        """`platforms`: only these, and all of them must be there.

        Raises InvalidParameter for an archive that is broken or incomplete, NotFound for a platform that it has not.
        """
        lease = self.leases.open()
        spool = await self.spools.spool()
        done = False
        try:
            images = await self.bring(archive, spool, lease, progress, platforms)
            await self.publisher(images)
            done = True
        finally:
            keys = list(lease.keys)
            lease.release()
            await spool.drop()
            if not done:
                await self.garbage.collect(keys)
        for image in images:
            for name in [each.familiar() for each in image.names] or [""]:
                progress(ImageLoaded(ImageId(image.target.digest), name))

    async def bring(
        self,
        archive: AsyncIterator[bytes],
        spool: Spool,
        lease: Lease,
        progress: Progress,
        platforms: Sequence[Platform],
    ) -> list[NewImage]:
        contents = Contents(await self.ingester.split(archive, spool.path), spool, self.content)
        images = []
        for archived in await contents.archive.images():
            await self.adopt(contents, archived, lease)
            found = await survey(self.content, archived.target)
            wanted = self.wanted(found, platforms)
            for each in wanted:
                await self.unpack(each, lease, progress)
            images.append(NewImage(target=archived.target, found=found, names=archived.names, action="load"))
        return images

    async def adopt(self, contents: "Contents", archived: ArchivedImage, lease: Lease) -> None:
        """Move the image's blobs from the spool to the store, as far as the archive has them."""
        contents.made.update((digest_of(document), document) for document in archived.documents)
        needed = await contents.reachable(archived.target)
        await lease.hold(*needed)
        absent = [digest for digest in needed if not self.content.has(digest)]
        await contents.spool.adopt(
            {digest.removeprefix("sha256:"): digest for digest in absent if digest in contents.blobs}
        )
        for digest in absent:
            if digest not in contents.blobs:
                writer = await self.content.writer()
                await writer.write(contents.made[digest])
                await writer.commit(digest)

    def wanted(self, found: Survey, asked: Sequence[Platform]) -> list[ManifestFound]:
        """The manifests to unpack: those asked for, else the one for this host, else the first.

        Raises InvalidParameter, NotFound.
        """
        whole = [each for each in found.manifests if each.is_image and not each.missing]
        if not whole:
            lost = next((digest for each in found.manifests for digest in each.missing), None)
            raise InvalidParameter(
                f"invalid archive: content digest {lost}: not found" if lost else "invalid archive: it holds no image"
            )
        names = [as_platform(platform_of(each, found, self.layers)) for each in whole]
        if not asked:
            return [whole[best_match(names, runnable(host_platform(self.host))) or 0]]
        chosen = []
        for platform in asked:
            index = best_match(names, [platform])
            if index is None:
                raise NotFound(f"requested platform ({format_platform(platform)}) not found")
            chosen.append(whole[index])
        return chosen

    async def unpack(self, each: ManifestFound, lease: Lease, progress: Progress) -> None:
        assert each.config is not None
        diff_ids = each.config.rootfs.diff_ids
        await lease.hold(*chain_ids(diff_ids))

        def brought(info: LayerInfo) -> None:
            progress(LayerLoaded(info.chain_id, info.size_bytes))

        await self.unpacking.unpack(each.manifest, diff_ids, brought)


class Contents:
    """What one archive holds: in the spool, in the content store (taken over, or there before), or made here."""

    def __init__(self, members: Sequence[ArchiveMember], spool: Spool, content: ContentStore) -> None:
        self.spool = spool
        self.content = content
        self.archive = Archive(members, self.read, self.head)
        self.blobs = self.archive.blobs()
        self.made: dict[Digest, bytes] = {}

    def has(self, digest: Digest) -> bool:
        return digest in self.made or digest in self.blobs or self.content.has(digest)

    async def read(self, digest: Digest) -> bytes:
        if digest in self.made:
            return self.made[digest]
        if self.content.has(digest):
            return await self.content.read(digest)
        return await self.spool.read(digest.removeprefix("sha256:"))

    async def head(self, digest: Digest, count: int) -> bytes:
        return await self.spool.head(digest.removeprefix("sha256:"), count)

    async def reachable(self, target: Descriptor) -> set[Digest]:
        """Everything that is here of an image, its target first.  Raises InvalidParameter without the target itself."""
        if not self.has(target.digest):
            raise InvalidParameter(f"invalid archive: content digest {target.digest}: not found")
        found: set[Digest] = set()
        pending = [target]
        while pending:
            descriptor = pending.pop()
            if descriptor.digest in found or not self.has(descriptor.digest):
                continue
            found.add(descriptor.digest)
            if descriptor is not target and not is_document(descriptor):
                continue
            document = decode_target(await self.read(descriptor.digest), descriptor.media_type)
            if isinstance(document, Index):
                pending += document.manifests
            else:
                found |= {each.digest for each in (document.config, *document.layers) if self.has(each.digest)}
        return found
