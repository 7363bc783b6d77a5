"""Port: layers that are made here, by steps of a build, rather than unpacked from an archive.

Such a layer has an id of its own, in the form of a chain id, that says nothing about its content: what its archive's digest is, is found
out only when somebody wants it.  Then the layer gets the chain id as a second name (`alias`).  For all else it is a layer as any other:
`LayerStore` lists and removes it, a root file system can stand on it.

The layers of a root need not stand on their recorded parents: a layer that only adds files may be put over any others.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from wharfd.model.ids import ChainId, ContainerId, Digest
from wharfd.model.tree import RootView
from wharfd.ports.storage import LayerInfo


class Staged(msgspec.Struct, frozen=True, kw_only=True):
    """A layer in the making.  `upper` takes its files; `work` is overlayfs's own, empty, on the same file system."""

    directory: str
    upper: str
    work: str


class SnapshotStore(Protocol):
    """The ability of a `LayerStore` to take layers that were made here.

    What is kept outlives the engine's death by SIGKILL; it outlives a power cut if `settle` has run since, or an alias was made.  After
    a power cut, layers that were not settled are gone.
    """

    async def stage(self, parent: ChainId | None) -> Staged:
        """Directories for a new layer; its root has the attributes of the parent's.  Dropped at the next start if nobody keeps it."""

    async def keep(self, staged: Staged, parent: ChainId | None, size_bytes: int) -> LayerInfo:
        """`upper` becomes a layer; the rest of `staged` goes."""

    async def discard(self, staged: Staged) -> None:
        """Idempotent."""

    async def freeze(self, container_id: ContainerId, parent: ChainId | None, size_bytes: int) -> LayerInfo:
        """The writable layer of a root file system, which is not mounted, becomes a layer; nothing is left of the root."""

    async def alias(self, chain_id: ChainId, parent: ChainId | None, diff_id: Digest, of: ChainId) -> LayerInfo:
        """A second name for the layer `of`: its chain id over `parent`.  Durable.  There already: nothing changes.

        Either may be removed; the files go with the last of them.  Raises NotFound if `of` is not there.
        """

    def view(self, layers: Sequence[ChainId], staged: Staged | None = None) -> RootView:
        """The root that these layers (the lowest first) make, to be read, or written to in `staged`.  Raises NotFound."""

    def changes(self, chain_id: ChainId) -> tuple[str, list[str]]:
        """Where its own files lie, and those that it was made over (the uppermost first): what an archive of it is made from."""

    def ancestry(self, chain_id: ChainId) -> Sequence[ChainId]:
        """The layers that it was made on, the uppermost first."""

    def aliases(self, chain_id: ChainId) -> Sequence[ChainId]:
        """The other names of a layer."""

    async def space(self) -> tuple[int, int]:
        """Bytes of the disk that layers lie on, and how many of them are free."""

    async def settle(self) -> None:
        """Everything kept before this call survives a power cut when it returns."""
