"""Published ports: the host's port is held, a rule sends its packets on, and a relay carries what no rule can.

Each endpoint that has ports is here by its id until they are withdrawn.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address

from wharfd.drivers.network.bridge.firewall import Element, Forward, own_element
from wharfd.drivers.network.bridge.hostports import Held, HostPorts
from wharfd.drivers.network.bridge.relay import TcpRelay, UdpRelay
from wharfd.model.errors import Internal
from wharfd.model.network import Endpoint, HostPort, PortWish
from wharfd.sys.blocking import Pool
from wharfd.sys.conntrack import forget_udp

log = logging.getLogger(__name__)

ChangeRules = Callable[[Sequence[Element], Sequence[Element]], Awaitable[None]]


@dataclass(slots=True)
class Published:
    held: list[Held]
    elements: list[Element]
    relays: list[TcpRelay | UdpRelay] = field(default_factory=list)

    @property
    def ports(self) -> list[HostPort]:
        return [each.port for each in self.held]


class Publisher:
    def __init__(self, pool: Pool, change_rules: ChangeRules, *, relays_all: bool = False) -> None:
        """`relays_all`: what comes from outside is not sent on by rules."""
        self.relays_all = relays_all
        self.pool = pool
        self.change_rules = change_rules
        self.book = HostPorts()
        self.booking = asyncio.Lock()
        self.published: dict[str, Published] = {}

    async def publish(
        self,
        endpoint: Endpoint,
        wishes: Sequence[PortWish],
        default_address: str,
        name: str,
        direct: Collection[int] = (),
    ) -> Published:
        """`direct`: families of a network that is routed.  Raises Internal with dockerd's text: a port is taken, or is not the host's."""
        addresses = [address for address in (endpoint.ipv4, endpoint.ipv6) if address]
        published = Published([], [])
        try:
            async with self.booking:
                published.held = await self.pool.run(self.book.reserve, wishes, default_address, addresses, direct)
        except Internal as e:
            text = f"driver failed programming external connectivity on endpoint {name} ({endpoint.endpoint_id}): "
            raise e.prefixed(text) from e
        self.published[endpoint.endpoint_id] = published
        try:
            published.elements = elements_of(endpoint, published.ports)
            await self.change_rules(published.elements, ())
            await self.forget(published.ports)
            await self.open_relays(endpoint, published)
        except BaseException:
            await self.withdraw(endpoint.endpoint_id)
            raise
        return published

    async def resume(self, endpoints: Sequence[Endpoint]) -> list[Element]:
        """After a start of the engine.  Returns what the rules must hold."""
        found: list[Element] = []
        for endpoint in endpoints:
            if not endpoint.ports:
                continue
            held = self.book.retake(endpoint.ports)
            published = self.published[endpoint.endpoint_id] = Published(held, elements_of(endpoint, endpoint.ports))
            found += published.elements
            await self.open_relays(endpoint, published)
        return found

    async def open_relays(self, endpoint: Endpoint, published: Published) -> None:
        for each in published.held:
            if each.socket is None:
                continue
            is_ipv6 = ":" in each.port.host_ip
            address = endpoint.ipv6 if is_ipv6 and endpoint.ipv6 else endpoint.ipv4
            if not address:
                continue
            if each.port.protocol == "tcp":
                tcp = TcpRelay(each.socket.dup(), address, each.port.port)
                published.relays.append(tcp)
                await tcp.open()
            elif each.port.protocol == "udp" and (is_ipv6 or self.relays_all):
                udp = UdpRelay(each.socket.dup(), address, each.port.port)
                published.relays.append(udp)
                await udp.open()

    async def withdraw(self, endpoint_id: str) -> None:
        """Idempotent."""
        published = self.published.pop(endpoint_id, None)
        if published is None:
            return
        try:
            await self.change_rules((), published.elements)
            await self.forget(published.ports)
        finally:
            self.end(published)

    async def forget(self, ports: Sequence[HostPort]) -> None:
        """Datagrams of a flow that is known go on to where its first one went: to a container that is gone, or to the host itself."""
        for port in ports:
            if port.protocol != "udp" or not port.host_port:
                continue
            address = ip_address(port.host_ip)
            addresses = () if address.is_unspecified else (address,)
            try:
                await self.pool.run(forget_udp, port.host_port, addresses, is_ipv6=address.version == 6)
            except OSError as error:
                log.warning("flows to udp port=%d are not forgotten: error=%s", port.host_port, error)

    def end(self, published: Published) -> None:
        for relay in published.relays:
            relay.close()
        with contextlib.suppress(OSError):
            self.book.release(published.held)

    def close(self) -> None:
        """The engine goes; rules stay, since containers do."""
        for published in self.published.values():
            self.end(published)
        self.published.clear()


def elements_of(endpoint: Endpoint, ports: Sequence[HostPort]) -> list[Element]:
    found: list[Element] = []
    for port in ports:
        address = endpoint.ipv6 if ":" in port.host_ip else endpoint.ipv4
        if address:
            forward = Forward(
                protocol=port.protocol,
                host_ip=port.host_ip,
                host_port=port.host_port,
                address=address,
                port=port.port,
            )
            found.append(forward.element())
            if port.host_port:
                found.append(own_element(address))
    return list(dict.fromkeys(found))
