"""Which function does which job.  A job's function takes the job and the descriptors that came with it."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from wharfd.model.archive import ArchiveMember, IngestedLayer, UnpackedLayer
from wharfd.model.files import Change, PathStat
from wharfd.workers.build import run as build
from wharfd.workers.files import run as files
from wharfd.workers.ingest import ingest_layer, split_archive
from wharfd.workers.protocol import (
    ApplyActions,
    DigestSelections,
    ExportRoot,
    ExportTree,
    FetchUrl,
    FinishRun,
    IngestLayer,
    Job,
    ListChanges,
    ListDirectory,
    ListTree,
    PackChanges,
    PackLayer,
    ReadPath,
    ReadRange,
    ReceiveContext,
    RemoveTree,
    ResolvePath,
    ServeRoot,
    SplitArchive,
    StatEntry,
    StatPath,
    StreamUrl,
    UnpackLayer,
    WritePath,
)
from wharfd.workers.unpack.layer import unpack_layer

BACKGROUND = 10  # niceness

Answer = UnpackedLayer | list[ArchiveMember] | IngestedLayer | PathStat | list[Change] | build.Answer | None


def run(job: Job, descriptors: Sequence[int]) -> Answer:
    match job:
        case RemoveTree(path):
            with in_the_background(), suppress(FileNotFoundError):
                shutil.rmtree(path)
            return None
        case UnpackLayer(blob_path, compression, into, is_growing):
            return unpack_layer(blob_path, compression, into, descriptors[0] if is_growing else None)
        case SplitArchive(spool):
            return split_archive(descriptors[0], spool)
        case IngestLayer(spool):
            return ingest_layer(descriptors[0], spool)
        case StatPath(view, path):
            return files.stat_path(view, path)
        case ReadPath(view, path, encoding):
            files.read_path(descriptors[0], view, path, encoding)
            return None
        case WritePath(view, path, how):
            files.write_path(descriptors[0], view, path, how)
            return None
        case ExportRoot(view):
            files.export(descriptors[0], view)
            return None
        case ListChanges(rootfs):
            return files.list_changes(rootfs)
        case (
            ApplyActions()
            | DigestSelections()
            | ReadRange()
            | StatEntry()
            | ResolvePath()
            | ListDirectory()
            | ListTree()
            | ExportTree()
            | ReceiveContext()
            | ServeRoot()
            | FinishRun()
            | FetchUrl()
            | StreamUrl()
            | PackLayer()
        ):
            return build.run(job, descriptors)
        case PackChanges(rootfs, spool):
            return files.pack_changes(rootfs, spool)


@contextmanager
def in_the_background() -> Iterator[None]:
    """After others that want the processor.  Linux: who may not raise its priority again does not lower it either."""
    usual = os.getpriority(os.PRIO_PROCESS, 0)
    if os.geteuid() != 0:
        yield
        return
    os.setpriority(os.PRIO_PROCESS, 0, max(usual, BACKGROUND))
    try:
        yield
    finally:
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, usual)
