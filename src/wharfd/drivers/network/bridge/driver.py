"""The bridge driver: makes bridges, plugs sandboxes in, hands out addresses, publishes ports.

An endpoint is a veth pair: one end, named after the endpoint, on the bridge; the other, `eth0`, in the sandbox.  It costs about a
millisecond by raw rtnetlink.  Deleting a link makes the kernel wait for its readers (some 10 ms) with the lock held that every network
change needs, so `detach` leaves the pair to the end of the namespace, which takes many down at once; what is still there a moment later
is deleted by the sweeper (`sweep.py`), and so is the bridge of a network that is gone.

State of the driver changes on the loop only, before what the kernel has to do begins; a network that is being deleted takes no more
endpoints.
"""

import asyncio
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_network

import msgspec

from wharfd.drivers.network import interfaces
from wharfd.drivers.network.bridge import links
from wharfd.drivers.network.bridge.defaults import BridgeDefaults
from wharfd.drivers.network.bridge.firewall import Element, Firewall, elements_of_network
from wharfd.drivers.network.bridge.guard import Guard
from wharfd.drivers.network.bridge.links import veth_name
from wharfd.drivers.network.bridge.openings import TABLES as OTHERS
from wharfd.drivers.network.bridge.openings import Openings
from wharfd.drivers.network.bridge.options import (
    BridgeOptions,
    GatewayMode,
    check_isolation,
    parse_options,
    same_bridge,
)
from wharfd.drivers.network.bridge.publish import Published, Publisher
from wharfd.drivers.network.bridge.sweep import Sweeper
from wharfd.drivers.network.ipam import Given, Ipam, is_used
from wharfd.drivers.network.predefined import predefined
from wharfd.model.errors import EngineError, Forbidden, Internal, InvalidParameter, Unavailable
from wharfd.model.ids import NetworkId
from wharfd.model.network import Endpoint, EndpointRequest, IPAMPool, NetworkRecord, PortWish
from wharfd.ports.clock import Clock
from wharfd.sys.blocking import Pool
from wharfd.sys.netlink import Netlink
from wharfd.sys.routewatch import RouteWatch
from wharfd.wire.endpointopts import settings_of
from wharfd.wire.ipam import mac_of

__all__ = ["BridgeNetwork", "veth_name"]

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Net:
    """A network that is taken up."""

    record: NetworkRecord
    options: BridgeOptions
    bridge: str
    mtu: int
    index: int = 0
    endpoints: set[str] = field(default_factory=set)

    def elements(self) -> list[Element]:
        """Of the firewall's sets."""
        return elements_of_network(self.bridge, self.options, internal=self.record.internal)

    @property
    def routed(self) -> list[int]:
        """Families whose containers are reached at their own addresses."""
        return [version for version in (4, 6) if self.options.mode(version) is GatewayMode.ROUTED]


class BridgeNetwork:
    """Satisfies `ports.network.NetworkDriver`."""

    needs_sandbox = True

    def __init__(self, *, pool: Pool, clock: Clock, defaults: BridgeDefaults, ipam: Ipam) -> None:
        self.pool = pool
        self.clock = clock
        self.defaults = defaults
        self.owner = table = defaults.table
        self.firewall = Firewall(table, obey_input=defaults.obey_input)
        self.rules = asyncio.Lock()
        self.openings = Openings(pool)
        self.guard = Guard({table: self.restore_rules, **dict.fromkeys(OTHERS, self.openings.make)})
        self.publisher = Publisher(self.pool, self.change_rules, relays_all=defaults.obey_input)
        self.netlink: Netlink | None = None
        self.routes: RouteWatch | None = None
        self.nets: dict[NetworkId, Net] = {}
        self.bridges: dict[str, NetworkId] = {}
        self.ipam = ipam
        self.sweeper = Sweeper(pool, lambda: self.near)

    # Networks

    async def open(self, networks: Sequence[NetworkRecord], endpoints: Mapping[str, Sequence[Endpoint]]) -> None:
        self.netlink = Netlink()
        self.routes = RouteWatch()
        elements: list[Element] = []
        for record in networks:
            try:
                net = self.take_up(record, endpoints.get(record.id, ()))
            except EngineError as error:
                log.error("network=%s not taken up: error=%s", record.id, error)
                continue
            elements += net.elements()
        known = {endpoint.endpoint_id for each in endpoints.values() for endpoint in each}
        for name in await self.pool.run(self.heal, list(self.nets.values()), known):
            await self.pool.run(links.drop_addresses, self.near, name)
            self.sweeper.bridge(name)
        for network_id, each in endpoints.items():
            if network_id in self.nets:
                elements += await self.publisher.resume(each)
        async with self.rules:
            self.firewall.elements = {(kind, key): value for kind, key, value in elements}
            await self.pool.run(self.firewall.apply)
        self.guard.open()
        await self.openings.make()

    def take_up(self, record: NetworkRecord, endpoints: Sequence[Endpoint] = ()) -> Net:
        """Its subnets and addresses are taken from here on.  Raises Forbidden, InvalidParameter."""
        options = parse_options(record.options)
        bridge = options.bridge or "br-" + record.id[:12]
        holder = self.bridges.get(bridge)
        if holder is not None and holder != record.id:
            raise same_bridge(record.id, holder, bridge)
        self.ipam.take_up(record, endpoints)
        self.sweeper.keep(bridge)
        net = Net(record, options, bridge, options.mtu or self.defaults.mtu)
        net.endpoints.update(endpoint.endpoint_id for endpoint in endpoints)
        self.nets[record.id] = net
        self.bridges[bridge] = record.id
        return net

    def let_go(self, net: Net) -> None:
        self.nets.pop(net.record.id, None)
        self.bridges.pop(net.bridge, None)
        self.ipam.let_go(net.record.id)

    def heal(self, nets: Sequence[Net], endpoint_ids: set[str]) -> list[str]:
        """Bridges and addresses as the records say; links on them that no record explains go.  Returns bridges of ours like that."""
        for net in nets:
            try:
                self.make_bridge(net)
            except EngineError as error:
                log.error("network=%s has no bridge: error=%s", net.record.id, error)
        ours, ports = links.own_links(self.near, self.owner)
        known = {veth_name(endpoint_id) for endpoint_id in endpoint_ids}
        indexes = {net.index for net in nets} | set(ours.values())
        stray = [name for name, master in ports.items() if master in indexes and name not in known]
        links.delete_links(self.near, stray)
        return sorted(ours.keys() - {net.bridge for net in nets})

    @property
    def near(self) -> Netlink:
        if self.netlink is None:
            raise Internal("the bridge driver is not open")
        return self.netlink

    def make_bridge(self, net: Net) -> None:
        pools = [pool for pool in net.record.pools if is_used(net.record, pool)]
        if not net.options.has_address:
            pools = [pool for pool in pools if ":" in pool.subnet]
        pools = [pool for pool in pools if ip_network(pool.subnet).version not in isolated(net.options)]
        net.index = links.make_bridge(self.near, net.bridge, pools, mtu=net.mtu, owner=self.owner)

    async def close(self) -> None:
        await self.guard.close()
        self.openings.close()
        self.publisher.close()
        await self.sweeper.close()
        if self.netlink is not None:
            self.netlink.close()
            self.netlink = None
        if self.routes is not None:
            self.routes.close()
            self.routes = None
        for net in list(self.nets.values()):
            self.let_go(net)

    async def default_network(self, name: str, known: NetworkRecord | None = None) -> NetworkRecord:
        routes = await self.pool.run(interfaces.foreign_routes, {self.defaults.bridge, *self.bridges})
        pools = self.defaults.pools(known, self.ipam.subnets, routes)
        network = known or predefined(name, "bridge", self.clock.now_ns())
        return msgspec.structs.replace(
            network, pools=pools, options=self.defaults.options(), enable_ipv6=self.defaults.ipv6
        )

    async def create_network(self, network: NetworkRecord) -> NetworkRecord:
        options = parse_options(network.options)
        check_isolation(options, internal=network.internal)
        network = msgspec.structs.replace(network, pools=await self.filled(network, options))
        net = self.take_up(network)
        try:
            await self.pool.run(self.make_bridge, net)
            await self.change_rules(net.elements(), ())
        except BaseException:
            self.let_go(net)
            await self.pool.run(links.delete_links, self.near, [net.bridge])
            raise
        return network

    async def filled(self, network: NetworkRecord, options: BridgeOptions) -> list[IPAMPool]:
        is_given = not network.enable_ipv4 or any(":" not in pool.subnet for pool in network.pools)
        own = {net.index for net in self.nets.values()}
        routes = [] if is_given or self.routes is None else await self.pool.run(self.routes.networks, own)
        return self.ipam.filled(network, routes, without_gateway=isolated(options))

    async def delete_network(self, network: NetworkRecord) -> None:
        net = self.nets.get(network.id)
        if net is None:
            return
        if net.endpoints:
            raise Forbidden(f"network {network.name} has active endpoints")
        self.let_go(net)
        await self.change_rules((), net.elements())
        if net.options.bridge:  # its name may be wanted again at once
            await self.pool.run(links.delete_bridge, self.near, net.bridge)
            return
        await self.pool.run(links.drop_addresses, self.near, net.bridge)
        self.sweeper.bridge(net.bridge)

    async def change_rules(self, more: Sequence[Element], less: Sequence[Element]) -> None:
        """Raises Unavailable."""
        async with self.rules:
            if less:
                await self.pool.run(self.firewall.remove, less)
            if more:
                await self.pool.run(self.firewall.add, more)

    async def restore_rules(self) -> bool:
        async with self.rules:
            return await self.pool.run(self.firewall.restore)

    # Endpoints

    def net(self, network: NetworkRecord) -> Net:
        net = self.nets.get(network.id)
        if net is None:
            raise Unavailable(f"network {network.name} is not set up")
        return net

    async def attach(self, network: NetworkRecord, request: EndpointRequest, sandbox_key: str) -> Endpoint:
        net = self.net(network)
        endpoint = self.ipam.addressed(network, request, has_gateway=not net.record.internal, make_mac=make_mac)
        net.endpoints.add(endpoint.endpoint_id)
        published: Published | None = None
        try:
            if request.ports and request.is_gateway:
                published = await self.publish(net, endpoint, request.ports, request.name)
            await self.pool.run(self.plug, net, endpoint, sandbox_key, request.driver_opts)
            if published is not None:
                await self.pool.run(self.hairpin, endpoint)
        except BaseException:
            if published is not None:
                await self.publisher.withdraw(endpoint.endpoint_id)
            self.release(net, endpoint)
            raise
        return msgspec.structs.replace(endpoint, ports=published.ports) if published else endpoint

    def plug(self, net: Net, endpoint: Endpoint, sandbox_key: str, asked: Mapping[str, str]) -> None:
        """Raises InvalidParameter, Internal."""
        try:
            links.plug(
                self.near,
                endpoint,
                sandbox_key,
                bridge=net.index,
                mtu=net.mtu,
                isolated=not net.options.icc,
                settings=settings_of(asked, endpoint.interface),
            )
        except InvalidParameter as e:
            raise e.prefixed(f"failed to add interface {veth_name(endpoint.endpoint_id)} to sandbox: ") from e
        except OSError as e:
            raise Internal(f"cannot plug {endpoint.interface} into network {net.record.name}: {e}") from e

    def hairpin(self, endpoint: Endpoint) -> None:
        try:
            links.allow_hairpin(self.near, endpoint.endpoint_id)
        except OSError as e:
            log.warning("endpoint=%s does not reach its own ports: error=%s", endpoint.endpoint_id, e)

    def release(self, net: Net | None, endpoint: Endpoint) -> None:
        if net is None or endpoint.endpoint_id not in net.endpoints:
            return
        net.endpoints.discard(endpoint.endpoint_id)
        self.ipam.release(net.record.id, endpoint)

    async def detach(self, network: NetworkRecord, endpoint: Endpoint, sandbox_key: str) -> None:
        await self.publisher.withdraw(endpoint.endpoint_id)
        self.release(self.nets.get(network.id), endpoint)
        self.sweeper.link(veth_name(endpoint.endpoint_id))

    async def unplug(self, network: NetworkRecord, endpoint: Endpoint, sandbox_key: str) -> None:
        await self.publisher.withdraw(endpoint.endpoint_id)
        await self.pool.run(links.delete_links, self.near, [veth_name(endpoint.endpoint_id)])
        self.release(self.nets.get(network.id), endpoint)

    async def lead(
        self, network: NetworkRecord, endpoint: Endpoint, sandbox_key: str, ports: Sequence[PortWish], name: str
    ) -> Endpoint:
        net = self.net(network)
        published = await self.publish(net, endpoint, ports, name) if ports else None
        try:
            await self.pool.run(interfaces.set_default_routes, endpoint, sandbox_key)
            if published is not None:
                await self.pool.run(self.hairpin, endpoint)
        except BaseException as e:
            if published is not None:
                await self.publisher.withdraw(endpoint.endpoint_id)
            if isinstance(e, OSError):
                raise Internal(f"cannot set the default route by network {network.name}: {e}") from e
            raise
        return msgspec.structs.replace(endpoint, is_gateway=True, ports=published.ports if published else [])

    async def yield_lead(self, network: NetworkRecord, endpoint: Endpoint, sandbox_key: str) -> Endpoint:
        await self.publisher.withdraw(endpoint.endpoint_id)
        try:
            await self.pool.run(interfaces.clear_default_routes, sandbox_key)
        except OSError as e:
            raise Internal(f"cannot clear the default route by network {network.name}: {e}") from e
        return msgspec.structs.replace(endpoint, is_gateway=False, ports=[])

    async def publish(self, net: Net, endpoint: Endpoint, ports: Sequence[PortWish], name: str) -> Published:
        """Docker: an internal network publishes nothing."""
        wishes = [] if net.record.internal else ports
        return await self.publisher.publish(endpoint, wishes, net.options.host_binding, name, net.routed)


def isolated(options: BridgeOptions) -> list[int]:
    """Families in which the bridge has no address."""
    return [version for version in (4, 6) if options.mode(version) is GatewayMode.ISOLATED]


def make_mac(given: Given) -> str:
    return mac_of(given[4][1]) if 4 in given else "02:42:" + os.urandom(4).hex(":")
