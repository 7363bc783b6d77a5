"""Ports of the host that containers have: which are taken, and the sockets that keep others from taking them.

Every published port is held by a bound socket of the engine's, so that programs of the host and containers cannot be given the same one.
Packets do not come to it, since rules send them on to the container; what rules cannot send on does (see `relay`).
"""

import contextlib
import errno
import os
import socket
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from wharfd.model.errors import Internal
from wharfd.model.network import HostPort, PortWish

ALL_IPV4, ALL_IPV6 = "0.0.0.0", "::"
LOCAL_RANGE = "/proc/sys/net/ipv4/ip_local_port_range"
KINDS = {
    "tcp": (socket.SOCK_STREAM, 0),
    "udp": (socket.SOCK_DGRAM, 0),
    "sctp": (socket.SOCK_STREAM, socket.IPPROTO_SCTP),
}
BACKLOG = 128


class PortTaken(Internal):
    """By another container."""

    def __init__(self, address: str, port: int) -> None:
        super().__init__(f"Bind for {address}:{port} failed: port is already allocated")


class PortRefused(Internal):
    """By the kernel: another program has it, or the address is not the host's."""


@dataclass(frozen=True, slots=True)
class Held:
    """`socket` is None where the kernel has no sockets of that protocol, or no port of the host is needed."""

    port: HostPort
    socket: socket.socket | None


class HostPorts:
    """Methods block for microseconds a port.  Used by one caller at a time."""

    def __init__(self) -> None:
        self.taken: dict[tuple[str, int], list[str]] = {}  # protocol and port -> addresses
        self.cursor = 0

    def reserve(
        self,
        wishes: Sequence[PortWish],
        default_address: str,
        container: Sequence[str],
        direct: Collection[int] = (),
    ) -> list[Held]:
        """All or none.  `container`: the container's addresses.

        `direct`: the families of which the container's own port is reached at its own address, so that the host needs none.

        Raises:
            PortTaken, PortRefused.
        """
        held: list[Held] = []
        try:
            for wish in wishes:
                addresses = addresses_of(wish.host_ip or default_address)
                at_host = [each for each in addresses if ip_address(each).version not in direct]
                if at_host:
                    held += self.reserve_one(wish, at_host, container)
                for each in addresses:
                    if each not in at_host and any((":" in own) == (":" in each) for own in container):
                        free = HostPort(port=wish.port, protocol=wish.protocol, host_ip=each, host_port=0)
                        held.append(Held(free, None))
        except BaseException:
            self.release(held)
            raise
        return held

    def reserve_one(self, wish: PortWish, addresses: Sequence[str], container: Sequence[str]) -> list[Held]:
        failure: Internal = Internal("all ports are allocated")
        for number in self.numbers(wish):
            try:
                held = self.take(wish.port, wish.protocol, addresses, number, container)
            except (PortTaken, PortRefused) as e:
                failure = e
                continue
            if not wish.first:
                self.cursor = number + 1
            return held
        raise failure

    def numbers(self, wish: PortWish) -> Iterator[int]:
        if wish.first:
            yield from range(wish.first, wish.last + 1 if wish.last else wish.first + 1)
            return
        low, high = local_range()
        start = self.cursor if low <= self.cursor <= high else low
        yield from range(start, high + 1)
        yield from range(low, start)

    def retake(self, ports: Sequence[HostPort]) -> list[Held]:
        """What a container has from before the engine's start.  A port that somebody else has by now stays without a socket."""
        held = []
        for port in ports:
            bound = None
            if not port.host_port:
                held.append(Held(port, bound))
                continue
            self.taken.setdefault((port.protocol, port.host_port), []).append(port.host_ip)
            with contextlib.suppress(OSError):
                bound = bind(port.protocol, port.host_ip, port.host_port)
            held.append(Held(port, bound))
        return held

    def take(
        self, port: int, protocol: str, addresses: Sequence[str], number: int, container: Sequence[str]
    ) -> list[Held]:
        for address in addresses:
            holder = self.holder(protocol, number, address)
            if holder:
                raise PortTaken(holder, number)
        held: list[Held] = []
        try:
            for address in addresses:
                try:
                    bound = bind(protocol, address, number)
                except OSError as e:
                    if address == ALL_IPV6 and e.errno in {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}:
                        continue  # a host without IPv6
                    target = f"{address}:{number}:{container[0] if container else ''}:{port}/{protocol}"
                    words = os.strerror(e.errno or 0).lower() if e.errno != errno.EADDRNOTAVAIL else UNASSIGNABLE
                    raise PortRefused(f"failed to bind host port for {target}: {words}") from e
                self.taken.setdefault((protocol, number), []).append(address)
                held.append(Held(HostPort(port=port, protocol=protocol, host_ip=address, host_port=number), bound))
        except BaseException:
            self.release(held)
            raise
        return held

    def holder(self, protocol: str, number: int, address: str) -> str:
        """The address at which a container has it, if that and `address` exclude each other."""
        for other in self.taken.get((protocol, number), ()):
            if (":" in other) == (":" in address) and (other == address or {ALL_IPV4, ALL_IPV6} & {other, address}):
                return other
        return ""

    def release(self, held: Sequence[Held]) -> None:
        for each in held:
            if each.socket is not None:
                each.socket.close()
            key = (each.port.protocol, each.port.host_port)
            addresses = self.taken.get(key, [])
            with contextlib.suppress(ValueError):
                addresses.remove(each.port.host_ip)
            if not addresses:
                self.taken.pop(key, None)


UNASSIGNABLE = "cannot assign requested address"


def addresses_of(host_ip: str) -> list[str]:
    return [str(ip_address(host_ip))] if host_ip else [ALL_IPV4, ALL_IPV6]


def bind(protocol: str, address: str, port: int) -> socket.socket | None:
    """A socket at that port, listening if the protocol has connections.  Raises OSError."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    kind, number = KINDS[protocol]
    try:
        bound = socket.socket(family, kind, number)
    except OSError as e:
        if protocol == "sctp" and e.errno in {errno.EPROTONOSUPPORT, errno.ESOCKTNOSUPPORT}:
            return None
        raise
    try:
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if protocol == "tcp":
            # Old connections of an earlier listener do not keep the port; another listener does.
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setblocking(False)
        bound.bind((address, port))
        if protocol == "tcp":
            bound.listen(BACKLOG)
    except BaseException:
        bound.close()
        raise
    return bound


def local_range() -> tuple[int, int]:
    """Ports that nobody asks for by number."""
    try:
        with open(LOCAL_RANGE) as file:
            low, high = file.read().split()
        return int(low), int(high)
    except (OSError, ValueError):
        return 32768, 60999
