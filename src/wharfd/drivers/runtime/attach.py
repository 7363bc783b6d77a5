"""A container's streams by way of its monitor: the socket `attach` in the bundle (SEQPACKET).

    from the monitor    first byte 2 (stdout) or 3 (stderr), then up to 8 KiB of output; an empty packet: no more will come
    to the monitor      packets of stdin, up to 32 KiB; an end of writing closes stdin (not with --leave-stdin-open), and so does a close

The monitor writes to a socket that nobody reads until it blocks, and then does nothing else: neither logs nor tells of the exit.
"""

import asyncio
import errno
import os
import socket
from collections.abc import Sequence

from wharfd.drivers.runtime.placement import Placement
from wharfd.model.errors import Conflict, Internal
from wharfd.ports.streams import Output
from wharfd.sys.spawn import watch_exit
from wharfd.wire.stdcopy import Stream

SOCKET = "attach"
STDIN_PACKET_BYTES = 32 * 1024  # conmon cuts off what is longer
_OUTPUT_PACKET_BYTES = 32 * 1024 + 1  # 8193 today
_CHUNK_BYTES = 64 * 1024  # output of one stream is joined up to this size
_BATCH_BYTES = 512 * 1024  # at most this much is taken at a time, so that others get their turn
_STREAMS = {2: Stream.STDOUT, 3: Stream.STDERR}
_GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ECONNREFUSED})
_BROKEN = frozenset({errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN, errno.ESHUTDOWN})

# One for all: it is filled and emptied without a wait in between.
_buffer = bytearray(_BATCH_BYTES + _OUTPUT_PACKET_BYTES)
_view = memoryview(_buffer)


class MonitorStdio:
    """Satisfies `ports.streams.AttachedStdio`."""

    def __init__(self, connection: socket.socket, pid: int, pid_start: int) -> None:
        self._socket = connection
        self._fd = connection.fileno()
        self._pid = pid
        self._pid_start = pid_start
        self._loop = asyncio.get_running_loop()
        self._awaited: asyncio.Future[None] | None = None  # a reader's
        self._is_over = False
        self._is_stdin_closed = False

    async def read(self) -> Sequence[Output]:
        while not self._is_over:
            outputs = self._take()
            if outputs:
                return outputs
            if not self._is_over:
                await self._readable()
        return ()

    def _take(self) -> list[Output]:
        """Everything that waits.

        Packets are received one behind the other without copying: each lands with its first byte, the stream's number, on the last
        byte of the one before, which is then put back.
        """
        outputs: list[Output] = []
        buffer, view = _buffer, _view
        begin = end = 1
        kind = 0
        while end < _BATCH_BYTES:
            last = buffer[end - 1]
            try:
                size = self._socket.recv_into(view[end - 1 :])
            except (BlockingIOError, InterruptedError):
                break
            except OSError:
                size = 0
            if not size:
                self._is_over = True
                break
            packet_kind, buffer[end - 1] = buffer[end - 1], last
            if end > begin and (packet_kind != kind or end - begin >= _CHUNK_BYTES):
                outputs.append(Output(_STREAMS.get(kind, Stream.STDOUT), bytes(view[begin:end])))
                begin = end
            kind = packet_kind
            end += size - 1
        if end > begin:
            outputs.append(Output(_STREAMS.get(kind, Stream.STDOUT), bytes(view[begin:end])))
        return outputs

    async def _readable(self) -> None:
        self._awaited = ready = self._loop.create_future()
        self._loop.add_reader(self._fd, _settle, ready)
        try:
            await ready
        finally:
            self._awaited = None
            if self._fd >= 0:
                self._loop.remove_reader(self._fd)

    async def write(self, data: bytes) -> bool:
        view = memoryview(data)
        at = 0
        while at < len(view):
            if self._is_stdin_closed or self._fd < 0:
                return False
            try:
                at += self._socket.send(view[at : at + STDIN_PACKET_BYTES])
            except (BlockingIOError, InterruptedError):
                await self._writable()
            except OSError as e:
                if e.errno in _BROKEN:
                    return False
                raise Internal(f"cannot write to a container's monitor: {e}") from e
        return True

    async def _writable(self) -> None:
        ready = self._loop.create_future()
        self._loop.add_writer(self._fd, _settle, ready)
        try:
            await ready
        finally:
            if self._fd >= 0:
                self._loop.remove_writer(self._fd)

    def close_stdin(self) -> None:
        if self._is_stdin_closed or self._fd < 0:
            return
        self._is_stdin_closed = True
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the monitor is gone

    async def wait_process_end(self) -> None:
        try:
            watch = watch_exit(self._pid, start_time=self._pid_start)
        except ProcessLookupError:
            return
        try:
            await watch.wait_status()
        finally:
            watch.close()

    def close(self) -> None:
        if self._fd < 0:
            return
        self._loop.remove_reader(self._fd)
        self._loop.remove_writer(self._fd)
        self._fd = -1
        self._is_over = True
        self._socket.close()
        if self._awaited is not None:
            _settle(self._awaited)


def connect(placement: Placement) -> MonitorStdio:
    """Raises Conflict if the monitor is not there."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        directory = os.open(placement.bundle, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            # A socket's name has 107 bytes; the bundle's may be longer.
            connection.connect(f"/proc/self/fd/{directory}/{SOCKET}")
        finally:
            os.close(directory)
    except OSError as e:
        connection.close()
        if e.errno in _GONE:
            raise Conflict(f"container {placement.container_id} is not running") from e
        raise Internal(f"cannot attach to container {placement.container_id}: {e}") from e
    return MonitorStdio(connection, placement.pid, placement.pid_start)


def _settle(ready: "asyncio.Future[None]") -> None:
    if not ready.done():
        ready.set_result(None)
