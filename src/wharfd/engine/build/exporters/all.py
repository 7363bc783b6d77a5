"""Which exporter does what."""

from collections.abc import Mapping
from dataclasses import dataclass

from wharfd.engine.build.exporters.archives import ArchiveExporter, TarExporter
from wharfd.engine.build.exporters.directories import DirectoryExporter
from wharfd.engine.build.exporters.images import ImageExporter
from wharfd.engine.build.reports import Report
from wharfd.engine.build.requests import BuildResult, Export
from wharfd.engine.build.roots import Root
from wharfd.model.errors import NotImplementedHere

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
    images: ImageExporter
    archives: ArchiveExporter
    tars: TarExporter
    directories: DirectoryExporter

    async def __call__(
        self, export: Export, result: BuildResult, roots: Mapping[str, Root], report: Report
    ) -> Mapping[str, str]:
        """Returns the exporter's response.  Raises NotImplementedHere, InvalidParameter and what goes wrong."""
        attributes = export.attributes
        match export.type:
            case "image" | "moby":
                return await self.images(result, roots, attributes, report)
            case "docker" | "oci":
                return await self.archives(
                    result, roots, attributes, report, export.target, for_docker=export.type == "docker"
                )
            case "tar":
                return await self.tars(result, roots, attributes, report, export.target)
            case "local":
                return await self.directories(result, roots, attributes, report, export.target)
            case "cacheonly":
                return {}
        raise NotImplementedHere(f"exporter {export.type!r} could not be found")
