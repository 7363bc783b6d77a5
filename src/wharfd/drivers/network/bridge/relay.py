"""Carries to the container what rules cannot: connections of the host to its own `::1`, and of any IPv6 client to a container with
IPv4 alone.

Linux: the source `::1` never leaves the host, so it cannot be translated as 127.0.0.1 can.  The sockets are
duplicates of those that hold the ports: the loop closes its own when it pleases.
"""

import asyncio
import contextlib
import logging
import socket
from typing import cast

log = logging.getLogger(__name__)

CHUNK = 64 * 1024
CONNECT_TIMEOUT_S = 10.0
UDP_IDLE_S = 90.0
UDP_CLIENTS = 1024  # of one port


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until the end, which is passed on."""
    while data := await reader.read(CHUNK):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


class TcpRelay:
    """`listener` listens already; it is closed with the relay."""

    def __init__(self, listener: socket.socket, address: str, port: int) -> None:
        self.listener = listener
        self.target = (address, port)
        self.server: asyncio.Server | None = None
        self.writers: set[asyncio.StreamWriter] = set()

    async def open(self) -> None:
        self.server = await asyncio.start_server(self.carry, sock=self.listener)

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.add(writer)
        there: asyncio.StreamWriter | None = None
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                back, there = await asyncio.open_connection(*self.target)
            self.writers.add(there)
            async with asyncio.TaskGroup() as group:
                group.create_task(pump(reader, there))
                group.create_task(pump(back, writer))
        except* OSError:
            pass  # one of the two has gone, and so does the other
        finally:
            for each in (writer, there):
                if each is not None:
                    self.writers.discard(each)
                    each.close()

    def close(self) -> None:
        if self.server is not None:
            self.server.close()
        else:
            self.listener.close()
        for writer in list(self.writers):
            writer.transport.abort()


class UdpRelay(asyncio.DatagramProtocol):
    """One socket towards the container for each client, closed when it has been quiet for a while."""

    def __init__(self, bound: socket.socket, address: str, port: int) -> None:
        self.bound = bound
        self.target = (address, port)
        self.transport: asyncio.DatagramTransport | None = None
        self.clients: dict[tuple[str | int, ...], UdpClient] = {}

    async def open(self) -> None:
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, sock=self.bound)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)  # uvloop's is one by its methods only

    def datagram_received(self, data: bytes, addr: tuple[str | int, ...]) -> None:
        client = self.clients.get(addr)
        if client is None:
            if len(self.clients) >= UDP_CLIENTS:
                return
            try:
                client = self.clients[addr] = UdpClient(self, addr)
            except OSError as error:
                log.warning("datagram of=%s not carried on: error=%s", addr, error)
                return
        client.send(data)

    def forget(self, addr: tuple[str | int, ...]) -> None:
        client = self.clients.pop(addr, None)
        if client is not None:
            client.close()

    def close(self) -> None:
        for addr in list(self.clients):
            self.forget(addr)
        if self.transport is not None:
            self.transport.close()
        else:
            self.bound.close()


class UdpClient:
    def __init__(self, relay: UdpRelay, addr: tuple[str | int, ...]) -> None:
        self.relay = relay
        self.addr = addr
        self.loop = asyncio.get_running_loop()
        self.last_s = self.loop.time()
        self.socket = socket.socket(
            socket.AF_INET6 if ":" in relay.target[0] else socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK
        )
        try:
            self.socket.connect(relay.target)
        except OSError:
            self.socket.close()
            raise
        self.loop.add_reader(self.socket.fileno(), self.answer)
        self.timer = self.loop.call_later(UDP_IDLE_S, self.rest)

    def send(self, data: bytes) -> None:
        self.last_s = self.loop.time()
        with contextlib.suppress(OSError):
            self.socket.send(data)

    def answer(self) -> None:
        self.last_s = self.loop.time()
        with contextlib.suppress(OSError):
            data = self.socket.recv(1 << 16)
            if self.relay.transport is not None:
                self.relay.transport.sendto(data, self.addr)

    def rest(self) -> None:
        left_s = self.last_s + UDP_IDLE_S - self.loop.time()
        if left_s <= 0:
            self.relay.forget(self.addr)
        else:
            self.timer = self.loop.call_later(left_s, self.rest)

    def close(self) -> None:
        self.timer.cancel()
        self.loop.remove_reader(self.socket.fileno())
        self.socket.close()
