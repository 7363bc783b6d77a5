"""What lies below a data root, by the names that the drivers give things."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from wharfd.drivers.content.blobs import ALGORITHM
from wharfd.drivers.storage.overlay.layers import INFO, decode
from wharfd.drivers.storage.overlay.layout import Layout
from wharfd.drivers.volumes.local.driver import TRASH
from wharfd.model.ids import ChainId, Digest
from wharfd.ports.storage import LayerInfo

K = TypeVar("K", bound=str)


@dataclass(frozen=True, slots=True)
class Thing:
    """A file or directory.  `changed_ns`: when it or its place in its directory last changed."""

    path: str
    size: int
    changed_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """Things by their names; `staging` are those that are there only while something is done with them."""

    blobs: dict[Digest, Thing]
    partials: dict[Digest, Thing]
    layers: dict[ChainId, Thing]
    infos: dict[ChainId, LayerInfo]  # of the layers that can be read
    roots: dict[str, Thing]  # containers' root file systems
    files: dict[str, Thing]  # containers' small files
    volumes: dict[str, Thing]
    trees: dict[str, Thing]  # copies of build contexts
    mounts: dict[str, Thing]  # cache mounts of builds
    staging: dict[str, Thing]


def look(data_root: str) -> Disk:
    layout = Layout(f"{data_root}/overlay2")
    content = f"{data_root}/content"
    volumes = f"{data_root}/volumes"
    layers = things(layout.layers, layout.chain_id)
    staging = [f"{content}/ingest", layout.unpacking, layout.trash, f"{volumes}/{TRASH}"]
    return Disk(
        blobs=things(f"{content}/blobs/sha256", as_digest),
        partials=things(f"{content}/partial", as_digest),
        layers=layers,
        infos={chain_id: info for chain_id in layers if (info := read_info(layout, chain_id)) is not None},
        roots=things(layout.containers, str),
        files=things(f"{data_root}/containers", str),
        volumes={name: thing for name, thing in things(volumes, str).items() if name != TRASH},
        trees=things(f"{data_root}/build/trees", str),
        mounts=things(f"{data_root}/build/mounts", str),
        staging={thing.path: thing for place in staging for thing in things(place, str).values()},
    )


def as_digest(name: str) -> Digest:
    return Digest(ALGORITHM + name)


def things(place: str, key: Callable[[str], K]) -> dict[K, Thing]:
    """Of a directory, which need not be there; what goes meanwhile is left out."""
    found: dict[K, Thing] = {}
    for entry in entries(place):
        with suppress(FileNotFoundError):
            status = entry.stat(follow_symlinks=False)
            changed_ns = max(status.st_mtime_ns, status.st_ctime_ns)
            found[key(entry.name)] = Thing(entry.path, status.st_size, changed_ns)
    return found


def entries(place: str) -> Iterator[os.DirEntry[str]]:
    with suppress(FileNotFoundError), os.scandir(place) as found:
        yield from found


def read_info(layout: Layout, chain_id: ChainId) -> LayerInfo | None:
    """None for a layer that is not whole."""
    with suppress(OSError, ValueError, msgspec.MsgspecError):
        with open(f"{layout.layer(chain_id)}/{INFO}", "rb") as file:
            info = decode(file.read())
        os.stat(layout.diff(chain_id))
        return info if info.chain_id == chain_id else None
    return None
