"""Results as archives: an OCI layout (`oci`), the same with Docker's `manifest.json` (`docker`), the files themselves (`tar`)."""

from collections.abc import AsyncIterator, Mapping, Sequence

from wharfd.engine.build.client import BuildClient, ExportTarget
from wharfd.engine.build.exporters.images import ImageExporter, names_of
from wharfd.engine.build.exporters.imaging import ImageMaker, MadeImage, epoch
from wharfd.engine.build.filesteps import FileSteps
from wharfd.engine.build.reports import Report
from wharfd.engine.build.requests import BuildResult
from wharfd.engine.build.roots import Root
from wharfd.engine.images.garbage import Garbage
from wharfd.engine.images.leases import Leases
from wharfd.model.errors import InvalidParameter, NotImplementedHere
from wharfd.model.ids import Digest
from wharfd.ports.buildfiles import BuildFiles
from wharfd.ports.content import ContentStore
from wharfd.wire.oci import ArchiveImage, Descriptor, Index, decode_manifest, encode
from wharfd.wire.oci.archives import blob_path, named
from wharfd.wire.oci.documents import encode_layout
from wharfd.wire.oci.media_types import OCI_INDEX
from wharfd.wire.reference import Reference
from wharfd.wire.tarstream import END, Entry, Kind, header, padding


class ArchiveExporter:
    """`oci` and `docker`; without a target `docker` goes into the store."""

    def __init__(
        self, *, content: ContentStore, maker: ImageMaker, garbage: Garbage, leases: Leases, images: ImageExporter
    ) -> None:
        self.content = content
        self.maker = maker
        self.garbage = garbage
        self.leases = leases
        self.images = images

    async def __call__(
        self,
        result: BuildResult,
        roots: Mapping[str, Root],
        attributes: Mapping[str, str],
        report: Report,
        target: ExportTarget | None,
        client: BuildClient,
        *,
        for_docker: bool,
    ) -> Mapping[str, str]:
        if target is None:
            return await self.images(result, roots, attributes, report, client)
        if for_docker and len(roots) > 1:
            raise InvalidParameter("docker exporter does not currently support exporting manifest lists")
        names = names_of(attributes)
        lease = self.leases.open()
        try:
            report.status("exporting layers")
            image = await self.maker.make(result, roots, attributes, lease)
            report.status("exporting layers", is_done=True)
            report.status("sending tarball")
            response = image.response()
            if names:
                response["image.name"] = ",".join(str(name) for name in names)
            await target.archive(self.archive(image, names, for_docker=for_docker), response)
            report.status("sending tarball", is_done=True)
        finally:
            keys = list(lease.keys)
            lease.release()
            await self.garbage.collect(keys)
        return response

    async def archive(self, image: MadeImage, names: Sequence[Reference], *, for_docker: bool) -> AsyncIterator[bytes]:
        for folder in ("blobs/", "blobs/sha256/"):
            yield header(Entry(name=folder, kind=Kind.DIRECTORY, mode=0o755))
        for digest in sorted(set(image.blobs)):
            size = self.content.size(digest)
            yield header(Entry(name=blob_path(digest), mode=0o644, size=size))
            async for chunk in self.content.stream(digest):
                yield chunk
            yield padding(size)
        index = Index(media_type=OCI_INDEX, manifests=list(named(image.target, [str(name) for name in names])))
        files = [("index.json", encode(index)), ("oci-layout", encode_layout())]
        if for_docker:
            files.append(("manifest.json", encode([await self.entry(image.target, names)])))
        for path, data in sorted(files):
            yield header(Entry(name=path, mode=0o644, size=len(data)))
            yield data
            yield padding(len(data))
        yield END

    async def entry(self, target: Descriptor, names: Sequence[Reference]) -> ArchiveImage:
        manifest = decode_manifest(await self.content.read(Digest(target.digest)), target.media_type)
        return ArchiveImage(
            config=blob_path(manifest.config.digest),
            repo_tags=[name.familiar() for name in names] or None,
            layers=[blob_path(layer.digest) for layer in manifest.layers],
        )


class TarExporter:
    """`tar`: the result's files."""

    def __init__(self, *, files: BuildFiles, steps: FileSteps) -> None:
        self.files = files
        self.steps = steps

    async def __call__(
        self,
        result: BuildResult,
        roots: Mapping[str, Root],
        attributes: Mapping[str, str],
        report: Report,
        target: ExportTarget | None,
    ) -> Mapping[str, str]:
        if target is None:
            raise InvalidParameter("output file is required for tar exporter")
        if len(roots) > 1:
            raise NotImplementedHere("the files of several platforms in one tar")
        for root in roots.values():
            report.status("sending tarball")
            stream = await self.files.archive(self.steps.view(root), epoch(attributes, result))
            try:
                await target.archive(stream, {})
            finally:
                await stream.aclose()
            report.status("sending tarball", is_done=True)
        return {}
