"""After a step that ran a process: what the runtime made only to have something to mount on goes away again."""

import os
import posixpath
import stat
from collections.abc import Sequence

from wharfd.model.tree import RootView
from wharfd.sys.overlay_stack import Stack
from wharfd.workers.build.actions import size_of_tree


def finish_run(view: RootView, stubs: Sequence[str]) -> int:
    """`stubs`: where something was mounted.  The root is not mounted any more.  Returns the bytes of the files in its upper layer.

    Docker: a place that the step itself made is kept if something is in it.
    """
    below = Stack(view.lower)
    for path in sorted(stubs, key=lambda each: each.count("/"), reverse=True):
        clean(view.upper, below, path)
    return size_of_tree(view.upper)


def clean(upper: str, below: Stack, path: str) -> None:
    while (path := posixpath.normpath("/" + path)) != "/":
        place = upper + path
        # A link on the way is the step's or the image's doing: what was mounted lies elsewhere, and stays.
        if os.path.realpath(os.path.dirname(place)) != os.path.normpath(
            os.path.realpath(upper) + posixpath.dirname(path)
        ):
            return
        if below.find(path, follow=False) is not None or not remove_empty(place):
            return
        path = posixpath.dirname(path)
        restore_time(upper, below, path)


def remove_empty(place: str) -> bool:
    try:
        status = os.lstat(place)
        if stat.S_ISDIR(status.st_mode):
            os.rmdir(place)
        elif stat.S_ISREG(status.st_mode) and status.st_size == 0:
            os.unlink(place)
        else:
            return False
    except OSError:
        return False
    return True


def restore_time(upper: str, below: Stack, path: str) -> None:
    """Of a directory that was changed by the mount point alone; whatever else changed it is told by its files."""
    before = below.find(path, follow=False)
    if before is not None and not os.listdir(upper + path):
        status = os.stat(before)
        os.utime(upper + path, ns=(status.st_atime_ns, status.st_mtime_ns))
