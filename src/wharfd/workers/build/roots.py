"""Roots put together from layers, for the time of one job.

What needs an overlay is mounted in a mount namespace that only this worker has: a worker that dies leaves no mount.  Nobody else uses a
root that is written to, so names may be looked at first and used afterwards; but all that is in it is somebody else's, so links are
followed inside the root only.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from wharfd.model.errors import Internal
from wharfd.model.tree import RootView
from wharfd.sys import mount, namespaces
from wharfd.sys.blocking import call_in_fresh_thread
from wharfd.sys.overlay import mount_overlay

OPEN_ROOT = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


@contextmanager
def opened(view: RootView) -> Iterator[int]:
    """A descriptor of the root.  Raises Internal if it cannot be put together."""
    with ExitStack() as held:
        try:
            root = enter(view, held)
        except OSError as e:
            raise Internal(f"a root file system cannot be put together: {e}") from e
        held.callback(os.close, root)
        yield root


def enter(view: RootView, held: ExitStack) -> int:
    directories = [*([view.upper] if view.upper else []), *view.lower]
    if not directories:
        return os.open(held.enter_context(tempfile.TemporaryDirectory(prefix="wharfd-empty-")), OPEN_ROOT)
    if len(directories) == 1:
        return os.open(directories[0], OPEN_ROOT)
    namespace, root = call_in_fresh_thread(mounted, view, directories[0])
    held.callback(os.close, namespace)
    return root


def mounted(view: RootView, place: str) -> tuple[int, int]:
    """On a thread of its own: descriptors of a new mount namespace and of the root in it, which is mounted over `place`."""
    namespaces.unshare(namespaces.CLONE_NEWNS)
    mount.set_propagation("/", "rprivate")
    mount_overlay(view.lower, place, upperdir=view.upper or None, workdir=view.work or None, options=view.options)
    root = os.open(place, OPEN_ROOT)
    try:
        return os.open("/proc/thread-self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC), root
    except OSError:
        os.close(root)
        raise
