"""The drivers macvlan and ipvlan: containers on the wire of a link of the host, beside it and not behind it.

Nothing is translated and no port published: whoever is on the wire reaches the container at its own address.  Linux: only the host
itself does not, since a parent and its links do not talk with each other.

A parent `eth0.10` that does not exist is made (the VLAN 10 of `eth0`) and goes with the last network on it; without a parent there is
one that leads nowhere.
"""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from wharfd.drivers.network import interfaces
from wharfd.drivers.network.ipam import Given, Ipam
from wharfd.drivers.network.macvlan import wires
from wharfd.drivers.network.macvlan.options import IPVLAN, WireOptions, parse_options
from wharfd.model.errors import EngineError, Forbidden, Internal, InvalidParameter, Unavailable
from wharfd.model.ids import NetworkId
from wharfd.model.network import Endpoint, EndpointRequest, NetworkRecord, PortWish
from wharfd.sys.blocking import Pool
from wharfd.sys.netlink import Netlink
from wharfd.wire.endpointopts import settings_of
from wharfd.wire.ipam import mac_of

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Net:
    """A network that is taken up."""

    record: NetworkRecord
    options: WireOptions
    parent: str
    endpoints: set[str] = field(default_factory=set)

    @property
    def has_gateway(self) -> bool:
        return not self.record.internal and not self.options.is_routed


class WireNetwork:
    """Satisfies `ports.network.NetworkDriver`.  `kind` is macvlan or ipvlan; `owner` marks what this engine has made.

    `users` of parents, by their names, are shared by both kinds.
    """

    needs_sandbox = True

    def __init__(self, kind: str, *, pool: Pool, ipam: Ipam, owner: str, users: dict[str, set[NetworkId]]) -> None:
        self.kind = kind
        self.pool = pool
        self.ipam = ipam
        self.owner = owner
        self.users = users
        self.netlink: Netlink | None = None
        self.nets: dict[NetworkId, Net] = {}

    async def open(self, networks: Sequence[NetworkRecord], endpoints: Mapping[str, Sequence[Endpoint]]) -> None:
        self.netlink = Netlink()
        for record in networks:
            try:
                net = self.take_up(record, endpoints.get(record.id, ()))
                await self.pool.run(self.ensure_parent, net)
            except EngineError as error:
                log.error("network=%s not taken up: error=%s", record.id, error)

    async def close(self) -> None:
        for network_id in list(self.nets):
            self.let_go(network_id)
        if self.netlink is not None:
            self.netlink.close()
            self.netlink = None

    async def default_network(self, name: str, known: NetworkRecord | None = None) -> NetworkRecord:
        raise Internal(f"there is no predefined network of the driver {self.kind}")

    @property
    def near(self) -> Netlink:
        if self.netlink is None:
            raise Internal(f"the driver {self.kind} is not open")
        return self.netlink

    def take_up(self, record: NetworkRecord, endpoints: Sequence[Endpoint] = ()) -> Net:
        """Raises Forbidden, InvalidParameter."""
        options = parse_options(self.kind, record.options)
        self.ipam.take_up(record, endpoints)
        # Docker: a parent of the network's own is named so.
        net = self.nets[record.id] = Net(record, options, options.parent or f"dm-{record.id[:12]}")
        net.endpoints.update(endpoint.endpoint_id for endpoint in endpoints)
        self.users.setdefault(net.parent, set()).add(record.id)
        return net

    def let_go(self, network_id: NetworkId) -> None:
        net = self.nets.pop(network_id, None)
        if net is not None:
            self.users[net.parent].discard(network_id)
        self.ipam.let_go(network_id)

    def ensure_parent(self, net: Net) -> int:
        is_own = not net.options.parent
        try:
            return wires.ensure_parent(self.near, net.parent, owner=self.owner, is_own=is_own)
        except OSError as e:
            raise Internal(f"network {net.record.name}: parent {net.parent}: {e}") from e

    async def create_network(self, network: NetworkRecord) -> NetworkRecord:
        options = parse_options(self.kind, network.options)
        self.check_parent(options)
        routes = await self.pool.run(interfaces.foreign_routes, set())
        # Docker: where there is no way out, no address is kept for it either.
        without = (4, 6) if network.internal or options.is_routed else ()
        network = msgspec.structs.replace(network, pools=self.ipam.filled(network, routes, without_gateway=without))
        net = self.take_up(network)
        try:
            await self.pool.run(self.ensure_parent, net)
        except BaseException:
            self.let_go(network.id)
            raise
        return network

    def check_parent(self, options: WireOptions) -> None:
        """Linux: who has a link to itself shares it with nobody."""
        for net in self.nets.values():
            if not options.parent or net.parent != options.parent:
                continue
            if options.is_exclusive:
                raise InvalidParameter(
                    f"cannot use mode passthru, {self.kind} network {net.record.id} is already using parent interface "
                    f"{net.parent}"
                )
            if net.options.is_exclusive:
                raise InvalidParameter(
                    f"{self.kind} network {net.record.id} is already using parent interface {net.parent} in mode passthru"
                )

    async def delete_network(self, network: NetworkRecord) -> None:
        net = self.nets.get(network.id)
        if net is None:
            return
        if net.endpoints:
            raise Forbidden(f"network {network.name} has active endpoints")
        self.let_go(network.id)
        if not self.users[net.parent]:
            del self.users[net.parent]
            await self.pool.run(lambda: wires.drop_parent(self.near, net.parent, owner=self.owner))

    # Endpoints

    def net(self, network: NetworkRecord) -> Net:
        net = self.nets.get(network.id)
        if net is None:
            raise Unavailable(f"network {network.name} is not set up")
        return net

    async def attach(self, network: NetworkRecord, request: EndpointRequest, sandbox_key: str) -> Endpoint:
        net = self.net(network)
        if self.kind == IPVLAN or net.options.is_exclusive:
            # Linux: these have their parent's MAC address.
            request = msgspec.structs.replace(request, mac="")
        endpoint = self.ipam.addressed(
            network,
            request,
            has_gateway=net.has_gateway,
            make_mac=no_mac if self.kind == IPVLAN or net.options.is_exclusive else make_mac,
        )
        net.endpoints.add(endpoint.endpoint_id)
        try:
            await self.pool.run(self.plug, net, endpoint, sandbox_key, request.driver_opts)
        except BaseException:
            self.release(network.id, endpoint)
            raise
        return endpoint

    def plug(self, net: Net, endpoint: Endpoint, sandbox_key: str, asked: Mapping[str, str]) -> None:
        """Raises InvalidParameter, NotImplementedHere, Internal."""
        try:
            wires.plug(
                self.near,
                endpoint,
                sandbox_key,
                parent=self.ensure_parent(net),
                options=net.options,
                settings=settings_of(asked, endpoint.interface),
            )
        except InvalidParameter as e:
            raise e.prefixed(f"failed to add interface {endpoint.interface} to sandbox: ") from e
        except OSError as e:
            raise Internal(f"cannot plug {endpoint.interface} into network {net.record.name}: {e}") from e

    def release(self, network_id: NetworkId, endpoint: Endpoint) -> None:
        net = self.nets.get(network_id)
        if net is not None and endpoint.endpoint_id in net.endpoints:
            net.endpoints.discard(endpoint.endpoint_id)
            self.ipam.release(network_id, endpoint)

    async def detach(self, network: NetworkRecord, endpoint: Endpoint, sandbox_key: str) -> None:
        await self.unplug(network, endpoint, sandbox_key)

    async def unplug(self, network: NetworkRecord, endpoint: Endpoint, sandbox_key: str) -> None:
        await self.pool.run(wires.unplug, endpoint.interface, sandbox_key)
        self.release(network.id, endpoint)

    async def lead(
        self, network: NetworkRecord, endpoint: Endpoint, sandbox_key: str, ports: Sequence[PortWish], name: str
    ) -> Endpoint:
        onlink = self.net(network).options.is_routed
        try:
            await self.pool.run(interfaces.set_default_routes, endpoint, sandbox_key, onlink=onlink)
        except OSError as e:
            raise Internal(f"cannot set the default route by network {network.name}: {e}") from e
        return msgspec.structs.replace(endpoint, is_gateway=True)

    async def yield_lead(self, network: NetworkRecord, endpoint: Endpoint, sandbox_key: str) -> Endpoint:
        try:
            await self.pool.run(interfaces.clear_default_routes, sandbox_key)
        except OSError as e:
            raise Internal(f"cannot clear the default route by network {network.name}: {e}") from e
        return msgspec.structs.replace(endpoint, is_gateway=False)


def make_mac(given: Given) -> str:
    """Docker: any; here it follows the IPv4 address, so that neighbours that know the one know the other."""
    return mac_of(given[4][1]) if 4 in given else "02:42:" + os.urandom(4).hex(":")


def no_mac(_: Given) -> str:
    return ""
