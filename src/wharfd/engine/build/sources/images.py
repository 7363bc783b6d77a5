"""FROM: an image of the store, brought from its registry if it is not there."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Protocol

from wharfd.engine.build.cache import BuildCache
from wharfd.engine.build.graph import Vertex, content_digest
from wharfd.engine.build.ops import ImageSource, ResolveMode
from wharfd.engine.build.reports import Report
from wharfd.engine.build.requests import ResolvedImageSource
from wharfd.engine.build.roots import root_of
from wharfd.engine.build.scene import Scene
from wharfd.engine.build.solver import Found
from wharfd.engine.images.platforms import host_platform
from wharfd.engine.images.progress import BlobStep, PullBegun, PullEnded, Step
from wharfd.engine.images.resolve import Images, ResolvedImage
from wharfd.model.build import LayerBlob
from wharfd.model.errors import NotFound
from wharfd.model.ids import Digest
from wharfd.model.image import ImagePlatform
from wharfd.ports.content import ContentStore
from wharfd.ports.host import Host
from wharfd.wire.authconfig import AuthConfig
from wharfd.wire.oci import Manifest, Platform, decode_manifest
from wharfd.wire.reference import Reference, parse_normalised

AS_IT_CAME = "original"  # how a layer was packed that was packed by somebody else

Telling = Callable[[PullBegun | PullEnded | BlobStep], None]


class Pull(Protocol):
    def __call__(
        self, ref: Reference, progress: Telling, *, login: AuthConfig | None = None, platform: Platform | None = None
    ) -> Awaitable[None]: ...


class ImageSources:
    def __init__(self, *, images: Images, content: ContentStore, cache: BuildCache, host: Host, pull: Pull) -> None:
        self.images = images
        self.content = content
        self.cache = cache
        self.host = host
        self.pull = pull

    async def __call__(self, vertex: Vertex, op: ImageSource, scene: Scene, report: Report) -> Found:
        """Raises NotFound, Unauthorized, InvalidParameter and what a pull raises."""
        image, was_here = await self.get(op.ref, vertex.platform, op.resolve_mode, scene, report)
        chosen = image.platform
        if op.checksum and op.checksum not in (chosen.manifest, image.record.id):
            raise NotFound(f"{op.ref}: its digest is {image.record.id}, not {op.checksum}")
        await scene.lease.hold(*image.lease.keys)
        await self.note_blobs(chosen)
        top = chosen.chain_ids[-1] if chosen.chain_ids else ""
        return Found(content_digest(["image", top]), root_of(chosen.chain_ids), cached=was_here)

    async def get(
        self, ref: str, platform: Platform | None, mode: ResolveMode, scene: Scene, report: Report
    ) -> tuple[ResolvedImage, bool]:
        """The image, and whether it was here."""
        if mode is not ResolveMode.PULL:
            with suppress(NotFound):
                return await self.images.get(ref, platform), True
        name = parse_normalised(ref).with_default_tag()
        login = await scene.client.credentials(name.domain)
        await self.pull(name, Pulled(report), login=login, platform=platform)
        return await self.images.get(ref, platform), False

    async def resolve(
        self, ref: str, platform: Platform | None, mode: ResolveMode, scene: Scene, report: Report
    ) -> ResolvedImageSource:
        """For frontends: the config of an image and what its name stands for now."""
        image, _ = await self.get(ref, platform, mode, scene, report)
        await scene.lease.hold(*image.lease.keys)
        name = parse_normalised(ref)
        digest = Digest(image.record.id)
        config = await self.content.read(image.platform.config_digest)
        return ResolvedImageSource(
            ref=str(name if name.digest else name.with_default_tag().with_digest(digest)),
            digest=digest,
            config=config,
            platform=Platform(
                os=image.platform.os, architecture=image.platform.architecture, variant=image.platform.variant
            ),
        )

    async def note_blobs(self, chosen: ImagePlatform) -> None:
        """What the layers' archives are: an image that is built on them has the same."""
        if all(self.cache.blob(layer, AS_IT_CAME) for layer in chosen.chain_ids):
            return
        manifest = decode_manifest(await self.content.read(chosen.manifest), chosen.media_type)
        await self.note(manifest, chosen.chain_ids, chosen.diff_ids)

    async def note(self, manifest: Manifest, chain: Sequence[str], diff_ids: Sequence[str]) -> None:
        await self.cache.note_blobs(
            [
                LayerBlob(
                    id=f"{chain_id} {AS_IT_CAME}",
                    diff_id=diff_id,
                    digest=layer.digest,
                    size=layer.size,
                    media_type=layer.media_type,
                )
                for chain_id, diff_id, layer in zip(chain, diff_ids, manifest.layers, strict=True)
            ]
        )

    def platform(self) -> Platform:
        return host_platform(self.host)


class Pulled:
    """A pull's progress as a step's."""

    def __init__(self, report: Report) -> None:
        self.report = report

    def __call__(self, told: PullBegun | PullEnded | BlobStep) -> None:
        match told:
            case PullBegun(repository, what):
                self.report.status(f"resolve {repository}:{what}")
            case BlobStep(digest, step, current, total):
                is_done = step in (Step.PULLED, Step.PRESENT)
                amount = total if is_done else current if step is Step.DOWNLOADING else 0
                self.report.status(digest, current=amount, total=total, is_done=is_done)
            case PullEnded():
                pass
