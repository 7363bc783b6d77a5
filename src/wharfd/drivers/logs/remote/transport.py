"""Ways to a receiver: a stream (TCP, TLS, UNIX), or datagrams (UDP, UNIX).

Whatever goes wrong is an OSError (TimeoutError is one): then what was to be sent counts as not delivered, and the next `send` connects
anew.  A stream's `send` returns when the other side's kernel has confirmed every byte (for UNIX sockets: when its program has read them),
so that nothing gets lost in a buffer on the way.  Datagrams are gone when they are sent, as datagrams are.
"""

import asyncio
import fcntl
import socket
import ssl
import struct
import termios
from collections.abc import Callable, Sequence
from typing import Protocol, cast

from wharfd.sys.blocking import Pool

CONNECT_TIMEOUT_S = 10.0
SEND_TIMEOUT_S = 30.0
FIRST_TURN_S, LONGEST_TURN_S = 0.001, 0.05
LOCAL_SYSLOG = ("/dev/log", "/var/run/syslog", "/var/run/log")

Opened = tuple[socket.socket, str]  # connected, and the name that its certificate must have


class Transport(Protocol):
    async def send(self, pieces: Sequence[bytes]) -> None: ...

    async def close(self) -> None: ...


class Open(Protocol):
    """Connect to the receiver.  Raises OSError."""

    async def __call__(self) -> Opened: ...


class Wire(asyncio.Protocol):
    """The near end of a stream."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.error: BaseException | None = None
        self.is_over = False
        self.received = bytearray()
        self.changed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's are none by their class

    def data_received(self, data: bytes) -> None:
        # Who sends what nobody has asked for is not listened to for ever.
        self.received = (self.received + data)[-65_536:]
        self.changed.set()

    def eof_received(self) -> bool:
        self.is_over = True
        self.changed.set()
        return False

    def connection_lost(self, error: BaseException | None) -> None:
        self.is_over = True
        self.error = error
        self.changed.set()

    def check(self) -> None:
        if self.is_over:
            raise ConnectionResetError("the receiver has closed the connection") from self.error


class StreamTransport:
    """`tls` None: in the clear."""

    def __init__(
        self, open_: Open, *, tls: Callable[[], ssl.SSLContext] | None = None, timeout_s: float = SEND_TIMEOUT_S
    ) -> None:
        self.open = open_
        self.tls = tls
        self.timeout_s = timeout_s
        self.wire: Wire | None = None

    async def send(self, pieces: Sequence[bytes]) -> None:
        try:
            wire = await self.connected()
            wire.check()
            assert wire.transport is not None
            async with asyncio.timeout(self.timeout_s):
                wire.transport.write(b"".join(pieces))
                await self.confirmed(wire)
        except BaseException:
            await self.close()
            raise

    async def answer(self, is_whole: Callable[[bytes], bool]) -> bytes:
        """What the receiver says, as soon as it is whole."""
        wire = self.wire
        if wire is None:
            raise ConnectionResetError("there is no connection")
        try:
            async with asyncio.timeout(self.timeout_s):
                while not is_whole(bytes(wire.received)):
                    wire.check()
                    wire.changed.clear()
                    await wire.changed.wait()
        except BaseException:
            await self.close()
            raise
        said = bytes(wire.received)
        wire.received.clear()
        return said

    async def connected(self) -> Wire:
        if self.wire is not None and not self.wire.is_over:
            return self.wire
        await self.close()
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            opened, name = await self.open()
            try:
                _, wire = await asyncio.get_running_loop().create_connection(
                    Wire,
                    sock=opened,
                    ssl=self.tls() if self.tls is not None else None,
                    server_hostname=name if self.tls is not None else None,
                )
            except BaseException:
                opened.close()
                raise
        self.wire = wire
        return wire

    async def confirmed(self, wire: Wire) -> None:
        turn_s = FIRST_TURN_S
        while self.unconfirmed(wire):
            wire.check()
            await asyncio.sleep(turn_s)
            turn_s = min(2 * turn_s, LONGEST_TURN_S)
        wire.check()

    def unconfirmed(self, wire: Wire) -> int:
        """Bytes."""
        assert wire.transport is not None
        if waiting := wire.transport.get_write_buffer_size():
            return waiting
        try:
            fd = wire.transport.get_extra_info("socket").fileno()
            return struct.unpack_from("i", fcntl.ioctl(fd, termios.TIOCOUTQ, bytes(4)))[0] if fd >= 0 else 0
        except OSError:
            return 0  # closed; `check` tells

    async def close(self) -> None:
        wire, self.wire = self.wire, None
        if wire is not None and wire.transport is not None:
            wire.transport.abort()  # what was to be delivered was confirmed


class DatagramTransport:
    """`open_` gives a connected socket."""

    def __init__(self, open_: Open, *, timeout_s: float = SEND_TIMEOUT_S) -> None:
        self.open = open_
        self.timeout_s = timeout_s
        self.socket: socket.socket | None = None

    async def send(self, pieces: Sequence[bytes]) -> None:
        try:
            if self.socket is None:
                async with asyncio.timeout(CONNECT_TIMEOUT_S):
                    self.socket, _ = await self.open()
            async with asyncio.timeout(self.timeout_s):
                for piece in pieces:
                    await self.send_one(self.socket, piece)
        except BaseException:
            await self.close()
            raise

    async def send_one(self, opened: socket.socket, data: bytes) -> None:
        while True:
            try:
                opened.send(data)
                return
            except (BlockingIOError, InterruptedError):
                await self.writable(opened)

    async def writable(self, opened: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        loop.add_writer(opened, ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_writer(opened)

    async def close(self) -> None:
        if self.socket is not None:
            self.socket.close()
            self.socket = None


# --- sockets


def to_host(pool: Pool, host: str, port: int, kind: socket.SocketKind) -> Open:
    """Each address that the name has is tried."""

    async def open_() -> Opened:
        try:
            found = await pool.run(socket.getaddrinfo, host, port, type=kind)
        except (OverflowError, UnicodeError) as e:
            raise OSError(f"{host}:{port} is no address: {e}") from e
        failure: OSError = OSError(f"{host} has no address")
        for family, _, protocol, _, address in found:
            opened = socket.socket(family, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, protocol)
            try:
                await asyncio.get_running_loop().sock_connect(opened, address)
            except OSError as e:
                opened.close()
                failure = e
            except OverflowError as e:
                opened.close()
                failure = OSError(f"{host}:{port} is no address: {e}")
            except BaseException:
                opened.close()
                raise
            else:
                return opened, host
        raise failure

    return open_


def to_path(path: str, kind: socket.SocketKind) -> Open:
    async def open_() -> Opened:
        return await connect_path(path, kind), ""

    return open_


async def connect_path(path: str, kind: socket.SocketKind) -> socket.socket:
    opened = socket.socket(socket.AF_UNIX, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        await asyncio.get_running_loop().sock_connect(opened, path)
    except BaseException:
        opened.close()
        raise
    return opened


def to_local_syslog(paths: Sequence[str] = LOCAL_SYSLOG) -> Open:
    """The syslog of this host, wherever its socket is."""

    async def open_() -> Opened:
        for path in paths:
            try:
                return await connect_path(path, socket.SOCK_DGRAM), ""
            except OSError:
                continue
        raise FileNotFoundError("Unix syslog delivery error")

    return open_
