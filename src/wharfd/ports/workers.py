"""Port: work on archives that is heavy or must not be trusted, done in other processes.

A worker that dies fails only the job it was doing (`Internal`); a cancelled call ends its worker.  Archives that are broken, that try
to leave their root or that are larger than their limits raise `InvalidParameter`.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

import msgspec

from wharfd.model.ids import Digest


class MissingLink(msgspec.Struct, frozen=True, kw_only=True):
    """A hard link whose target was not in the layer itself; the target must be in a layer below.  Paths relative to the root."""

    path: str
    target: str


class UnpackedLayer(msgspec.Struct, frozen=True, kw_only=True):
    """What an archive became.

    `implied` are directories that the archive names only as part of longer paths ("" is the root itself): they have default owner and
    mode, and those of the layers below are to be put on them.
    """

    diff_id: Digest  # of the uncompressed bytes
    size_bytes: int  # of the regular files
    entries: int
    implied: list[str]
    missing_links: list[MissingLink]


class LayerUnpacker(Protocol):
    async def unpack(self, blob_path: str, compression: str, into: str) -> UnpackedLayer:
        """Unpack a layer blob into the empty directory `into`, whiteouts turned into overlayfs's.

        What was written when the call fails is the caller's to delete.  `compression`: "", gzip, zstd, bzip2, xz.
        """


class ArchiveMember(msgspec.Struct, frozen=True, kw_only=True):
    """One member of an image archive.

    A file has its `digest` and lies in the spool under that digest's hex digits; a link (symbolic or hard) has its `link` target, as a
    path inside the archive.
    """

    name: str
    size: int = 0
    digest: Digest | None = None
    link: str = ""


class IngestedLayer(msgspec.Struct, frozen=True, kw_only=True):
    """A layer archive that lies in the spool under its digest's hex digits.  `compression` as stored: "", gzip or zstd."""

    digest: Digest
    size: int
    diff_id: Digest
    compression: str


class ArchiveIngester(Protocol):
    async def split(self, archive: AsyncIterator[bytes], spool: str) -> Sequence[ArchiveMember]:
        """Write the members of a tar (plain or compressed in any way) into the directory `spool`, as they come."""

    async def ingest_layer(self, layer: AsyncIterator[bytes], spool: str) -> IngestedLayer:
        """Write a layer's tar into `spool`: as it is if it is plain, gzip or zstd, decompressed if it is bzip2 or xz."""
