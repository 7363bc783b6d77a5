"""Both directions of one client's connection: what has arrived and is not used yet, and the pace of what is sent.

This is the part below HTTP that bodies, streams and hijacked connections share.  Bytes wait here undecoded, so that whoever takes the
connection over gets all of them.  Reading pauses while too much waits; a writer that awaits `drain` goes at the reader's pace.
"""

import asyncio
import fcntl
import socket
import struct
import sys
import termios
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from wharfd.api.transport.hangup import HangupWatch
from wharfd.model.errors import Cancelled

READ_HIGH = 512 * 1024  # bytes waiting at which reading pauses (one read of the loop may overshoot it by 256 KiB)
READ_LOW = 128 * 1024
WRITE_HIGH = 512 * 1024  # bytes unsent at which writers wait

Chunk = bytes | bytearray | memoryview


class ClientGone(Cancelled):
    """The client closed the connection before its answer was complete."""


@dataclass(frozen=True, slots=True)
class PeerCredentials:
    """Who connected, as the kernel saw it at connect time."""

    pid: int
    uid: int
    gid: int


class Channel(asyncio.Protocol):
    __slots__ = (
        "at_eof",
        "chunks",
        "gone",
        "gone_waiter",
        "hangups",
        "is_read_paused",
        "is_watched",
        "is_write_paused",
        "loop",
        "lost",
        "read_waiter",
        "size",
        "transport",
        "write_waiters",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, hangups: HangupWatch) -> None:
        self.loop = loop
        self.hangups = hangups
        self.transport = cast("asyncio.Transport", None)  # set by connection_made, before anything else can happen
        self.chunks: list[bytes] = []  # arrived, not used yet
        self.size = 0  # bytes in chunks
        self.read_waiter: asyncio.Future[None] | None = None
        self.is_read_paused = False
        self.at_eof = False  # the peer sends no more
        self.lost = False  # our transport is closed
        self.gone = False  # the peer has closed fully
        self.gone_waiter: asyncio.Future[None] | None = None
        self.is_watched = False
        self.is_write_paused = False
        self.write_waiters: list[asyncio.Future[None]] | None = None

    # --- the peer's side -------------------------------------------------------------------------------------------------------

    def peer(self) -> PeerCredentials | None:
        """None unless this is a UNIX socket."""
        sock = self.transport.get_extra_info("socket")
        if sock is None or sock.family != socket.AF_UNIX:
            return None
        return PeerCredentials(*struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)))

    def unread(self) -> int:
        """What the kernel holds of ours that the peer has not taken: 0, or some measure of it.  0 unless this is a UNIX socket.

        # Linux: of a TCP socket it tells what was not acknowledged, which says nothing of the reader.
        """
        sock = self.transport.get_extra_info("socket")
        if self.lost or sock is None or sock.family != socket.AF_UNIX:
            return 0
        return int.from_bytes(fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)), sys.byteorder)

    def watch_hangup(self) -> None:
        """From now on `gone_away` is called when the peer closes fully, also while nothing is read."""
        if self.is_watched or self.lost:
            return
        self.is_watched = True
        self.hangups.watch(self.fileno(), self.gone_away)

    def fileno(self) -> int:
        return int(self.transport.get_extra_info("socket").fileno())

    def gone_away(self) -> None:
        self.gone = True
        self.is_watched = False
        if self.gone_waiter is not None and not self.gone_waiter.done():
            self.gone_waiter.set_result(None)

    async def wait_gone(self) -> None:
        """Returns when the peer has closed fully or the connection is lost; a half-close does not count."""
        if self.gone or self.lost:
            return
        self.watch_hangup()
        if self.gone_waiter is None:
            self.gone_waiter = self.loop.create_future()
        await asyncio.shield(self.gone_waiter)

    def eof_received(self) -> bool | None:
        self.at_eof = True
        self.wake_reader()
        self.watch_hangup()
        return True  # keep the writing side: the peer may wait for its answer

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        if self.is_watched:
            self.hangups.forget(self.fileno())
        self.gone_away()
        self.wake_reader()
        self.resume_writing()

    # --- what has arrived ------------------------------------------------------------------------------------------------------

    def feed(self, data: bytes) -> None:
        self.chunks.append(data)
        self.size += len(data)
        if self.size >= READ_HIGH and not self.is_read_paused:
            self.is_read_paused = True
            self.transport.pause_reading()
            self.watch_hangup()  # the end of input is not seen while paused
        self.wake_reader()

    def wake_reader(self) -> None:
        if self.read_waiter is not None:
            if not self.read_waiter.done():
                self.read_waiter.set_result(None)
            self.read_waiter = None

    async def wait_readable(self) -> bool:
        """Waits until something has arrived; false if nothing will.  One reader at a time."""
        while not self.chunks:
            if self.at_eof or self.lost:
                return False
            if self.read_waiter is not None:
                raise RuntimeError("two readers on one connection")
            waiter = self.read_waiter = self.loop.create_future()
            try:
                await waiter
            finally:
                if self.read_waiter is waiter:
                    self.read_waiter = None
        return True

    def take(self) -> bytes:
        """The first piece that waits; empty if none does."""
        if not self.chunks:
            return b""
        data = self.chunks.pop(0)
        self.size -= len(data)
        if self.is_read_paused and self.size < READ_LOW:
            self.resume_reading()
        return data

    def take_all(self) -> bytes:
        """Everything that waits."""
        if not self.chunks:
            return b""
        data = self.chunks[0] if len(self.chunks) == 1 else b"".join(self.chunks)
        self.chunks.clear()
        self.size = 0
        if self.is_read_paused:
            self.resume_reading()
        return data

    def put_back(self, data: bytes) -> None:
        """Before everything else that waits."""
        if data:
            self.chunks.insert(0, data)
            self.size += len(data)

    def resume_reading(self) -> None:
        self.is_read_paused = False
        if not self.lost and not self.at_eof:
            self.transport.resume_reading()

    # --- what is sent ----------------------------------------------------------------------------------------------------------

    def write(self, data: Chunk) -> None:
        """Hands `data` to the kernel or queues it.  It must not change afterwards.

        Raises:
            ClientGone: the connection is closed.
        """
        if self.lost or self.transport.is_closing():
            raise ClientGone("client disconnected")
        self.transport.write(data)

    def write_pieces(self, pieces: Sequence[Chunk]) -> None:
        if self.lost or self.transport.is_closing():
            raise ClientGone("client disconnected")
        self.transport.writelines(pieces)

    async def drain(self) -> None:
        """Waits while too much is unsent.  Raises ClientGone if it never will be sent."""
        while self.is_write_paused and not self.lost:
            waiter = self.loop.create_future()
            if self.write_waiters is None:
                self.write_waiters = []
            self.write_waiters.append(waiter)
            await waiter
        if self.lost:
            raise ClientGone("client disconnected")

    def pause_writing(self) -> None:
        self.is_write_paused = True

    def resume_writing(self) -> None:
        self.is_write_paused = False
        if self.write_waiters:
            waiters, self.write_waiters = self.write_waiters, None
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)

    def release(self) -> None:
        """Lets go of a transport that another protocol takes over."""
        if self.is_watched:
            self.is_watched = False
            self.hangups.forget(self.fileno())

    # --- what the HTTP side adds -----------------------------------------------------------------------------------------------

    def default_lines(self) -> bytes:
        """Header lines that every answer carries, each with its CRLF."""
        return b""

    def end(self) -> None:
        """Closes in an orderly way: what is queued is sent, the peer reads to the end of input."""
        raise NotImplementedError
