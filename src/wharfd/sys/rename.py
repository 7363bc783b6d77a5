"""renameat2(2): two names change places in one step."""

import os

from wharfd.sys.libc import AT_FDCWD, LIBC, check

RENAME_EXCHANGE = 2


def exchange(one: str, other: str) -> None:
    """Whoever looks sees both as before or both exchanged.  Both must exist, on one file system that can do this (EINVAL)."""
    check(LIBC.renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE), "renameat2", one)
