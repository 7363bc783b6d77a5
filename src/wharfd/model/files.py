"""A container's files as the engine's copy calls see them.  Shared by the workers that touch them, the port and the engine.

Names that come out of a container are bytes: nothing says that they are text.
"""

from enum import IntEnum

import msgspec


class PlacedPath(msgspec.Struct, frozen=True, kw_only=True):
    """A directory or file of the host that the container sees at `destination`.  One whose `source` does not exist is left out."""

    source: str
    destination: str
    read_only: bool = False
    recursive: bool = True
    recursive_read_only: bool = False


class FileView(msgspec.Struct, frozen=True, kw_only=True):
    """The root of a container with what is mounted in it by the container's own wish: volumes, binds, hosts and the like.

    `root` is where its root file system is mounted on the host.  `tmpfs` are destinations whose content lives in the mount namespace
    of the process `pid` (0: none runs), which began at `pid_start`.  Docker: what the runtime mounts for every container (/proc, /sys,
    /dev) is not seen.
    """

    root: str
    read_only: bool = False
    places: list[PlacedPath] = []
    tmpfs: list[str] = []
    pid: int = 0
    pid_start: int = 0


class PathStat(msgspec.Struct, frozen=True, kw_only=True):
    """What `docker cp` asks of a path first.  `mode` is the kernel's st_mode; `link_target` is a link's end, resolved in the root."""

    name: bytes
    size: int
    mode: int
    mtime_ns: int
    link_target: bytes = b""


class Extraction(msgspec.Struct, frozen=True, kw_only=True):
    """How an archive is put into a container.

    `keep_kinds`: a directory is not replaced by something else, nor the other way round.  `owner`: (uid, gid) of everything that is
    written; None: as the archive says.
    """

    keep_kinds: bool = False
    owner: tuple[int, int] | None = None


class ChangeKind(IntEnum):
    """The numbers of Docker's API."""

    MODIFIED = 0
    ADDED = 1
    DELETED = 2


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A path that differs from the image's."""

    path: bytes
    kind: ChangeKind
