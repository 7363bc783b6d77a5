"""unshare(2) and setns(2), which the interpreter has only from 3.12 on.

Both move the calling thread alone: call them on a fresh thread (`blocking.call_in_fresh_thread`), never on the loop's or a pool's.
"""

import os
from collections.abc import Callable
from typing import TypeVar

from wharfd.sys.blocking import call_in_fresh_thread
from wharfd.sys.libc import LIBC, check

CLONE_FS = 0x00000200
CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000

T = TypeVar("T")


def unshare(flags: int) -> None:
    """Give the calling thread namespaces of its own (CLONE_NEW…)."""
    check(LIBC.unshare(flags), "unshare")


def setns(fd: int, kind: int) -> None:
    """Move the calling thread into the namespace behind `fd`, which must be of `kind` (CLONE_NEW…).

    Linux: a mount namespace can be entered only after `unshare(CLONE_FS)`, since threads share their root and working directory.
    """
    check(LIBC.setns(fd, kind), "setns")


def run_in_netns(namespace: str | int, fn: Callable[[], T]) -> T:
    """`fn()` on a fresh thread inside the network namespace given by its file or by a descriptor.  Blocks until it has ended."""

    def inside() -> T:
        if isinstance(namespace, int):
            setns(namespace, CLONE_NEWNET)
            return fn()
        fd = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
        try:
            setns(fd, CLONE_NEWNET)
        finally:
            os.close(fd)
        return fn()

    return call_in_fresh_thread(inside)
