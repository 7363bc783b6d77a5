"""Archives of layers and of whole roots."""

import hashlib
import os
from typing import cast

import zstandard

from wharfd.model.archive import IngestedLayer
from wharfd.model.files import ChangeKind
from wharfd.model.ids import Digest
from wharfd.wire.tarstream import Entry, Kind, header
from wharfd.wire.whiteout import whiteout_name
from wharfd.workers import protocol
from wharfd.workers.build.places import OPEN_DIRECTORY
from wharfd.workers.build.roots import opened
from wharfd.workers.files import upper
from wharfd.workers.files.create import SECOND, Creator
from wharfd.workers.files.sink import Compressor, Sink, writer
from wharfd.workers.ingest import SpoolFile

ZSTD_LEVEL = 3


class ClampedCreator(Creator):
    """No file is said to be younger than `clamp_ns`."""

    def __init__(self, sink: Sink, clamp_ns: int | None) -> None:
        super().__init__(sink)
        self.clamp_ns = clamp_ns

    def head(
        self, fd: int | None, status: os.stat_result, name: str, *, kind: Kind | None = None, link: str = ""
    ) -> bytes:
        if self.clamp_ns is not None and status.st_mtime_ns > self.clamp_ns:
            whole = self.clamp_ns // SECOND
            fields = list(status)
            fields[8] = whole
            status = os.stat_result(fields, {"st_mtime_ns": whole * SECOND, "st_rdev": status.st_rdev})
        return super().head(fd, status, name, kind=kind, link=link)


def pack_layer(job: protocol.PackLayer) -> IngestedLayer:
    """What `upper` changes over `lower`, also if that is nothing."""
    file = SpoolFile(job.spool)
    plain = hashlib.sha256()
    try:
        sink = Sink(file.write, "gzip" if job.compression == "gzip" else "", plain.update)
        if job.compression == "zstd":
            sink.codec = zstd(job.level)
        creator = ClampedCreator(sink, job.clamp_ns)
        for found in upper.walk(job.upper, job.lower):
            name = found.path[1:]
            if found.kind is ChangeKind.DELETED:
                creator.sink.put(header(Entry(name=whiteout_name(name), mode=0)))
            elif found.is_directory:
                creator.add_directory_only(found.parent, found.name, name)
            else:
                creator.add(found.parent, found.name, name)
        creator.finish()
        diff_id = Digest("sha256:" + plain.hexdigest())
        return IngestedLayer(digest=file.keep(), size=file.size, diff_id=diff_id, compression=job.compression)
    finally:
        file.close()


def zstd(level: int) -> Compressor:
    return cast("Compressor", zstandard.ZstdCompressor(level=level if level > 0 else ZSTD_LEVEL).compressobj())


def export_tree(out: int, job: protocol.ExportTree) -> None:
    """An empty frame, then everything in the root, named without a slash at the front."""
    with opened(job.view) as root:
        fd = os.open(".", OPEN_DIRECTORY, dir_fd=root)
        try:
            write = writer(out)
            write(protocol.framed(None))
            creator = ClampedCreator(Sink(write), job.clamp_ns)
            creator.add_content(fd, "")
            creator.finish()
        finally:
            os.close(fd)
