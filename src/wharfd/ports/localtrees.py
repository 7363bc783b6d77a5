"""Port: copies of clients' directories, for builds that read them.

A copy outlives its build, so that the next one has only the differences sent.  While a build has it, it is that build's alone.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from wharfd.model.tree import DigestedEntry, TreeEntry


class FileWriter(Protocol):
    """A file's new content.  The file is what it is to be after `close`."""

    def write(self, data: bytes | memoryview) -> None: ...

    def close(self) -> None: ...

    def abort(self) -> None:
        """Instead of `close`: the file is gone."""


class LocalTree(Protocol):
    """A directory of the engine's that is to become like one of the client's.

    Calls block for well below a millisecond and may be made from one thread of the caller's choice.  Nothing leaves the directory: paths
    with `..`, through links or absolute ones raise InvalidParameter, as do devices and sockets.
    """

    def entries(self) -> Mapping[str, TreeEntry]:
        """What is there from an earlier build, by path.  A file whose entry is the same need not be sent again."""

    def put(self, entry: TreeEntry) -> None:
        """A directory (there already: its attributes), a symbolic or a hard link.  Whatever else is at its place goes."""

    def write(self, entry: TreeEntry) -> FileWriter:
        """A regular file's content is about to come.  Several may be on their way at once."""

    def remove(self, path: str) -> None:
        """With everything below it.  Not there: nothing to do."""


class HeldTree(LocalTree, Protocol):
    """A copy that the caller has.  Ends with `LocalTreeStore.give_back` or `drop`."""

    @property
    def id(self) -> str: ...

    @property
    def path(self) -> str:
        """Of the directory, on the host."""

    def adopt(self, entries: Sequence[DigestedEntry]) -> None:
        """The directory was empty and was filled by somebody else: that is in it now."""

    def read(self, path: str, offset: int, length: int) -> bytes:
        """Of a regular file, by a path without links.  Raises NotFound, InvalidParameter.  For small files: it blocks."""

    def index(self) -> Sequence[DigestedEntry]:
        """Everything in it but the root."""


class LocalTreeStore(Protocol):
    async def open(self, known: Sequence[str]) -> None:
        """Drop copies that were being changed when the engine died, and those whose id is not `known`."""

    async def take(self, ids: Sequence[str] = ()) -> HeldTree:
        """The first of these copies that is there and that nobody has, or an empty one with a new id."""

    async def give_back(self, tree: HeldTree) -> None:
        """It is kept as it is now."""

    async def drop(self, tree_id: str) -> None:
        """Delete it, also one that is taken.  Idempotent."""
