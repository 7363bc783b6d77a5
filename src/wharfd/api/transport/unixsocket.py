"""The listening socket in the file system: taken over only if nobody listens there, owned and permitted before anyone can connect.

The socket is bound at its final path, not renamed into place: clients see the name of the bind as their peer's address, and a rename
would silently displace an engine that was quicker.  Between bind and listen a connect is refused, as it was on the stale socket.
"""

import fcntl
import os
import socket
import stat

from wharfd.model.errors import Conflict, InvalidParameter

BACKLOG = 1024


def refuse_live_socket(path: str) -> bool:
    """False if `path` is free, true if it is a socket that nobody listens on.

    Raises:
        Conflict: something answers there.
        InvalidParameter: there is something that is no socket.
    """
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return False
    if not stat.S_ISSOCK(mode):
        raise InvalidParameter(f"cannot listen on {path}: it exists and is not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return True
        except BlockingIOError:
            pass  # Linux: EAGAIN means a listener whose backlog is full
    raise Conflict(f"cannot listen on {path}: another process is listening there")


def bind_unix(path: str, mode: int = 0o660, gid: int | None = None) -> socket.socket:
    """A listening socket at `path`, in place of a stale one, with its mode and group before anyone can connect.

    Raises:
        Conflict, InvalidParameter: see `refuse_live_socket`; Conflict also if another engine is taking the place right now.
        OSError: the directory is missing or not writable, or the path is too long.
    """
    directory = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        try:
            fcntl.flock(
                directory, fcntl.LOCK_EX | fcntl.LOCK_NB
            )  # from probe to listen, against another engine that starts
        except BlockingIOError as error:
            raise Conflict(f"cannot listen on {path}: its directory is locked by another process") from error
        if refuse_live_socket(path):
            os.unlink(path)
        os.fchmod(sock.fileno(), 0o600)  # Linux: the file that bind makes takes its mode from here, less the umask
        sock.bind(path)
        try:
            if gid is not None:
                os.chown(path, -1, gid)
            os.chmod(path, mode)
            sock.listen(BACKLOG)
        except BaseException:
            os.unlink(path)
            raise
    except BaseException:
        sock.close()
        raise
    finally:
        os.close(directory)
    sock.setblocking(False)
    return sock


def identity(path: str) -> tuple[int, int]:
    """Device and inode: tells our socket from one that took its place."""
    found = os.lstat(path)
    return found.st_dev, found.st_ino


def unlink_if_ours(path: str, ours: tuple[int, int]) -> None:
    try:
        if identity(path) == ours:
            os.unlink(path)
    except FileNotFoundError:
        pass
