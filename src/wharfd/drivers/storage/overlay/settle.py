"""Fits a layer that was unpacked on its own to the layers below it.

An archive may name a directory only as a part of longer names: what it leaves unsaid (owner, mode, times) is as below, or the new layer
would change it.  It may also link to a file that only a layer below has: overlayfs cannot link across layers, so the file is copied.
"""

import os
import shutil
import stat
from collections.abc import Sequence

from wharfd.model.archive import UnpackedLayer
from wharfd.model.errors import InvalidParameter
from wharfd.sys.overlay_stack import Stack

HIDDEN_XATTRS = "trusted.overlay."


def settle(diff: str, unpacked: UnpackedLayer, below: Sequence[str]) -> int:
    """`below`: the diff directories of the layers under it, the uppermost first.  Returns the bytes copied.

    Raises InvalidParameter if a link's target is nowhere.
    """
    stack = Stack(below)
    for name in unpacked.implied if below else ():
        path = os.fsdecode(name)
        found = stack.find(path, follow=False) if path else below[0]
        if found is not None and os.path.isdir(found) and not os.path.islink(found):
            take_attributes(found, f"{diff}/{path}" if path else diff)
    copied = 0
    for link in unpacked.missing_links:
        source = stack.find(os.fsdecode(link.target), follow=False)
        target = f"{diff}/{os.fsdecode(link.path)}"
        if source is None or not stat.S_ISREG(os.lstat(source).st_mode):
            raise InvalidParameter(
                f"invalid layer: hard link {os.fsdecode(link.path)!r} to {os.fsdecode(link.target)!r}, which does not exist"
            )
        shutil.copyfile(source, target, follow_symlinks=False)
        take_attributes(source, target)
        copied += os.lstat(target).st_size
    return copied


def take_attributes(source: str, target: str) -> None:
    status = os.lstat(source)
    os.chown(target, status.st_uid, status.st_gid, follow_symlinks=False)
    os.chmod(target, stat.S_IMODE(status.st_mode))
    for name in os.listxattr(source, follow_symlinks=False):
        if not name.startswith(HIDDEN_XATTRS):
            os.setxattr(target, name, os.getxattr(source, name, follow_symlinks=False), follow_symlinks=False)
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns), follow_symlinks=False)
