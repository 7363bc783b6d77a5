"""Which exporter does what."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from wharfd.engine.build.client import BuildClient
from wharfd.engine.build.exporters.archives import ArchiveExporter, TarExporter
from wharfd.engine.build.exporters.directories import DirectoryExporter
from wharfd.engine.build.exporters.images import ImageExporter
from wharfd.engine.build.exporters.imaging import epoch, packing_of
from wharfd.engine.build.exporters.layers import LayerArchives
from wharfd.engine.build.reports import Report
from wharfd.engine.build.requests import BuildResult, Export
from wharfd.engine.build.roots import Root
from wharfd.model.errors import NotImplementedHere
from wharfd.model.ids import ChainId

IMAGES = ("image", "moby", "docker", "oci")
TITLES = {
    "image": "exporting to image",
    "moby": "exporting to image",
    "docker": "exporting to docker image format",
    "oci": "exporting to oci image format",
    "local": "exporting to client directory",
    "tar": "exporting to client tarball",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Exporters:
    layers: LayerArchives
    images: ImageExporter
    archives: ArchiveExporter
    tars: TarExporter
    directories: DirectoryExporter

    def expect(self, exports: Sequence[Export], result: BuildResult) -> Callable[[ChainId], None] | None:
        """What is to be done with each layer of the result as soon as it is there; None: nothing."""
        wanted = [export for export in exports if export.type in IMAGES]
        if not wanted:
            return None
        attributes = wanted[0].attributes
        packing = packing_of(attributes, epoch(attributes, result))
        return lambda layer: self.layers.make_early(layer, packing)

    async def __call__(
        self, export: Export, result: BuildResult, roots: Mapping[str, Root], report: Report, client: BuildClient
    ) -> Mapping[str, str]:
        """Returns the exporter's response.  Raises NotImplementedHere, InvalidParameter and what goes wrong."""
        attributes = export.attributes
        match export.type:
            case "image" | "moby":
                return await self.images(result, roots, attributes, report, client)
            case "docker" | "oci":
                return await self.archives(
                    result, roots, attributes, report, export.target, client, for_docker=export.type == "docker"
                )
            case "tar":
                return await self.tars(result, roots, attributes, report, export.target)
            case "local":
                return await self.directories(result, roots, attributes, report, export.target)
            case "cacheonly":
                return {}
        raise NotImplementedHere(f'exporter "{export.type}" could not be found')
