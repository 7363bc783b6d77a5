"""Port: a container's files, read and written inside its own root, in other processes.

No name, link or race of an archive or of the container leaves the root.  A worker that dies fails only the call it was working on
(`Internal`); a cancelled call, and a stream that is closed early, end their worker.  Paths are bytes, as the file system has them; they
are cleaned by the driver (see `wire/containerpath`).

NotFound: there is no such path.  InvalidParameter: a path that no kernel takes, a directory that is none or read-only, a broken archive.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from wharfd.model.archive import IngestedLayer
from wharfd.model.container import Rootfs
from wharfd.model.files import Change, Extraction, FileView, PathStat


class ArchiveStream(Protocol):
    """An archive that is made while it is read, at the reader's pace.  To be closed whether or not it was read to its end."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    async def __anext__(self) -> bytes: ...

    async def aclose(self) -> None: ...


class FileArchiver(Protocol):
    async def stat(self, view: FileView, path: bytes) -> PathStat: ...

    async def read(self, view: FileView, path: bytes, encoding: str) -> tuple[PathStat, ArchiveStream]:
        """The path with everything below it as a tar, named by its last element.  `encoding`: "", gzip, deflate."""

    async def write(self, view: FileView, path: bytes, archive: AsyncIterator[bytes], how: Extraction) -> None:
        """Put a tar (plain or compressed in any way) into a directory.  What was written before an error stays."""

    async def export(self, view: FileView) -> ArchiveStream:
        """Everything in the root as a tar."""


class ChangeLister(Protocol):
    """Of a writable layer, mounted or not, in use or not."""

    async def changes(self, rootfs: Rootfs) -> Sequence[Change]:
        """What differs from the layers below, by path."""

    async def pack(self, rootfs: Rootfs, spool: str) -> IngestedLayer | None:
        """The same as a layer (gzip) in the spool's directory; None if nothing differs."""
