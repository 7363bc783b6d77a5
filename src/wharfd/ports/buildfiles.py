"""Port: what build steps do with files, done in other processes.

A worker that dies fails only the call it was working on (`Internal`), and leaves no mount; a cancelled call ends its worker.  Roots are
made of layers that do not change; a root that is written to is the call's alone.

NotFound: a path is not there.  InvalidParameter: the request, or what lies in the root, does not let it be done.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from wharfd.model.archive import IngestedLayer
from wharfd.model.fileactions import AnyAction
from wharfd.model.ids import Digest
from wharfd.model.tree import DigestedEntry, RootView, Selection, TreeEntry
from wharfd.ports.archives import ArchiveStream


class RootReader(Protocol):
    """One root, held ready.  To be closed."""

    async def read(self, path: str, offset: int, length: int) -> bytes:
        """Of a regular file; a link at the end of the path is not followed."""

    async def close(self) -> None: ...


class BuildFiles(Protocol):
    async def apply(self, target: RootView, roots: Sequence[RootView], actions: Sequence[AnyAction]) -> int:
        """Change the target.  Root numbers of the actions count `roots`, -1 is the target.

        Returns the bytes of the files that the target's upper layer has then.
        """

    async def digests(self, view: RootView, selections: Sequence[Selection]) -> Sequence[Digest]: ...

    async def read(self, view: RootView, path: str, offset: int, length: int) -> bytes:
        """Of a regular file; links are followed."""

    async def stat(self, view: RootView, path: str) -> TreeEntry:
        """Of a link itself."""

    async def resolve(self, view: RootView, path: str) -> TreeEntry:
        """What a path leads to; the path of the answer has no links in it."""

    async def list(self, view: RootView, path: str) -> Sequence[TreeEntry]:
        """A directory's entries, called by their names."""

    async def reader(self, view: RootView) -> RootReader:
        """For many files of one root."""

    async def tree(self, view: RootView) -> Sequence[TreeEntry]:
        """Everything but the root, a directory before what is in it."""

    async def archive(self, view: RootView, clamp_ns: int | None = None) -> ArchiveStream:
        """Everything but the root as a tar, in the order of `tree`.  `clamp_ns`: no time is later."""

    async def receive(self, archive: AsyncIterator[bytes], into: str) -> Sequence[DigestedEntry]:
        """Unpack a build context into an empty directory.  What was written when the call fails is the caller's to delete."""

    async def finish_run(self, view: RootView, stubs: Sequence[str]) -> int:
        """Remove mount points that only the runtime needed from the upper layer (not mounted).  Returns the bytes of its files."""

    async def pack(
        self, upper: str, lower: Sequence[str], spool: str, compression: str, clamp_ns: int | None = None
    ) -> IngestedLayer:
        """What `upper` changes over `lower` (the uppermost first) as a layer in the spool's directory.  `compression`: "", gzip, zstd."""
