"""Lock files: one engine per data root, and the pid file of `--pidfile`.  A name within a network namespace: one engine per bridge.

The lock is flock(2) on the open file: the kernel releases it with the process, however that ends, so a left-over file says nothing.
"""

import contextlib
import errno
import fcntl
import os
import socket


class AlreadyLocked(Exception):
    """Another process holds the file; `pid` is what it wrote there (None if nothing readable)."""

    def __init__(self, path: str, pid: int | None) -> None:
        holder = "another process" if pid is None else f"process {pid}"
        super().__init__(f"{path} is locked by {holder}")
        self.path = path
        self.pid = pid


class LockFile:
    """A held lock.  `release` removes the file; without it the lock ends with the process and the file stays."""

    def __init__(self, path: str, fd: int) -> None:
        self.path = path
        self._fd = fd

    @classmethod
    def acquire(cls, path: str) -> "LockFile":
        """Lock `path` (created if need be) and write our pid into it.

        Raises:
            AlreadyLocked: somebody holds it.
            OSError: the file cannot be made.
        """
        while True:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise AlreadyLocked(path, _read_pid(fd)) from None
                if _is_at(fd, path):
                    os.ftruncate(fd, 0)
                    os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
                    return cls(path, fd)
            except BaseException:
                os.close(fd)
                raise
            # Its last holder removed the file between our open and our lock.
            os.close(fd)

    def release(self) -> None:
        """May be called twice."""
        if self._fd < 0:
            return
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        os.close(self._fd)
        self._fd = -1

    def __enter__(self) -> "LockFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class NetworkLock:
    """A name that one process of a network namespace holds, until `release` or its end."""

    def __init__(self, name: str) -> None:
        """Raises AlreadyLocked."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            # Linux: an abstract address belongs to the network namespace, and is free again when its socket is closed.
            self._socket.bind(f"\0{name}")
        except OSError as e:
            self._socket.close()
            if e.errno == errno.EADDRINUSE:
                raise AlreadyLocked(name, None) from e
            raise

    def release(self) -> None:
        """May be called twice."""
        self._socket.close()


def _is_at(fd: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except FileNotFoundError:
        return False


def _read_pid(fd: int) -> int | None:
    text = os.pread(fd, 32, 0).strip()
    return int(text) if text.isdigit() else None


def is_locked(path: str) -> bool:
    """Does somebody hold the lock of this file?  Asked without touching it."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return False
    wanted = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    with open("/proc/locks", encoding="ascii") as locks:
        # Linux: "1: FLOCK  ADVISORY  WRITE 2178 08:01:131 0 EOF"; who waits for it has an arrow in second place.
        return any(words[1] != "->" and words[5] == wanted for words in map(str.split, locks))
