"""The resolver in a sandbox: sockets that are opened inside its namespace, at 127.0.0.11, and served by the engine's loop.

Names of containers are answered from memory, all others by the host's resolvers, over UDP or TCP as they were asked.  Nothing is cached.
A sandbox that asks too much loses its own questions: only so many are read at a time, and only so many wait for an answer.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Sequence

from wharfd.drivers.network.dns.forward import Forwarder, over_tcp
from wharfd.model.errors import Internal
from wharfd.ports.network import Lookup
from wharfd.sys import netns
from wharfd.sys.blocking import Pool
from wharfd.wire import dns
from wharfd.wire.dns import AAAA, ANY, PTR, A, DnsError, Query, Resource

log = logging.getLogger(__name__)

ADDRESS = "127.0.0.11"
PORT = 53
AT_A_TIME = 16  # questions that are read before other sandboxes have their turn
TCP_CLIENTS = 64
TCP_IDLE_S = 10.0


def open_sockets(sandbox_key: str) -> tuple[socket.socket, socket.socket]:
    """UDP and TCP.  Blocks."""

    def inside() -> tuple[socket.socket, socket.socket]:
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            udp.bind((ADDRESS, PORT))
            tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            try:
                tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                tcp.bind((ADDRESS, PORT))
                tcp.listen(TCP_CLIENTS)
            except BaseException:
                tcp.close()
                raise
        except BaseException:
            udp.close()
            raise
        return udp, tcp

    return netns.run_in(sandbox_key, inside)


class NameServers:
    """Satisfies `ports.network.NameServers`."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.servers: dict[str, Server] = {}

    async def serve(self, sandbox_id: str, sandbox_key: str, lookup: Lookup, upstreams: Sequence[str]) -> None:
        if sandbox_id in self.servers:
            return
        try:
            udp, tcp = await self.pool.run(open_sockets, sandbox_key)
        except OSError as e:
            raise Internal(f"cannot open the resolver of sandbox {sandbox_id[:12]}: {e}") from e
        server = self.servers[sandbox_id] = Server(udp, tcp, lookup, upstreams)
        try:
            await server.open()
        except BaseException:
            await self.stop(sandbox_id)
            raise

    async def stop(self, sandbox_id: str) -> None:
        server = self.servers.pop(sandbox_id, None)
        if server is not None:
            server.close()

    async def close(self) -> None:
        for sandbox_id in list(self.servers):
            await self.stop(sandbox_id)


class Server:
    """Of one sandbox."""

    def __init__(self, udp: socket.socket, tcp: socket.socket, lookup: Lookup, upstreams: Sequence[str]) -> None:
        self.udp = udp
        self.tcp = tcp
        self.lookup = lookup
        self.upstreams = upstreams
        self.forwarder = Forwarder(upstreams)
        self.listener: asyncio.Server | None = None
        self.clients: set[asyncio.StreamWriter] = set()
        self.turn = 0
        self.is_closed = False

    async def open(self) -> None:
        asyncio.get_running_loop().add_reader(self.udp.fileno(), self.readable)
        self.listener = await asyncio.start_server(self.converse, sock=self.tcp)

    def close(self) -> None:
        self.is_closed = True
        asyncio.get_running_loop().remove_reader(self.udp.fileno())
        self.udp.close()
        self.forwarder.close()
        if self.listener is not None:
            self.listener.close()
        else:
            self.tcp.close()
        for client in list(self.clients):
            client.transport.abort()

    # Datagrams

    def readable(self) -> None:
        for _ in range(AT_A_TIME):
            try:
                data, sender = self.udp.recvfrom(dns.MAX_BYTES)
            except OSError:
                return
            self.received(data, sender)

    def received(self, data: bytes, sender: tuple[str, int]) -> None:
        try:
            query = dns.parse_query(data)
        except DnsError:
            answer = dns.refusal(data, dns.FORMAT_ERROR)
            if answer is not None:
                self.send(answer, sender)
            return
        records = self.own(query)
        if records is not None:
            self.send(dns.encode_answer(query, records, limit=query.size), sender)
        elif not self.forwarder.ask(data, lambda answer: self.send(answer or failure(query), sender)):
            self.send(failure(query), sender)

    def send(self, answer: bytes, sender: tuple[str, int]) -> None:
        if not self.is_closed:
            with contextlib.suppress(OSError):
                self.udp.sendto(answer, sender)

    # Connections

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self.clients) >= TCP_CLIENTS:
            writer.close()
            return
        self.clients.add(writer)
        try:
            while True:
                async with asyncio.timeout(TCP_IDLE_S):
                    size = int.from_bytes(await reader.readexactly(2), "big")
                    data = await reader.readexactly(size)
                answer = await self.answer(data)
                writer.write(len(answer).to_bytes(2, "big") + answer)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, DnsError):
            pass  # the client has gone, is silent, or speaks no DNS
        finally:
            self.clients.discard(writer)
            writer.close()

    async def answer(self, data: bytes) -> bytes:
        query = dns.parse_query(data)
        records = self.own(query)
        if records is not None:
            return dns.encode_answer(query, records)
        return await over_tcp(data, self.upstreams) or failure(query)

    # Names of ours

    def own(self, query: Query) -> list[Resource] | None:
        """None: the name is none of ours, or not a question that we understand."""
        if not query.is_standard or query.category not in {dns.IN, ANY} or not query.name:
            return None
        if query.kind == PTR:
            address = dns.reverse_address(query.name)
            names = self.lookup.names(address) if address else ()
            return [dns.pointer_record(name) for name in names] if names else None
        addresses = self.lookup.addresses(query.name)
        if not addresses:
            return None
        records = [dns.address_record(address) for address in addresses]
        wanted = [each for each in records if query.kind == each.kind or (query.kind == ANY and each.kind in {A, AAAA})]
        # Several containers of one name take turns.
        self.turn += 1
        shift = self.turn % len(wanted) if wanted else 0
        return wanted[shift:] + wanted[:shift]


def failure(query: Query) -> bytes:
    return dns.encode_answer(query, (), code=dns.SERVER_FAILURE)
