"""Project quotas: a limit to the room that a directory and everything in it takes.

Files belong to a project, by a number; a directory can hand its project on to what is made in it.  xfs (mounted with `pquota`) and ext4
(feature `project`, mounted with `prjquota`) count the blocks of a project and refuse those beyond its limit, with EDQUOT.
"""

import ctypes
import errno
import fcntl
import os
import struct

from wharfd.sys import libc
from wharfd.sys.libc import check, syscall

# ioctl_xfs_fsgetxattr(2): flags, extent size, extents, project, copy-on-write extent size, padding.
GET_ATTRIBUTES = 0x801C581F
SET_ATTRIBUTES = 0x401C5820
ATTRIBUTES = struct.Struct("IIIII8x")
HANDED_ON = 0x200

# quotactl(2), in the form that takes a descriptor (Linux 5.14).
PROJECT_TYPE = 2
GET_QUOTA = 0x5803
SET_LIMITS = 0x5804
GET_STATE = 0x5805
STATE_BYTES = 128
STATE_FLAGS = struct.Struct("xxH")
IS_COUNTED = 1 << 4
IS_ENFORCED = 1 << 5
# Version, kind, field mask, id; limits of blocks (hard, soft) and inodes (hard, soft), blocks and inodes in use; the rest is timers.
QUOTA = struct.Struct("bbHIQQQQQQ56x")
QUOTA_VERSION = 1
QUOTA_KIND = 2
LIMITS_OF_BLOCKS = (1 << 2) | (1 << 3)
BLOCK_BYTES = 512

CANNOT = frozenset((errno.ENOSYS, errno.ENOTTY, errno.EOPNOTSUPP, errno.EINVAL, errno.ESRCH, errno.EPERM, errno.EACCES))


def is_enforced(path: str) -> bool:
    """Whether the file system of `path` keeps projects to their limits, and this process may set them."""
    buffer = ctypes.create_string_buffer(bytes([QUOTA_VERSION]), STATE_BYTES)
    try:
        control(path, GET_STATE, 0, buffer)
    except OSError as e:
        if e.errno in CANNOT:
            return False
        raise
    (flags,) = STATE_FLAGS.unpack_from(buffer.raw)
    return bool(flags & IS_COUNTED and flags & IS_ENFORCED)


def limit_of(path: str, project: int) -> tuple[int, int]:
    """Limit (0: none) and use of a project on the file system of `path`, in bytes."""
    buffer = ctypes.create_string_buffer(QUOTA.size)
    try:
        control(path, GET_QUOTA, project, buffer)
    except FileNotFoundError:
        return 0, 0
    _, _, _, _, hard, _, _, _, used, _ = QUOTA.unpack(buffer.raw)
    return hard * BLOCK_BYTES, used * BLOCK_BYTES


def set_limit(path: str, project: int, limit_bytes: int) -> None:
    """0: no limit."""
    blocks = -(-limit_bytes // BLOCK_BYTES)
    told = QUOTA.pack(QUOTA_VERSION, QUOTA_KIND, LIMITS_OF_BLOCKS, project, blocks, blocks, 0, 0, 0, 0)
    control(path, SET_LIMITS, project, ctypes.create_string_buffer(told, QUOTA.size))


def control(path: str, command: int, project: int, buffer: "ctypes.Array[ctypes.c_char]") -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        number = (command << 8) | PROJECT_TYPE
        check(syscall(libc.SYS_QUOTACTL_FD, fd, number, project, ctypes.addressof(buffer)), "quotactl", path)
    finally:
        os.close(fd)


def project_of(path: str) -> int:
    """Of a directory; 0 where none was set, and where the file system knows none."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return attributes(fd)[3]
    except OSError as e:
        if e.errno in CANNOT:
            return 0
        raise
    finally:
        os.close(fd)


def set_project(path: str, project: int) -> None:
    """Of a directory, which hands it on to what is made in it from now on."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        flags, extent, extents, _, copied = attributes(fd)
        fcntl.ioctl(fd, SET_ATTRIBUTES, ATTRIBUTES.pack(flags | HANDED_ON, extent, extents, project, copied))
    finally:
        os.close(fd)


def attributes(fd: int) -> tuple[int, int, int, int, int]:
    found: tuple[int, int, int, int, int] = ATTRIBUTES.unpack(fcntl.ioctl(fd, GET_ATTRIBUTES, bytes(ATTRIBUTES.size)))
    return found
