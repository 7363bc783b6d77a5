"""Port: work on archives that is heavy or must not be trusted, done in other processes.

A worker that dies fails only the job it was doing (`Internal`); a cancelled call ends its worker.  Archives that are broken, that try
to leave their root or that are larger than their limits raise `InvalidParameter`.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from wharfd.model.archive import ArchiveMember, IngestedLayer, UnpackedLayer
from wharfd.ports.content import GrowingBlob


class LayerUnpacker(Protocol):
    async def unpack(self, blob_path: str, compression: str, into: str) -> UnpackedLayer:
        """Unpack a layer blob into the empty directory `into`, whiteouts turned into overlayfs's.

        What was written when the call fails is the caller's to delete.  `compression`: "", gzip, zstd, bzip2, xz.
        """

    async def unpack_growing(self, blob: GrowingBlob, compression: str, into: str) -> UnpackedLayer | None:
        """The same while the blob is coming, at the pace at which it comes.  None: there is no room for that now, nothing was done.

        Raises what `blob.offsets()` raises.
        """


class TreeRemover(Protocol):
    async def remove_tree(self, path: str) -> None:
        """Delete a directory with everything in it.  Not there: not an error."""


class ArchiveIngester(Protocol):
    async def split(self, archive: AsyncIterator[bytes], spool: str) -> Sequence[ArchiveMember]:
        """Write the members of a tar (plain or compressed in any way) into the directory `spool`, as they come."""

    async def ingest_layer(self, layer: AsyncIterator[bytes], spool: str) -> IngestedLayer:
        """Write a layer's tar into `spool`: as it is if it is plain, gzip or zstd, decompressed if it is bzip2 or xz."""
