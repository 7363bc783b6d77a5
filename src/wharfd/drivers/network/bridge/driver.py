"""The bridge driver: makes bridges, plugs sandboxes in, hands out addresses.

An endpoint is a veth pair: one end, named after the endpoint, on the bridge; the other, `eth0`, in the sandbox.  It costs about a
millisecond by raw rtnetlink.  Deleting a link makes the kernel wait for its readers (some 10 ms) with the lock held that every network
change needs, so `detach` leaves the pair to the end of the namespace, which takes many down at once; what is still there a moment later
(a disconnect while running) is deleted in one batch.
"""

import asyncio
import contextlib
import errno
import logging
import os
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Interface, IPv4Network, ip_address, ip_interface, ip_network

from wharfd.drivers.network.bridge.firewall import Firewall
from wharfd.drivers.network.predefined import predefined
from wharfd.model.errors import Internal, NotImplementedHere, Unavailable
from wharfd.model.ids import NetworkId
from wharfd.model.network import Endpoint, EndpointRequest, IPAMPool, NetworkRecord
from wharfd.ports.clock import Clock
from wharfd.sys import netns
from wharfd.sys.blocking import Pool
from wharfd.sys.netlink import Netlink, broadcast_of
from wharfd.wire import rtnetlink
from wharfd.wire.ipam import AddressPool, Subnet, free_subnet, mac_of, parse_bip
from wharfd.wire.rtnetlink import LinkSpec

log = logging.getLogger(__name__)

BRIDGE_NAME = "com.docker.network.bridge.name"
MTU = "com.docker.network.driver.mtu"
LINGER_S = 0.5  # how long a link may outlive its endpoint before it is deleted by hand


def veth_name(endpoint_id: str) -> str:
    return "veth" + endpoint_id[:7]


class BridgeNetwork:
    """Satisfies `ports.network.NetworkDriver`."""

    needs_sandbox = True

    def __init__(  # every setting of the default bridge
        self,
        *,
        pool: Pool,
        clock: Clock,
        bridge: str,
        bip: str = "",
        mtu: int = 1500,
        table: str = "wharfd",
        ip_masq: bool = True,
        icc: bool = True,
    ) -> None:
        self.pool = pool
        self.clock = clock
        self.bridge = bridge
        self.bip = bip
        self.mtu = mtu
        self.ip_masq = ip_masq
        self.icc = icc
        self.firewall = Firewall(table)
        self.netlink: Netlink | None = None
        self.networks: dict[NetworkId, NetworkRecord] = {}
        self.indexes: dict[NetworkId, int] = {}
        self.addresses: dict[NetworkId, list[AddressPool]] = {}
        self.going: list[str] = []  # host ends whose endpoint is gone
        self.sweep: asyncio.TimerHandle | None = None
        self.sweeping: asyncio.Future[None] | None = None

    # Networks

    async def open(self, networks: Sequence[NetworkRecord], endpoints: Mapping[str, Sequence[Endpoint]]) -> None:
        self.netlink = Netlink()
        for network in networks:
            self.take_up(network, endpoints.get(network.id, ()))
        await self.pool.run(self.heal, list(networks), {e.endpoint_id for es in endpoints.values() for e in es})

    def take_up(self, network: NetworkRecord, endpoints: Sequence[Endpoint] = ()) -> None:
        self.networks[network.id] = network
        pools = self.addresses[network.id] = [AddressPool(pool) for pool in network.pools]
        for endpoint in endpoints:
            for pool in pools:
                for address in (endpoint.ipv4, endpoint.ipv6):
                    if address and ip_address(address) in pool.subnet:
                        pool.claim(address)

    def heal(self, networks: Sequence[NetworkRecord], endpoint_ids: set[str]) -> None:
        """Bridges, addresses and rules as the records say; links on our bridges that no record explains go."""
        for network in networks:
            self.make_bridge(network)
        bridges = set(self.indexes.values())
        known = {veth_name(endpoint_id) for endpoint_id in endpoint_ids}
        stray = [link.index for link in self.near.links() if link.master in bridges and link.name not in known]
        for index in stray:
            with contextlib.suppress(OSError):
                self.near.delete_link(index)
        self.apply_rules()

    def apply_rules(self) -> None:
        self.firewall.apply([(network, self.bridge_of(network)) for network in self.networks.values()])

    @property
    def near(self) -> Netlink:
        if self.netlink is None:
            raise Internal("the bridge driver is not open")
        return self.netlink

    def bridge_of(self, network: NetworkRecord) -> str:
        return network.options.get(BRIDGE_NAME) or "br-" + network.id[:12]

    def make_bridge(self, network: NetworkRecord) -> None:
        name = self.bridge_of(network)
        mtu = int(network.options.get(MTU) or self.mtu)
        try:
            link = self.near.find_link(name)
            if link is None:
                self.near.create_bridge(name, mtu=mtu, up=True)
                link = self.near.link(name)
            elif link.kind != "bridge":
                raise Unavailable(f"cannot use {name} as a bridge: there is a link of that name and another kind")
            have = {str(address.interface) for address in self.near.addresses(index=link.index)}
            for pool in network.pools:
                gateway = ip_interface(f"{pool.gateway}/{ip_network(pool.subnet).prefixlen}")
                if str(gateway) not in have:
                    self.near.add_address(link.index, gateway, no_dad=True)
            for old in have - {f"{p.gateway}/{ip_network(p.subnet).prefixlen}" for p in network.pools}:
                if ip_interface(old).version == 4:
                    self.near.delete_address(link.index, ip_interface(old))
            self.near.set_link(link.index, up=True)
            self.indexes[network.id] = link.index
            allow_forwarding()
        except OSError as e:
            raise Unavailable(f"cannot make bridge {name}: {e}") from e

    async def close(self) -> None:
        if self.sweep is not None:
            self.sweep.cancel()
            self.sweep = None
        if self.sweeping is not None:
            await asyncio.wait([self.sweeping])
        if self.going:
            await self.pool.run(self.delete_lingering)
        if self.netlink is not None:
            self.netlink.close()
            self.netlink = None

    async def default_network(self, name: str) -> NetworkRecord:
        if self.bip:
            pools = [parse_bip(self.bip)]
        else:
            subnet = free_subnet(await self.pool.run(self.routed))
            pools = [IPAMPool(subnet=str(subnet), gateway=str(subnet.network_address + 1))]
        options = {
            "com.docker.network.bridge.default_bridge": "true",
            "com.docker.network.bridge.enable_icc": "true" if self.icc else "false",
            "com.docker.network.bridge.enable_ip_masquerade": "true" if self.ip_masq else "false",
            "com.docker.network.bridge.host_binding_ipv4": "0.0.0.0",
            BRIDGE_NAME: self.bridge,
            MTU: str(self.mtu),
        }
        return predefined(name, "bridge", self.clock.now_ns(), pools, options)

    def routed(self) -> list[Subnet]:
        """What the host reaches without its default route, an old bridge of the same name left out."""
        with Netlink() as netlink:
            own = netlink.find_link(self.bridge)
            return [
                route.destination
                for route in netlink.routes()
                if isinstance(route.destination, IPv4Network) and (own is None or route.oif != own.index)
            ]

    async def create_network(self, network: NetworkRecord) -> NetworkRecord:
        if not network.predefined:
            raise NotImplementedHere("networks of one's own are not built yet")
        self.take_up(network)
        await self.pool.run(self.heal, [network], set())
        return network

    async def delete_network(self, network: NetworkRecord) -> None:
        raise NotImplementedHere("networks of one's own are not built yet")

    # Endpoints

    async def attach(self, network: NetworkRecord, request: EndpointRequest, sandbox_key: str) -> Endpoint:
        pools = self.addresses.get(network.id)
        if pools is None:
            raise Unavailable(f"network {network.name} is not set up")
        pool = next(p for p in pools if p.subnet.version == 4)
        address = pool.allocate(request.ipv4)
        endpoint = Endpoint(
            endpoint_id=request.endpoint_id,
            ipv4=address,
            ipv4_prefix=pool.prefix_length,
            gateway=next(p.gateway for p in network.pools if ":" not in p.subnet),
            mac=request.mac or mac_of(address),
        )
        try:
            await self.pool.run(self.plug, network, request, endpoint, sandbox_key)
        except BaseException:
            pool.release(address)
            raise
        return endpoint

    def plug(self, network: NetworkRecord, request: EndpointRequest, endpoint: Endpoint, sandbox_key: str) -> None:
        name = veth_name(endpoint.endpoint_id)
        mtu = int(network.options.get(MTU) or self.mtu)
        try:
            fd = netns.open_fd(sandbox_key)
            try:
                near = LinkSpec(name=name, mtu=mtu, master=self.indexes[network.id], up=True)
                far = LinkSpec(name=request.interface, mac=endpoint.mac, mtu=mtu, netns_fd=fd)
                self.near.create_veth(near, far)
                try:
                    self.configure(request, endpoint, fd)
                except BaseException:
                    with contextlib.suppress(OSError):
                        self.near.delete_link(name)
                    raise
            finally:
                os.close(fd)
        except OSError as e:
            raise Internal(f"failed to set up container networking: {e}") from e

    def configure(self, request: EndpointRequest, endpoint: Endpoint, fd: int) -> None:
        with Netlink.in_netns(fd) as inside:
            index = inside.link(request.interface).index
            address = IPv4Interface(f"{endpoint.ipv4}/{endpoint.ipv4_prefix}")
            changes = [
                rtnetlink.set_link(index, up=True),
                rtnetlink.new_address(index, address, broadcast=broadcast_of(address)),
            ]
            if request.is_gateway and endpoint.gateway:
                default = IPv4Network("0.0.0.0/0")
                changes.append(rtnetlink.new_route(default, gateway=ip_address(endpoint.gateway), oif=index))
            inside.execute(changes)

    async def detach(self, network: NetworkRecord, endpoint: Endpoint, sandbox_key: str) -> None:
        for pool in self.addresses.get(network.id, ()):
            for address in (endpoint.ipv4, endpoint.ipv6):
                if address and ip_address(address) in pool.subnet:
                    pool.release(address)
        self.going.append(veth_name(endpoint.endpoint_id))
        if self.sweep is None and self.sweeping is None:
            self.sweep = asyncio.get_running_loop().call_later(LINGER_S, self.start_sweep)

    def start_sweep(self) -> None:
        self.sweep = None
        self.sweeping = asyncio.ensure_future(self.pool.run(self.delete_lingering))  # noqa: TID251 - owned here, awaited in close
        self.sweeping.add_done_callback(self.swept)

    def swept(self, done: asyncio.Future[None]) -> None:
        self.sweeping = None
        if not done.cancelled() and done.exception() is not None:
            log.warning("links not deleted: error=%s", done.exception())
        if self.going and self.sweep is None:
            self.sweep = asyncio.get_running_loop().call_later(LINGER_S, self.start_sweep)

    def delete_lingering(self) -> None:
        names, self.going = self.going, []
        for name in names:
            try:
                self.near.delete_link(name)
            except OSError as e:
                if e.errno != errno.ENODEV:
                    log.warning("link=%s not deleted: error=%s", name, e)


def allow_forwarding() -> None:
    """Linux: packets pass between bridge and world only with this set (networking/ip-sysctl)."""
    path = "/proc/sys/net/ipv4/ip_forward"
    with open(path) as file:
        if file.read().strip() == "1":
            return
    with open(path, "w") as file:
        file.write("1")
