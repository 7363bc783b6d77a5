"""What an exported file system holds: one record of facts for each path, to be compared between engines.

Not compared is what belongs to a container and not to its image: the mount points and files of names that an engine makes under it, and
the times of the two directories that it makes them in.
"""

import hashlib
import tarfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import IO

OWN = (".dockerenv", "dev", "proc", "sys", "etc/hosts", "etc/hostname", "etc/resolv.conf", "etc/mtab")
TOUCHED = ("", "etc")
XATTR = "SCHILY.xattr."
CAPABILITY = "security.capability"
PIECE = 1 << 20
KINDS = {
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.CONTTYPE: "file",
    tarfile.GNUTYPE_SPARSE: "file",
    tarfile.DIRTYPE: "directory",
    tarfile.SYMTYPE: "symlink",
    tarfile.LNKTYPE: "link",
    tarfile.CHRTYPE: "character",
    tarfile.BLKTYPE: "block",
    tarfile.FIFOTYPE: "fifo",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Of one path.  `links`: all names of the same file, if it has several.  Times in seconds: archives seldom have more."""

    kind: str
    mode: int = 0
    uid: int = 0
    gid: int = 0
    mtime: int = 0
    size: int = 0
    digest: str = ""
    target: str = ""
    device: tuple[int, int] = (0, 0)
    xattrs: Mapping[str, str] = field(default_factory=dict)
    links: tuple[str, ...] = ()


Listing = dict[str, Facts]


def facts_of(info: tarfile.TarInfo, content: IO[bytes] | None) -> Facts:
    """Of a member.  Links are not resolved: `target` is what they name."""
    kind = KINDS[info.type]
    size, digest = digest_of(content) if content is not None else (0, "")
    return Facts(
        kind=kind,
        mode=0o777 if kind == "symlink" else info.mode & 0o7777,  # Linux: a symbolic link has no mode of its own
        uid=info.uid,
        gid=info.gid,
        mtime=int(info.mtime // 1),
        size=size,
        digest=digest,
        target=info.linkname if kind in ("symlink", "link") else "",
        device=(info.devmajor, info.devminor) if kind in ("character", "block") else (0, 0),
        xattrs={name.removeprefix(XATTR): value for name, value in info.pax_headers.items() if name.startswith(XATTR)},
    )


def digest_of(content: IO[bytes]) -> tuple[int, str]:
    found, size = hashlib.sha256(), 0
    while piece := content.read(PIECE):
        found.update(piece)
        size += len(piece)
    return size, found.hexdigest()


def members(archive: IO[bytes]) -> Iterator[tuple[str, Facts]]:
    """Of a tar, in its order, with names relative to the root."""
    with tarfile.open(fileobj=archive, mode="r|", errors="surrogateescape") as tar:
        for info in tar:
            yield clean(info.name), facts_of(info, tar.extractfile(info) if info.isreg() else None)


def clean(name: str) -> str:
    return "/".join(part for part in name.split("/") if part not in ("", "."))


def listing(archive: IO[bytes]) -> Listing:
    """Of an exported file system."""
    found: Listing = {}
    names: defaultdict[str, list[str]] = defaultdict(list)
    first: dict[str, str] = {}
    for name, facts in members(archive):
        if facts.kind == "link":
            first[name] = first.get(clean(facts.target), clean(facts.target))
            facts = found[first[name]]
        found[name] = facts
        names[first.get(name, name)].append(name)
    return with_links(found, names.values())


def with_links(found: Listing, groups: Iterable[Iterable[str]]) -> Listing:
    for group in groups:
        together = tuple(sorted(group))
        if len(together) > 1:
            for name in together:
                found[name] = replace(found[name], links=together)
    return of_image(found)


def of_image(found: Listing) -> Listing:
    kept = {}
    for name, facts in found.items():
        if any(name == own or name.startswith(f"{own}/") for own in OWN) or not name:
            continue
        kept[name] = replace(facts, mtime=0) if name in TOUCHED else facts
    return kept


def differences(ours: Listing, theirs: Listing) -> list[str]:
    """In words, `-` what only they have, `+` what only we have."""
    found = []
    for name in sorted({*ours, *theirs}):
        mine, other = ours.get(name), theirs.get(name)
        if mine is None:
            found.append(f"- {name!r} {other}")
        elif other is None:
            found.append(f"+ {name!r} {mine}")
        elif mine != other:
            fields = [each for each in Facts.__slots__ if getattr(mine, each) != getattr(other, each)]
            words = ", ".join(f"{each} {getattr(mine, each)!r} != {getattr(other, each)!r}" for each in fields)
            found.append(f"! {name!r}: {words}")
    return found


def without_own_attributes(found: Listing) -> Listing:
    """As dockerd exports it: of extended attributes it keeps file capabilities only."""
    kept = {}
    for name, facts in found.items():
        xattrs = {key: value for key, value in facts.xattrs.items() if not key.startswith("user.")}
        kept[name] = replace(facts, xattrs=xattrs)
    return kept
