"""Which source brings what."""

from wharfd.engine.build.graph import Vertex
from wharfd.engine.build.ops import GitSource, HttpSource, ImageSource, LocalSource
from wharfd.engine.build.reports import Report
from wharfd.engine.build.scene import Scene
from wharfd.engine.build.solver import Found
from wharfd.engine.build.sources.images import ImageSources
from wharfd.engine.build.sources.local import LocalSources
from wharfd.engine.build.sources.remote import RemoteSources
from wharfd.model.errors import NotImplementedHere


class AllSources:
    def __init__(self, *, images: ImageSources, local: LocalSources, remote: RemoteSources) -> None:
        self.images = images
        self.local = local
        self.remote = remote

    async def __call__(self, vertex: Vertex, scene: Scene, report: Report) -> Found:
        match vertex.op:
            case ImageSource() as op:
                return await self.images(vertex, op, scene, report)
            case LocalSource() as op:
                return await self.local(op, scene, report)
            case HttpSource() as op:
                return await self.remote.http(op, scene, report)
            case GitSource() as op:
                return await self.remote.git(op, scene, report)
        raise NotImplementedHere(f"build source {type(vertex.op).__name__}")
