"""Mounts: mount(2), umount2(2) and the newer open_tree/move_mount/mount_setattr calls.

Overlay mounts have `overlay.py`, the table of mounts `mountinfo.py`.  Errors are OSErrors that name operation and target.
"""

import ctypes
import errno
import os
from typing import Literal

from wharfd.sys import libc
from wharfd.sys.libc import LIBC, check, failure, syscall

MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_SYNCHRONOUS = 0x10
MS_REMOUNT = 0x20
MS_MANDLOCK = 0x40
MS_DIRSYNC = 0x80
MS_NOATIME = 0x400
MS_NODIRATIME = 0x800
MS_BIND = 0x1000
MS_MOVE = 0x2000
MS_REC = 0x4000
MS_UNBINDABLE = 1 << 17
MS_PRIVATE = 1 << 18
MS_SLAVE = 1 << 19
MS_SHARED = 1 << 20
MS_RELATIME = 1 << 21
MS_STRICTATIME = 1 << 24

MNT_FORCE = 0x1
MNT_DETACH = 0x2
UMOUNT_NOFOLLOW = 0x8

OPEN_TREE_CLONE = 0x1
OPEN_TREE_CLOEXEC = os.O_CLOEXEC
MOVE_MOUNT_F_EMPTY_PATH = 0x4
MOVE_MOUNT_T_EMPTY_PATH = 0x40

MOUNT_ATTR_RDONLY = 0x1
MOUNT_ATTR_NOSUID = 0x2
MOUNT_ATTR_NODEV = 0x4
MOUNT_ATTR_NOEXEC = 0x8

_STATX_ATTR_MOUNT_ROOT = 0x2000
_AT_NO_AUTOMOUNT = 0x800
# struct statx begins: u32 mask, u32 blksize, u64 attributes, … and ends (256 bytes) after attributes_mask at 56.
_STATX_BYTES = 256

Propagation = Literal["private", "rprivate", "slave", "rslave", "shared", "rshared", "unbindable", "runbindable"]
_PROPAGATION: dict[str, int] = {
    "private": MS_PRIVATE,
    "slave": MS_SLAVE,
    "shared": MS_SHARED,
    "unbindable": MS_UNBINDABLE,
}

_mount = LIBC.mount
_mount.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]
_umount2 = LIBC.umount2
_umount2.argtypes = [ctypes.c_char_p, ctypes.c_int]
_statx = LIBC.statx
_statx.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p]


def mount(source: str | None, target: str, fs_type: str | None = None, flags: int = 0, data: str | None = None) -> None:
    """mount(2).  `data` holds less than a page."""
    result = _mount(_bytes(source), os.fsencode(target), _bytes(fs_type), flags, _bytes(data))
    check(result, f"mount {fs_type or 'bind'}", target)


def unmount(target: str, flags: int = 0) -> None:
    """umount2(2), never following a final symbolic link."""
    check(_umount2(os.fsencode(target), flags | UMOUNT_NOFOLLOW), "umount", target)


def detach(target: str) -> bool:
    """Unmount now, whoever still uses it (MNT_DETACH).  False when nothing is mounted there or there is no such path."""
    try:
        unmount(target, MNT_DETACH)
    except OSError as e:
        if e.errno in (errno.EINVAL, errno.ENOENT):
            return False
        raise
    return True


def bind(source: str, target: str, *, recursive: bool = False, attributes: int = 0) -> None:
    """Show `source` at `target`.  `attributes` (MOUNT_ATTR_*) hold from the first moment, in submounts too when recursive."""
    if not attributes:
        mount(source, target, None, MS_BIND | (MS_REC if recursive else 0))
        return
    tree = open_tree(source, clone=True, recursive=recursive)
    try:
        set_attributes(tree, attributes, recursive=recursive)
        move_mount(tree, target)
    finally:
        os.close(tree)


def open_tree(path: str, *, clone: bool = False, recursive: bool = False, dir_fd: int = libc.AT_FDCWD) -> int:
    """A descriptor for the mount object at `path`; with `clone` a detached copy, which goes away with the descriptor unless moved.

    An empty path means `dir_fd` itself.
    """
    flags = OPEN_TREE_CLOEXEC | (0 if path else libc.AT_EMPTY_PATH)
    if clone:
        flags |= OPEN_TREE_CLONE | (libc.AT_RECURSIVE if recursive else 0)
    name = ctypes.create_string_buffer(os.fsencode(path))
    return check(syscall(libc.SYS_OPEN_TREE, dir_fd, ctypes.addressof(name), flags), "open_tree", path)


def move_mount(mount_fd: int, target: str | int) -> None:
    """Attach a detached mount (of `open_tree`, fsmount) at `target`, a path or a descriptor of a place."""
    empty = ctypes.create_string_buffer(b"")
    fd, path = (target, "") if isinstance(target, int) else (libc.AT_FDCWD, target)
    name = ctypes.create_string_buffer(os.fsencode(path))
    flags = MOVE_MOUNT_F_EMPTY_PATH | (0 if path else MOVE_MOUNT_T_EMPTY_PATH)
    result = syscall(libc.SYS_MOVE_MOUNT, mount_fd, ctypes.addressof(empty), fd, ctypes.addressof(name), flags)
    check(result, "move_mount", path or None)


class _MountAttr(ctypes.Structure):
    _fields_ = (
        ("attr_set", ctypes.c_uint64),
        ("attr_clr", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    )


def set_attributes(target: int | str, attributes: int, *, clear: int = 0, recursive: bool = False) -> None:
    """mount_setattr(2): set and clear MOUNT_ATTR_* on a mount, given by a descriptor or by its path."""
    attr = _MountAttr(attributes, clear, 0, 0)
    fd, path = (target, "") if isinstance(target, int) else (libc.AT_FDCWD, target)
    flags = libc.AT_EMPTY_PATH | (libc.AT_RECURSIVE if recursive else 0)
    name = ctypes.create_string_buffer(os.fsencode(path))
    result = syscall(
        libc.SYS_MOUNT_SETATTR, fd, ctypes.addressof(name), flags, ctypes.addressof(attr), ctypes.sizeof(attr)
    )
    check(result, "mount_setattr", path or None)


def set_propagation(target: str, kind: Propagation) -> None:
    """Set how mounts below `target` (a mount point) spread; kinds with "r" include all submounts."""
    plain = kind if kind in _PROPAGATION else kind[1:]
    mount(None, target, None, _PROPAGATION[plain] | (0 if plain == kind else MS_REC))


def is_mountpoint(path: str) -> bool:
    """Whether `path` is the root of a mount, bind mounts of the same file system included.  FileNotFoundError as usual."""
    buffer = ctypes.create_string_buffer(_STATX_BYTES)
    flags = libc.AT_SYMLINK_NOFOLLOW | _AT_NO_AUTOMOUNT
    if _statx(libc.AT_FDCWD, os.fsencode(path), flags, 0, buffer) == -1:
        raise failure("statx", path)
    return bool(int.from_bytes(buffer.raw[8:16], "little") & _STATX_ATTR_MOUNT_ROOT)


def mount_id(fd: int) -> int:
    """Which mount a descriptor lies on: equal for two descriptors on the same one."""
    with open(f"/proc/self/fdinfo/{fd}", "rb") as f:
        for line in f:
            if line.startswith(b"mnt_id:"):
                return int(line[7:])
    raise OSError(errno.ENOTSUP, "the kernel does not tell a descriptor's mount")


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else os.fsencode(text)
