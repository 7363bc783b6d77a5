"""Results as images of the store."""

from collections.abc import Awaitable, Mapping
from typing import Protocol

from wharfd.engine.build.client import BuildClient
from wharfd.engine.build.exporters.imaging import ImageMaker, MadeImage, truth
from wharfd.engine.build.reports import Report
from wharfd.engine.build.requests import BuildResult
from wharfd.engine.build.roots import Root
from wharfd.engine.images.garbage import Garbage
from wharfd.engine.images.leases import Leases
from wharfd.engine.images.progress import BlobStep, PushBegun, PushedInstead, PushEnded, Pushing, Step
from wharfd.engine.images.publish import NewImage, Publisher
from wharfd.engine.images.survey import survey
from wharfd.model.errors import InvalidParameter, NotImplementedHere
from wharfd.ports.content import ContentStore
from wharfd.wire.authconfig import AuthConfig
from wharfd.wire.reference import Reference, parse_normalised


class Push(Protocol):
    def __call__(self, ref: Reference, progress: Pushing, *, login: AuthConfig | None = None) -> Awaitable[None]: ...


class ImageExporter:
    """`image` (`moby`)."""

    def __init__(
        self,
        *,
        content: ContentStore,
        maker: ImageMaker,
        publisher: Publisher,
        garbage: Garbage,
        leases: Leases,
        push: Push,
    ) -> None:
        self.push = push
        self.content = content
        self.maker = maker
        self.publisher = publisher
        self.garbage = garbage
        self.leases = leases

    async def __call__(
        self,
        result: BuildResult,
        roots: Mapping[str, Root],
        attributes: Mapping[str, str],
        report: Report,
        client: BuildClient,
    ) -> Mapping[str, str]:
        names = names_of(attributes)
        is_pushed = truth(attributes, "push", False)
        if is_pushed and not names:
            raise InvalidParameter("tag is needed when pushing to registry")
        if truth(attributes, "push-by-digest", False):
            raise NotImplementedHere("pushing by digest as a part of a build")
        lease = self.leases.open()
        done = False
        try:
            report.status("exporting layers")
            image = await self.maker.make(result, roots, attributes, lease)
            report.status("exporting layers", is_done=True)
            self.tell(image, report)
            if is_pushed or truth(attributes, "store", True):
                await self.publish(image, names)
            done = True
        finally:
            keys = list(lease.keys)
            lease.release()
            if not done:
                await self.garbage.collect(keys)
        for name in names:
            report.status(f"naming to {name}", is_done=True)
        if is_pushed:
            await self.push_all(names, report, client)
        response = image.response()
        if names:
            response["image.name"] = ",".join(str(name) for name in names)
        return response

    async def push_all(self, names: list[Reference], report: Report, client: BuildClient) -> None:
        for name in names:
            title = f"pushing manifest for {name}"
            report.status(title)
            await self.push(name, Pushed(report), login=await client.credentials(name.domain))
            report.status(title, is_done=True)

    def tell(self, image: MadeImage, report: Report) -> None:
        for manifest in image.manifests.values():
            report.status(f"exporting manifest {manifest.digest}", is_done=True)
        if image.config is not None:
            report.status(f"exporting config {image.config}", is_done=True)
        else:
            report.status(f"exporting manifest list {image.target.digest}", is_done=True)

    async def publish(self, image: MadeImage, names: list[Reference]) -> None:
        found = await survey(self.content, image.target)
        await self.publisher([NewImage(target=image.target, found=found, names=names)])


class Pushed:
    """A push's progress as an exporter's."""

    def __init__(self, report: Report) -> None:
        self.report = report

    def __call__(self, told: PushBegun | PushedInstead | PushEnded | BlobStep) -> None:
        if isinstance(told, BlobStep) and told.step in (Step.PUSHING, Step.PUSHED, Step.THERE, Step.MOUNTED):
            is_done = told.step is not Step.PUSHING
            self.report.status(f"pushing {told.digest}", current=told.current, total=told.total, is_done=is_done)


def names_of(attributes: Mapping[str, str]) -> list[Reference]:
    """Canonical, with their tags.  Raises InvalidParameter."""
    names = []
    for text in attributes.get("name", "").split(","):
        if not text.strip() or text.strip() == "*":
            continue
        try:
            name = parse_normalised(text.strip()).with_default_tag()
        except InvalidParameter as e:
            raise InvalidParameter(f"failed to parse {text.strip()}: {e}") from e
        if name not in names:
            names.append(name)
    return names
