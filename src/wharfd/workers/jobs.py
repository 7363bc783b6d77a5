"""Which function does which job.  A job's function takes the job and the descriptors that came with it."""

import shutil
from collections.abc import Sequence
from contextlib import suppress

from wharfd.model.archive import ArchiveMember, IngestedLayer, UnpackedLayer
from wharfd.workers.ingest import ingest_layer, split_archive
from wharfd.workers.protocol import IngestLayer, Job, RemoveTree, SplitArchive, UnpackLayer
from wharfd.workers.unpack.layer import unpack_layer

Answer = UnpackedLayer | list[ArchiveMember] | IngestedLayer | None


def run(job: Job, descriptors: Sequence[int]) -> Answer:
    match job:
        case RemoveTree(path):
            with suppress(FileNotFoundError):
                shutil.rmtree(path)
            return None
        case UnpackLayer(blob_path, compression, into):
            return unpack_layer(blob_path, compression, into)
        case SplitArchive(spool):
            return split_archive(descriptors[0], spool)
        case IngestLayer(spool):
            return ingest_layer(descriptors[0], spool)
