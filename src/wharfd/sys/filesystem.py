"""Facts about file systems, and making one of them durable."""

import ctypes
import os

from wharfd.sys.libc import LIBC, check, failure

# statfs(2) f_type, from linux/magic.h and the file systems' own headers.
_NAMES = {
    0xEF53: "extfs",
    0x58465342: "xfs",
    0x9123683E: "btrfs",
    0x01021994: "tmpfs",
    0x794C7630: "overlayfs",
    0x2FC12FC1: "zfs",
    0xF2F52010: "f2fs",
    0x6969: "nfs",
    0xCA451A4E: "bcachefs",
    0x65735546: "fuse",
    0x01021997: "9p",
}
_STATFS_BYTES = 256
_SYNC_FILE_RANGE_WRITE = 2


def kind(path: str) -> str:
    """The name of the file system that `path` lies on, as Docker spells it in "Backing Filesystem"."""
    buffer = ctypes.create_string_buffer(_STATFS_BYTES)
    if LIBC.statfs(os.fsencode(path), buffer) == -1:
        raise failure("statfs", path)
    magic = ctypes.c_long.from_buffer(buffer).value & 0xFFFFFFFF
    return _NAMES.get(magic, f"0x{magic:x}")


def sync(path: str) -> None:
    """Write everything that is dirty on the file system of `path` to its device (syncfs)."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        check(LIBC.syncfs(fd), "syncfs", path)
    finally:
        os.close(fd)


def start_writeback(fd: int, offset: int, length: int) -> None:
    """Have the kernel begin to write a range of a file to its device (sync_file_range), so that a later fsync has less to do.

    A hint: errors (a file system that cannot) are passed over.
    """
    LIBC.sync_file_range(fd, ctypes.c_int64(offset), ctypes.c_int64(length), ctypes.c_uint(_SYNC_FILE_RANGE_WRITE))


def sync_directory(path: str) -> None:
    """Make the names in a directory durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
