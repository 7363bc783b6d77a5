"""Named network namespaces: files that keep a namespace alive without a process in it, as those of `ip netns`.

The loopback link of a new namespace is up.  All functions block (creation 0.3 to 1 ms, more while the kernel takes others down): call
them through a pool.
"""

import contextlib
import os
from collections.abc import Callable
from typing import TypeVar

from wharfd.sys import mount
from wharfd.sys.blocking import call_in_fresh_thread
from wharfd.sys.namespaces import CLONE_NEWNET, run_in_netns, unshare
from wharfd.sys.netlink import Netlink

T = TypeVar("T")

_LOOPBACK_INDEX = 1


def create(path: str) -> None:
    """Make a network namespace and bind it to the new file `path` (its directory exists).  FileExistsError when there is one."""
    create_with_netlink(path).close()


def create_with_netlink(path: str) -> Netlink:
    """As `create`; returns a socket bound to the new namespace, which the caller closes."""
    os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444))

    def inside() -> Netlink:
        unshare(CLONE_NEWNET)
        netlink = Netlink()
        try:
            netlink.set_link(_LOOPBACK_INDEX, up=True)
            # Linux: /proc/self/ns is that of the main thread, which stayed where it was.
            mount.bind("/proc/thread-self/ns/net", path)
        except BaseException:
            netlink.close()
            raise
        return netlink

    try:
        return call_in_fresh_thread(inside)
    except BaseException:
        delete(path)
        raise


def delete(path: str) -> None:
    """Let go of the namespace and remove its file.  It ends with the last process, socket and descriptor in it.  A no-op without it."""
    mount.detach(path)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def open_fd(path: str) -> int:
    """A close-on-exec descriptor of the namespace, for `LinkSpec.netns_fd` and setns."""
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def is_netns(path: str) -> bool:
    """Whether a namespace is bound to `path` (a crash may have left the bare file)."""
    try:
        return mount.is_mountpoint(path)
    except FileNotFoundError:
        return False


def run_in(namespace: str | int, fn: Callable[[], T]) -> T:
    """`fn()` on a fresh thread inside the namespace given by its file or by a descriptor."""
    return run_in_netns(namespace, fn)
