"""Sandboxes and networks that give out addresses and are connected to nothing."""

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import msgspec

from wharfd.model.errors import Conflict, Forbidden, InvalidParameter, NotFound
from wharfd.model.network import Endpoint, EndpointRequest, HostPort, IPAMPool, NetworkRecord, PortWish
from wharfd.ports.network import Lookup
from wharfd.testing.builders import a_network
from wharfd.testing.fake import Fake

KEYS = "/fake/netns"


class FakeSandboxes(Fake):
    """Port `network.SandboxDriver`."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: dict[str, str] = {}

    async def open(self) -> None:
        self.enter("open")

    async def close(self) -> None:
        self.enter("close")

    async def create(self, sandbox_id: str) -> str:
        self.enter("create")
        return self.keys.setdefault(sandbox_id, f"{KEYS}/{sandbox_id[:12]}")

    async def destroy(self, sandbox_id: str) -> None:
        self.enter("destroy")
        self.keys.pop(sandbox_id, None)

    async def leftovers(self) -> Sequence[str]:
        self.enter("leftovers")
        return list(self.keys)

    async def interface_stats(self, pid: int) -> dict[str, dict[str, int]]:
        self.enter("interface_stats")
        return {"eth0": {"rx_bytes": 100, "rx_packets": 1, "tx_bytes": 50, "tx_packets": 1}}

    def has_key(self, key: str) -> bool:
        """For other fakes: does this namespace file exist?"""
        return key in self.keys.values()

    def reboot(self) -> None:
        """For tests: the machine went down; no namespace survives that."""
        self.keys.clear()


class FakeNameServers(Fake):
    """Port `network.NameServers`.  `serving[sandbox_id]` is what is asked, and the resolvers behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.serving: dict[str, tuple[Lookup, list[str]]] = {}

    async def serve(self, sandbox_id: str, sandbox_key: str, lookup: Lookup, upstreams: Sequence[str]) -> None:
        self.enter("serve")
        self.serving.setdefault(sandbox_id, (lookup, list(upstreams)))

    async def stop(self, sandbox_id: str) -> None:
        self.enter("stop")
        self.serving.pop(sandbox_id, None)

    async def close(self) -> None:
        self.enter("close")
        self.serving.clear()


class FakeNetwork(Fake):
    """Port `network.NetworkDriver` of the kind `driver`.

    `has_key(sandbox_key)`, if given, must be true of the sandbox that is plugged in.  `endpoints[network_id][endpoint_id]` are those
    attached.
    """

    def __init__(self, driver: str = "bridge", *, has_key: Callable[[str], bool] | None = None) -> None:
        super().__init__()
        self.driver = driver
        self.has_key = has_key
        self.networks: dict[str, NetworkRecord] = {}
        self.endpoints: dict[str, dict[str, Endpoint]] = {}

    @property
    def needs_sandbox(self) -> bool:
        return self.driver != "host"

    async def open(self, networks: Sequence[NetworkRecord], endpoints: Mapping[str, Sequence[Endpoint]]) -> None:
        self.enter("open")
        self.networks = {network.id: network for network in networks}
        self.endpoints = {
            network.id: {endpoint.endpoint_id: endpoint for endpoint in endpoints.get(network.id, ())}
            for network in networks
        }

    async def close(self) -> None:
        self.enter("close")

    async def default_network(self, name: str, known: NetworkRecord | None = None) -> NetworkRecord:
        self.enter("default_network")
        if known is not None:
            return known
        pools = [IPAMPool(subnet="172.17.0.0/16", gateway="172.17.0.1")] if self.driver == "bridge" else []
        return a_network(name=name, driver=self.driver, pools=pools, predefined=True)

    async def create_network(self, network: NetworkRecord) -> NetworkRecord:
        self.enter("create_network")
        if network.id in self.networks:
            raise Conflict(f"network {network.id} exists")
        taken = [pool_network(pool) for each in self.networks.values() for pool in each.pools]
        for pool in network.pools:
            if any(overlap(pool_network(pool), other) for other in taken):
                raise Forbidden("invalid pool request: Pool overlaps with other one on this address space")
        if self.driver == "bridge" and not network.pools:
            free = next(n for n in IPv4Network("172.16.0.0/12").subnets(new_prefix=16) if n not in taken)
            network = msgspec.structs.replace(network, pools=[IPAMPool(subnet=str(free), gateway=str(free[1]))])
        self.networks[network.id] = network
        self.endpoints[network.id] = {}
        return network

    async def delete_network(self, network: NetworkRecord) -> None:
        self.enter("delete_network")
        if self.endpoints.get(network.id):
            raise Forbidden(f"network {network.name} id {network.id} has active endpoints")
        self.networks.pop(network.id, None)
        self.endpoints.pop(network.id, None)

    async def attach(self, network: NetworkRecord, request: EndpointRequest, sandbox_key: str) -> Endpoint:
        self.enter("attach")
        if network.id not in self.networks:
            raise NotFound(f"network {network.id} not found")
        if self.needs_sandbox and self.has_key is not None and not self.has_key(sandbox_key):
            raise InvalidParameter(f"no network namespace at {sandbox_key!r}")
        held = self.endpoints[network.id]
        if request.endpoint_id in held:
            raise Conflict(f"endpoint {request.endpoint_id} is attached")
        endpoint = Endpoint(
            endpoint_id=request.endpoint_id,
            interface=request.interface,
            is_gateway=request.is_gateway,
            ports=self.publish(request.ports),
        )
        for pool in self.networks[network.id].pools:
            endpoint = self.give_address(endpoint, pool, request, held)
        held[request.endpoint_id] = endpoint
        return endpoint

    def give_address(
        self, endpoint: Endpoint, pool: IPAMPool, request: EndpointRequest, held: Mapping[str, Endpoint]
    ) -> Endpoint:
        subnet = pool_network(pool)
        asked = request.ipv4 if subnet.version == 4 else request.ipv6
        used = {each.ipv4 for each in held.values()} | {each.ipv6 for each in held.values()}
        used |= {pool.gateway, *pool.aux_addresses.values()}
        if asked:
            if ipaddress.ip_address(asked) not in subnet:
                raise InvalidParameter(f"no configured subnet contains IP address {asked}")
            if asked in used:
                raise Forbidden("Address already in use")
        else:
            asked = first_free(subnet, used)
        if subnet.version == 4:
            octets = IPv4Address(asked).packed
            return msgspec.structs.replace(
                endpoint,
                ipv4=asked,
                ipv4_prefix=subnet.prefixlen,
                gateway=pool.gateway,
                mac=request.mac or "02:42:" + ":".join(f"{octet:02x}" for octet in octets),
            )
        return msgspec.structs.replace(
            endpoint,
            ipv6=asked,
            ipv6_prefix=subnet.prefixlen,
            ipv6_gateway=pool.gateway,
            mac=request.mac or endpoint.mac,
        )

    async def detach(self, network: NetworkRecord, endpoint: Endpoint, sandbox_key: str) -> None:
        self.enter("detach")
        self.endpoints.get(network.id, {}).pop(endpoint.endpoint_id, None)

    async def unplug(self, network: NetworkRecord, endpoint: Endpoint, sandbox_key: str) -> None:
        self.enter("unplug")
        self.endpoints.get(network.id, {}).pop(endpoint.endpoint_id, None)

    async def lead(
        self, network: NetworkRecord, endpoint: Endpoint, sandbox_key: str, ports: Sequence[PortWish], name: str
    ) -> Endpoint:
        self.enter("lead")
        changed = msgspec.structs.replace(endpoint, is_gateway=True, ports=self.publish(ports))
        self.endpoints[network.id][endpoint.endpoint_id] = changed
        return changed

    async def yield_lead(self, network: NetworkRecord, endpoint: Endpoint, sandbox_key: str) -> Endpoint:
        self.enter("yield_lead")
        changed = msgspec.structs.replace(endpoint, is_gateway=False, ports=[])
        self.endpoints[network.id][endpoint.endpoint_id] = changed
        return changed

    def publish(self, wishes: Sequence[PortWish]) -> list[HostPort]:
        """At the wanted port, or at 40000 more than the container's."""
        return [
            HostPort(
                port=wish.port,
                protocol=wish.protocol,
                host_ip=wish.host_ip or "0.0.0.0",
                host_port=wish.first or 40000 + wish.port,
            )
            for wish in wishes
        ]


def pool_network(pool: IPAMPool) -> IPv4Network | IPv6Network:
    try:
        return ipaddress.ip_network(pool.subnet)
    except ValueError as e:
        raise InvalidParameter(f"invalid subnet {pool.subnet}: {e}") from e


def overlap(one: IPv4Network | IPv6Network, other: IPv4Network | IPv6Network) -> bool:
    if isinstance(one, IPv4Network):
        return isinstance(other, IPv4Network) and one.overlaps(other)
    return isinstance(other, IPv6Network) and one.overlaps(other)


def first_free(subnet: IPv4Network | IPv6Network, used: set[str]) -> str:
    number = int(subnet.network_address) + 1
    maker: type[IPv4Address] | type[IPv6Address] = IPv4Address if subnet.version == 4 else IPv6Address
    while str(maker(number)) in used:
        number += 1
    if maker(number) not in subnet or number == int(subnet.broadcast_address):
        raise Forbidden(f"no available IPv{subnet.version} addresses on this network's address pools")
    return str(maker(number))
