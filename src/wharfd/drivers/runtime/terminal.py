"""Terminals: the size of a container's, and the master of an exec's, which the OCI runtime makes inside the container and hands over."""

import array
import asyncio
import errno
import fcntl
import os
import socket
import struct
import termios

from wharfd.drivers.runtime.monitor_log import unread
from wharfd.drivers.runtime.placement import Placement
from wharfd.model.errors import Conflict, Internal

SIZE_FIFO = "winsz"
LARGEST = 1000  # characters; conmon refuses more
TURN_S = 0.005
TURNS = 200


class ContainerSizes:
    """Tells monitors, which hold the containers' terminals, what size these are to have.

    A message is only written when the one before was read: conmon (2.1.6), when it finds several, obeys the first as often as there are
    messages.  Of the sizes that come meanwhile the last counts.
    """

    def __init__(self) -> None:
        self.waiting: dict[str, tuple[int, int]] = {}

    async def set(self, placement: Placement, height: int, width: int) -> None:
        """Raises Conflict if the monitor is gone."""
        container_id = placement.container_id
        is_turn = container_id not in self.waiting
        self.waiting[container_id] = (height, width)
        if not is_turn:
            return
        try:
            fd = _open_fifo(placement)
            try:
                for _ in range(TURNS):
                    if not unread(fd):
                        break
                    await asyncio.sleep(TURN_S)
                height, width = self.waiting[container_id]
                os.write(fd, f"{min(height, LARGEST)} {min(width, LARGEST)}\n".encode())
            finally:
                os.close(fd)
        except BlockingIOError:
            pass  # a monitor that reads nothing sets nothing
        except BrokenPipeError as e:
            raise Conflict(f"container {container_id} is not running") from e
        finally:
            del self.waiting[container_id]


def _open_fifo(placement: Placement) -> int:
    try:
        return os.open(f"{placement.bundle}/{SIZE_FIFO}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as e:
        if e.errno in (errno.ENXIO, errno.ENOENT, errno.ENOTDIR):
            raise Conflict(f"container {placement.container_id} is not running") from e
        raise Internal(f"cannot resize the terminal of container {placement.container_id}: {e}") from e


def set_size(terminal: int, height: int, width: int) -> None:
    size = struct.pack("4H", min(height, 0xFFFF), min(width, 0xFFFF), 0, 0)
    try:
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, size)
    except OSError as e:
        if e.errno != errno.EIO:  # hung up
            raise Internal(f"cannot resize a terminal: {e}") from e


class ConsoleSocket:
    """Where the OCI runtime sends the master of the terminal that it made (`--console-socket`).

    `directory` is a descriptor, since a socket's name has 107 bytes only.
    """

    def __init__(self, directory: int, name: str) -> None:
        self._directory = directory
        self._name = name
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        self._connection: socket.socket | None = None
        try:
            self._listener.bind(f"/proc/self/fd/{directory}/{name}")
            self._listener.listen(1)
        except OSError as e:
            self._listener.close()
            raise Internal(f"cannot listen for a terminal: {e}") from e

    async def receive(self) -> int:
        """The master: a descriptor that the caller closes.  Never returns if the runtime fails before it has made one."""
        while True:
            try:
                return self._take()
            except BlockingIOError:
                await self._readable()

    def _take(self) -> int:
        if self._connection is None:
            self._connection, _ = self._listener.accept()
            self._connection.setblocking(False)
        # The message is the terminal's name, which nobody needs.
        _, controls, _, _ = self._connection.recvmsg(4096, socket.CMSG_SPACE(4))
        for level, kind, data in controls:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds = array.array("i")
                fds.frombytes(data[:4])
                os.set_inheritable(fds[0], False)
                os.set_blocking(fds[0], False)
                return fds[0]
        raise Internal("the OCI runtime sent no terminal")

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        fd = (self._connection or self._listener).fileno()
        ready = asyncio.Event()
        loop.add_reader(fd, ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_reader(fd)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._listener.close()
        try:
            os.unlink(self._name, dir_fd=self._directory)
        except FileNotFoundError:
            pass
