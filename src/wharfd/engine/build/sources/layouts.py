"""Images in an OCI layout that the client offers (`--build-context x=oci-layout://…`): its blobs are brought, as a pull would."""

import asyncio

from wharfd.engine.build.graph import Vertex, content_digest
from wharfd.engine.build.ops import LayoutSource
from wharfd.engine.build.reports import Report
from wharfd.engine.build.roots import root_of
from wharfd.engine.build.scene import Scene
from wharfd.engine.build.solver import Found
from wharfd.engine.build.sources.images import ImageSources
from wharfd.engine.images.platforms import host_platform
from wharfd.engine.images.remote import entry_for
from wharfd.engine.images.survey import MAX_DEPTH
from wharfd.engine.images.unpacking import Unpacking
from wharfd.model.errors import InvalidParameter, NotFound
from wharfd.model.ids import Digest
from wharfd.ports.content import ContentStore
from wharfd.ports.host import Host
from wharfd.wire.oci import Descriptor, Manifest, Platform, chain_ids, decode_config, decode_target, runnable
from wharfd.wire.reference import parse_normalised


class LayoutSources:
    def __init__(self, *, content: ContentStore, unpacking: Unpacking, images: ImageSources, host: Host) -> None:
        self.content = content
        self.unpacking = unpacking
        self.images = images
        self.host = host

    async def __call__(self, vertex: Vertex, op: LayoutSource, scene: Scene, report: Report) -> Found:
        """Raises NotFound, InvalidParameter (what came is not what its digest says)."""
        digest = parse_normalised(op.ref).digest
        if digest is None:
            raise InvalidParameter(f"{op.ref}: an OCI layout needs a digest")
        manifest = await self.manifest(op, Digest(digest), vertex.platform, scene)
        await self.bring(op, manifest.config.digest, scene)
        config = decode_config(await self.content.read(manifest.config.digest))
        diff_ids = config.rootfs.diff_ids
        if len(diff_ids) != len(manifest.layers):
            raise InvalidParameter("mismatched image rootfs and manifest layers")
        chain = chain_ids(diff_ids)
        await scene.lease.hold(*chain)
        await asyncio.gather(*(self.bring_layer(op, layer, scene, report) for layer in manifest.layers))
        await self.unpacking.unpack(manifest, diff_ids)
        await self.images.note(manifest, chain, diff_ids)
        return Found(content_digest(["image", chain[-1] if chain else ""]), root_of([*chain]))

    async def manifest(self, op: LayoutSource, digest: Digest, platform: Platform | None, scene: Scene) -> Manifest:
        media_type = ""
        for _ in range(MAX_DEPTH):
            await self.bring(op, digest, scene)
            document = decode_target(await self.content.read(digest), media_type)
            if isinstance(document, Manifest):
                return document
            wanted = [platform] if platform is not None else runnable(host_platform(self.host))
            chosen = entry_for(document, wanted)
            if chosen is None:
                raise NotFound(f"{op.ref}: no match for platform in manifest")
            digest, media_type = chosen.digest, chosen.media_type
        raise InvalidParameter(f"index {digest} is nested too deeply")

    async def bring_layer(self, op: LayoutSource, layer: Descriptor, scene: Scene, report: Report) -> None:
        report.status(layer.digest, total=layer.size)
        await self.bring(op, layer.digest, scene)
        report.status(layer.digest, current=layer.size, total=layer.size, is_done=True)

    async def bring(self, op: LayoutSource, digest: Digest, scene: Scene) -> None:
        await scene.lease.hold(digest)
        if self.content.has(digest):
            return
        writer = await self.content.writer()
        try:
            async for chunk in await scene.client.layout_blob(op, digest):
                await writer.write(chunk)
        except BaseException:
            await writer.abort()
            raise
        await writer.commit(digest)
