"""Questions that are passed on to the host's resolvers, one after the other, until one answers."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from wharfd.wire import dns

PORT = 53
TIMEOUT_S = 2.0  # of one resolver; clients ask again after five seconds
MOST = 256  # questions of one sandbox that wait for an answer

Done = Callable[[bytes | None], None]
"""Given the answer, or None when no resolver has one.  Called once, unless the forwarder is closed before."""


class Forwarder:
    def __init__(self, upstreams: Sequence[str], *, port: int = PORT, timeout_s: float = TIMEOUT_S) -> None:
        self.upstreams = upstreams
        self.port = port
        self.timeout_s = timeout_s
        self.waiting: set[Exchange] = set()

    def ask(self, data: bytes, done: Done) -> bool:
        """False: too many wait already, or there is nobody to ask."""
        if len(self.waiting) >= MOST or not self.upstreams:
            return False
        Exchange(self, data, done).next()
        return True

    def close(self) -> None:
        for exchange in list(self.waiting):
            exchange.end()


@dataclass(eq=False, slots=True)
class Exchange:
    """One question on its way.  Each attempt has a socket of its own, and so a port that nobody can guess."""

    forwarder: Forwarder
    data: bytes
    done: Done
    attempt: int = 0
    last: bytes | None = None  # an answer that says that the resolver failed
    bound: socket.socket | None = None
    timer: asyncio.TimerHandle | None = field(default=None)

    def next(self) -> None:
        self.end()
        loop = asyncio.get_running_loop()
        while self.attempt < len(self.forwarder.upstreams):
            address = self.forwarder.upstreams[self.attempt]
            self.attempt += 1
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            self.bound = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            try:
                self.bound.connect((address, self.forwarder.port))
                self.bound.send(self.data)
            except OSError:
                self.bound.close()
                self.bound = None
                continue
            loop.add_reader(self.bound.fileno(), self.readable)
            self.timer = loop.call_later(self.forwarder.timeout_s, self.next)
            self.forwarder.waiting.add(self)
            return
        self.done(self.last)

    def readable(self) -> None:
        if self.bound is None:
            return
        try:
            answer = self.bound.recv(dns.MAX_BYTES)
        except BlockingIOError:
            return
        except OSError:
            self.next()  # nobody listens there
            return
        if not dns.is_answer_to(self.data, answer):
            return
        if dns.answer_code(answer) in {dns.SERVER_FAILURE, dns.REFUSED} and self.attempt < len(
            self.forwarder.upstreams
        ):
            self.last = answer
            self.next()
            return
        self.end()
        self.done(answer)

    def end(self) -> None:
        self.forwarder.waiting.discard(self)
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        if self.bound is not None:
            asyncio.get_running_loop().remove_reader(self.bound.fileno())
            self.bound.close()
            self.bound = None


async def over_tcp(
    data: bytes, upstreams: Sequence[str], *, port: int = PORT, timeout_s: float = TIMEOUT_S
) -> bytes | None:
    for address in upstreams:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            async with asyncio.timeout(timeout_s):
                reader, writer = await asyncio.open_connection(address, port)
                try:
                    writer.write(len(data).to_bytes(2, "big") + data)
                    answer = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
                finally:
                    writer.close()
            if dns.is_answer_to(data, answer):
                return answer
    return None
