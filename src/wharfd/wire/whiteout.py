"""How a layer says that something of the layers below is gone: in a tar by names, in overlayfs by inodes.

    tar                     overlayfs
    dir/.wh.name            dir/name as a character device 0:0
    dir/.wh..wh..opq        dir with the xattr trusted.overlay.opaque = "y"

Source: OCI image spec, "Representing Changes".  Other names beginning with `.wh..wh.` are bookkeeping of aufs and mean nothing.
"""

from dataclasses import dataclass
from enum import Enum

PREFIX = ".wh."
META_PREFIX = ".wh..wh."
OPAQUE = ".wh..wh..opq"
OPAQUE_XATTR = "trusted.overlay.opaque"
OPAQUE_XATTR_USER = "user.overlay.opaque"  # for mounts with `userxattr`
OPAQUE_VALUE = b"y"


class Mark(Enum):
    NONE = "none"  # an ordinary entry
    WHITEOUT = "whiteout"  # `target` is deleted
    OPAQUE = "opaque"  # everything below `target` (a directory) is deleted
    IGNORED = "ignored"  # bookkeeping of another format: leave it out


@dataclass(frozen=True, slots=True)
class Classified:
    mark: Mark
    target: str


def classify(path: str) -> Classified:
    """What a tar entry's path stands for.  `target` is the path concerned, the same one for ordinary entries."""
    directory, slash, base = path.rstrip("/").rpartition("/")
    if not base.startswith(PREFIX):
        return Classified(Mark.NONE, path)
    if base == OPAQUE:
        return Classified(Mark.OPAQUE, directory)
    name = base[len(PREFIX) :]
    if base.startswith(META_PREFIX) or name in {"", ".", ".."}:
        return Classified(Mark.IGNORED, path)
    return Classified(Mark.WHITEOUT, directory + slash + name)


def whiteout_name(path: str) -> str:
    """The tar entry that deletes `path`."""
    directory, slash, base = path.rpartition("/")
    return f"{directory}{slash}{PREFIX}{base}"


def opaque_name(directory: str) -> str:
    """The tar entry that makes `directory` opaque."""
    return f"{directory}/{OPAQUE}" if directory else OPAQUE


def is_overlay_whiteout(mode: int, rdev: int) -> bool:
    """Is an inode of an upper directory a deletion mark?  Character device (S_IFCHR) 0:0."""
    return mode & 0o170000 == 0o020000 and rdev == 0
