"""The C library by ctypes: one handle, errno turned into OSError, other shared libraries by name.

The handle releases the interpreter lock during calls and keeps errno per thread.  Only modules of this package import it.
"""

import ctypes
import os

LIBC = ctypes.CDLL(None, use_errno=True)

# Linux: system calls from 424 upwards have one number on every architecture (alpha apart).
SYS_OPEN_TREE = 428
SYS_MOVE_MOUNT = 429
SYS_FSOPEN = 430
SYS_FSCONFIG = 431
SYS_FSMOUNT = 432
SYS_OPENAT2 = 437
SYS_MOUNT_SETATTR = 442
SYS_QUOTACTL_FD = 443

AT_FDCWD = -100
AT_EMPTY_PATH = 0x1000
AT_RECURSIVE = 0x8000
AT_SYMLINK_NOFOLLOW = 0x100


class MissingLibrary(OSError):
    """A shared library is not installed; the message names the Debian package that brings it."""

    def __init__(self, soname: str, package: str) -> None:
        super().__init__(f"{soname} is not installed (Debian package {package})")
        self.soname = soname
        self.package = package


def load_library(soname: str, package: str) -> ctypes.CDLL:
    """Open `soname`; raises MissingLibrary."""
    try:
        return ctypes.CDLL(soname, use_errno=True)
    except OSError as e:
        raise MissingLibrary(soname, package) from e


def failure(operation: str, path: str | bytes | None = None, detail: str = "") -> OSError:
    """The OSError (of the subclass that fits) for the errno which the last call on this thread left behind."""
    number = ctypes.get_errno()
    return os_error(number, operation, path, detail)


def os_error(number: int, operation: str, path: str | bytes | None = None, detail: str = "") -> OSError:
    """An OSError that says which operation failed: `[Errno 22] mount overlay: Invalid argument (detail): '/path'`."""
    text = f"{operation}: {os.strerror(number)}"
    if detail:
        text += f" ({detail})"
    return OSError(number, text) if path is None else OSError(number, text, os.fsdecode(path))


def check(result: int, operation: str, path: str | bytes | None = None) -> int:
    """Pass `result` through; raise for -1."""
    if result == -1:
        raise failure(operation, path)
    return result


def _arguments(count: int) -> list[type[ctypes.c_long]]:
    return [ctypes.c_long] * count


_SYSCALL = LIBC.syscall
_SYSCALL.argtypes = _arguments(7)
_SYSCALL.restype = ctypes.c_long


def syscall(number: int, *arguments: int) -> int:
    """A raw system call with integer arguments (addresses included); -1 and errno on failure, as libc's own `syscall`."""
    padded = arguments + (0,) * (6 - len(arguments))
    return int(_SYSCALL(number, *padded))
