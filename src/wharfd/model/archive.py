"""What worker processes tell about archives.  Shared by the workers, the port and the engine."""

import msgspec

from wharfd.model.ids import Digest


class MissingLink(msgspec.Struct, frozen=True, kw_only=True):
    """A hard link whose target was not in the layer itself: it must be in a layer below.  Paths are relative to the root,
    bytes as the archive has them."""

    path: bytes
    target: bytes


class UnpackedLayer(msgspec.Struct, frozen=True, kw_only=True):
    """What a layer's archive became.

    `implied` are directories that the archive names only as part of longer paths (b"" is the root itself): they were made with default
    owner and mode, and those of the layers below are to be put on them.
    """

    diff_id: Digest  # of the uncompressed bytes
    size_bytes: int  # of the regular files
    entries: int
    implied: list[bytes] = []
    missing_links: list[MissingLink] = []


class ArchiveMember(msgspec.Struct, frozen=True, kw_only=True):
    """One member of an image archive.

    A file has its `digest` and lies in the spool under that digest's hex digits; a link (symbolic or hard) has its target `link`, as a
    path inside the archive.
    """

    name: str
    size: int = 0
    digest: Digest | None = None
    link: str = ""


class IngestedLayer(msgspec.Struct, frozen=True, kw_only=True):
    """A layer's archive that lies in the spool under its digest's hex digits.  `compression` as stored: "", gzip or zstd."""

    digest: Digest
    size: int
    diff_id: Digest
    compression: str
