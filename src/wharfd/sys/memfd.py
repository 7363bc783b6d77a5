"""Anonymous files in memory, for handing bytes to another process or to a C library."""

import errno
import os

MFD_NOEXEC_SEAL = 0x0008


def create(name: str, content: bytes = b"") -> int:
    """A close-on-exec memory file that holds `content`, positioned at its start.  `name` shows in /proc/PID/fd only."""
    try:
        # Linux: from 6.3 on, a file that says neither "exec" nor "no exec" draws a line in the kernel log.
        fd = os.memfd_create(name, os.MFD_CLOEXEC | MFD_NOEXEC_SEAL)
    except OSError as e:
        if e.errno != errno.EINVAL:
            raise
        fd = os.memfd_create(name, os.MFD_CLOEXEC)
    try:
        view = memoryview(content)
        at = 0
        while at < len(view):
            at += os.pwrite(fd, view[at:], at)
    except BaseException:
        os.close(fd)
        raise
    return fd


def read_all(fd: int, limit: int = 1 << 62) -> bytes:
    """The file's bytes from its start, at most `limit` of them; the position stays where it is."""
    size = min(os.fstat(fd).st_size, limit)
    chunks: list[bytes] = []
    at = 0
    while at < size:
        chunk = os.pread(fd, min(size - at, 1 << 20), at)
        if not chunk:
            break
        chunks.append(chunk)
        at += len(chunk)
    return b"".join(chunks)
