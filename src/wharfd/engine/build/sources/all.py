"""Which source brings what."""

from wharfd.engine.build.graph import Vertex
from wharfd.engine.build.ops import GitSource, HttpSource, ImageSource, LayoutSource, LocalSource
from wharfd.engine.build.reports import Report
from wharfd.engine.build.scene import Scene
from wharfd.engine.build.solver import Found
from wharfd.engine.build.sources.images import ImageSources
from wharfd.engine.build.sources.layouts import LayoutSources
from wharfd.engine.build.sources.local import LocalSources
from wharfd.engine.build.sources.remote import RemoteSources
from wharfd.model.errors import NotImplementedHere


class AllSources:
    def __init__(
        self, *, images: ImageSources, local: LocalSources, remote: RemoteSources, layouts: LayoutSources
    ) -> None:
        self.images = images
        self.local = local
        self.remote = remote
        self.layouts = layouts

    async def __call__(self, vertex: Vertex, scene: Scene, report: Report) -> Found:
        match vertex.op:
            case ImageSource() as op:
                return await self.images(vertex, op, scene, report)
            case LocalSource() as op:
                return await self.local(op, scene, report)
            case LayoutSource() as op:
                return await self.layouts(vertex, op, scene, report)
            case HttpSource() as op:
                return await self.remote.http(op, scene, report)
            case GitSource() as op:
                return await self.remote.git(op, scene, report)
            case _:
                raise NotImplementedHere(f"build source {type(vertex.op).__name__}")
