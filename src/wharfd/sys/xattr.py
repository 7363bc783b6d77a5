"""Extended attributes of a file, all at once; and those that overlay file systems keep on layers.

Files are given by path (links are not followed) or by a descriptor; one opened with O_PATH goes through /proc/self/fd.
"""

import errno
import os
from collections.abc import Iterable, Mapping

OVERLAY_PREFIXES = ("trusted.overlay.", "user.overlay.")
OVERLAY_OPAQUE = "trusted.overlay.opaque"
CAPABILITY = "security.capability"


def read_all(file: str | int, *, without: Iterable[str] = OVERLAY_PREFIXES) -> dict[str, bytes]:
    """Name -> value, sorted by name, leaving out names that begin with one of `without`.  Empty where there can be none."""
    place, follow = _place(file)
    skipped = tuple(without)
    found: dict[str, bytes] = {}
    try:
        names = os.listxattr(place, follow_symlinks=follow)
    except OSError as e:
        if e.errno == errno.ENOTSUP:
            return {}
        raise
    for name in sorted(names):
        if name.startswith(skipped):
            continue
        try:
            found[name] = os.getxattr(place, name, follow_symlinks=follow)
        except OSError as e:
            # removed meanwhile, or listed for all and readable for few (trusted.*)
            if e.errno != errno.ENODATA:
                raise
    return found


def write_all(file: str | int, attributes: Mapping[str, bytes]) -> list[str]:
    """Set attributes; returns the names that this file, file system or kernel does not take (ENOTSUP, EPERM).

    Linux: user.* is for regular files and directories only, security.* for whom the security module says.
    """
    place, follow = _place(file)
    refused: list[str] = []
    for name, value in attributes.items():
        try:
            os.setxattr(place, name, value, follow_symlinks=follow)
        except OSError as e:
            if e.errno not in (errno.ENOTSUP, errno.EPERM):
                raise
            refused.append(name)
    return refused


def is_opaque(directory: str | int) -> bool:
    """Whether a layer's directory hides what lower layers have in it."""
    place, follow = _place(directory)
    try:
        return os.getxattr(place, OVERLAY_OPAQUE, follow_symlinks=follow) == b"y"
    except OSError as e:
        if e.errno in (errno.ENODATA, errno.ENOTSUP):
            return False
        raise


def _place(file: str | int) -> tuple[str, bool]:
    """Linux: the f…xattr calls refuse descriptors of O_PATH (EBADF); the link in /proc takes all kinds and must be followed."""
    return (f"/proc/self/fd/{file}", True) if isinstance(file, int) else (file, False)
