"""Root file systems as the outputs of steps."""

from dataclasses import dataclass

from wharfd.model.ids import ChainId
from wharfd.ports.localtrees import HeldTree
from wharfd.wire.treedigest import TreeIndex


@dataclass(frozen=True, slots=True)
class LocalDirectory:
    """A copy of a client's directory, and what is in it."""

    tree: HeldTree
    index: TreeIndex


@dataclass(frozen=True, slots=True)
class Root:
    """Layers, the lowest first; or a client's directory.  Neither: an empty root."""

    layers: tuple[ChainId, ...] = ()
    local: LocalDirectory | None = None


EMPTY = Root()


def root_of(layers: list[str]) -> Root:
    return Root(tuple(ChainId(each) for each in layers))
