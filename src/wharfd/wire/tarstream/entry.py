"""One member of a tar archive, whatever dialect it was written in."""

from enum import Enum

import msgspec

from wharfd.model.errors import InvalidParameter


class Kind(Enum):
    FILE = b"0"
    HARD_LINK = b"1"
    SYMLINK = b"2"
    CHARACTER = b"3"
    BLOCK = b"4"
    DIRECTORY = b"5"
    FIFO = b"6"


class Entry(msgspec.Struct, kw_only=True):
    """Names are text with `surrogateescape` (as `os.fsdecode` gives them), exactly as in the archive: not cleaned, not safe.

    `size` is the file's length in bytes, for sparse files with its holes; `sparse` lists (offset, length) of the parts that the
    archive holds, None for ordinary files.  `mode` has the permission bits only (with setuid, setgid, sticky).
    """

    name: str
    kind: Kind = Kind.FILE
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    size: int = 0
    mtime_ns: int = 0
    link: str = ""  # target of a link; of a hard link, the member's name
    uname: str = ""
    gname: str = ""
    dev_major: int = 0
    dev_minor: int = 0
    xattrs: dict[str, bytes] | None = None
    sparse: list[tuple[int, int]] | None = None

    @property
    def stored_size(self) -> int:
        """Bytes of body in the archive."""
        return self.size if self.sparse is None else sum(length for _, length in self.sparse)


def clean_parts(name: str) -> list[str]:
    """A member's path as components below the root: no `.`, no empty ones, `..` resolved by the text alone.

    Raises:
        InvalidParameter: it would leave the root, as dockerd refuses it.
    """
    parts: list[str] = []
    for part in name.split("/"):
        if part in {"", "."}:
            continue
        if part == "..":
            if not parts:
                if name.startswith("/"):
                    continue  # "/.." is "/"
                raise InvalidParameter(f'"{name}" is outside of the root')
            parts.pop()
        else:
            parts.append(part)
    return parts
