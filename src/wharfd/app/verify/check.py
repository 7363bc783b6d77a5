"""Compares what is wanted with what is there."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from wharfd.app.verify.disk import Disk, Thing, look
from wharfd.app.verify.wanted import Wanted, wanted_by
from wharfd.drivers.records.sqlite.reading import read_store
from wharfd.model.ids import Digest
from wharfd.ports.records import Snapshot
from wharfd.wire.oci.documents import MAX_DOCUMENT

PIECE = 1 << 20
K = TypeVar("K", bound=str)
V = TypeVar("V")


class Kind(StrEnum):
    MISSING = "missing"  # a record speaks of it
    DAMAGED = "damaged"  # it is not what its name or its record says
    UNLISTED = "unlisted"  # no record speaks of it
    RESUMABLE = "resumable"  # a pull has left it, and the next one goes on from it
    IN_WORK = "in work"  # no record speaks of it yet: the engine runs, and it is fresh


WRONG = (Kind.MISSING, Kind.DAMAGED, Kind.UNLISTED)


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    kind: Kind
    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Look:
    records: Snapshot
    disk: Disk
    findings: list[Finding]


def check(data_root: str, *, fresh_ns: int | None = None, digests: bool = False) -> Look:
    """One look.  `fresh_ns`: an engine runs, and what has changed since then may be in its work.

    Raises NotFound, Unavailable where there is no store that can be read.
    """
    # Content comes before its record and goes after it: records that are read between two looks at the disk explain what is on both.
    before = look(data_root)
    records = read_store(f"{data_root}/records.db")
    disk = look(data_root)

    def read(digest: Digest) -> bytes | None:
        thing = disk.blobs.get(digest)
        if thing is None or thing.size > MAX_DOCUMENT:
            return None
        try:
            with open(thing.path, "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None

    wanted = wanted_by(records, read)
    found = [*missing(wanted, disk), *damaged(wanted, disk, digests=digests)]
    for finding, thing in unlisted(wanted, before, disk):
        is_fresh = fresh_ns is not None and thing.changed_ns >= fresh_ns and finding.kind is Kind.UNLISTED
        found.append(Finding(Kind.IN_WORK, finding.what, finding.why) if is_fresh else finding)
    return Look(records, disk, sorted(found))


def named(things: Mapping[K, V]) -> Mapping[str, V]:
    """By their plain names."""
    return {str(name): thing for name, thing in things.items()}


def missing(wanted: Wanted, disk: Disk) -> Iterator[Finding]:
    pairs: list[tuple[str, Mapping[str, str], Mapping[str, Thing]]] = [
        ("blob", named(wanted.blobs), named(disk.blobs)),
        ("layer", named(wanted.layers), named(disk.layers)),
        ("root file system", wanted.roots, disk.roots),
        ("directory", wanted.files, disk.files),
        ("volume", wanted.volumes, disk.volumes),
        ("build context", wanted.trees, disk.trees),
        ("cache mount", wanted.mounts, disk.mounts),
    ]
    for what, needed, present in pairs:
        for name, who in needed.items():
            if name not in present:
                yield Finding(Kind.MISSING, f"{what} {name}", f"needed by {who}")
    for info in disk.infos.values():
        if info.parent is not None and info.parent not in disk.infos:
            yield Finding(Kind.MISSING, f"layer {info.parent}", f"parent of layer {info.chain_id}")


def damaged(wanted: Wanted, disk: Disk, *, digests: bool) -> Iterator[Finding]:
    for chain_id, thing in disk.layers.items():
        if chain_id not in disk.infos:
            yield Finding(
                Kind.DAMAGED, f"layer {chain_id}", f"{thing.path}: no record of it that can be read, or no files"
            )
    for digest, why in wanted.damaged:
        yield Finding(Kind.DAMAGED, f"blob {digest}", why)
    for digest, size in wanted.sizes.items():
        blob = disk.blobs.get(digest)
        if blob is not None and blob.size != size:
            yield Finding(Kind.DAMAGED, f"blob {digest}", f"{blob.size} bytes, {size} expected")
    for digest, thing in disk.blobs.items() if digests else ():
        found = digest_of(thing.path)
        if found is not None and found != digest:
            yield Finding(Kind.DAMAGED, f"blob {digest}", f"its content is {found}")


def digest_of(path: str) -> str | None:
    found = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while piece := file.read(PIECE):
                found.update(piece)
    except FileNotFoundError:
        return None
    return f"sha256:{found.hexdigest()}"


def unlisted(wanted: Wanted, before: Disk, disk: Disk) -> Iterator[tuple[Finding, Thing]]:
    for digest, thing in disk.partials.items():
        blob = disk.blobs.get(digest)
        if blob is None:
            yield Finding(Kind.RESUMABLE, f"blob {digest}", f"{thing.size} bytes of it are here"), thing
        elif digest in wanted.blobs or digest in wanted.may:
            yield Finding(Kind.UNLISTED, f"mark {digest}", f"{thing.path}: the blob has an owner"), thing
        else:
            yield Finding(Kind.RESUMABLE, f"blob {digest}", f"whole, {thing.size} bytes"), thing
    places: list[tuple[str, set[str], Mapping[str, Thing], Mapping[str, Thing]]] = [
        ("blob", {*wanted.blobs, *wanted.may, *disk.partials}, named(before.blobs), named(disk.blobs)),
        ("layer", {*wanted.layers, *wanted.may}, named(before.layers), named(disk.layers)),
        ("root file system", set(wanted.roots), before.roots, disk.roots),
        ("directory", {*wanted.files, *wanted.may}, before.files, disk.files),
        ("volume", set(wanted.volumes), before.volumes, disk.volumes),
        ("build context", set(wanted.trees), before.trees, disk.trees),
        ("cache mount", set(wanted.mounts), before.mounts, disk.mounts),
        ("leftover", set(), before.staging, disk.staging),
    ]
    for what, explained, first, second in places:
        for name, thing in second.items():
            if name in first and name not in explained:
                yield Finding(Kind.UNLISTED, f"{what} {name}", thing.path), thing
