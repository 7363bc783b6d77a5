"""The one address space that the networks of all drivers share: their subnets, and the addresses of their endpoints.

Used on the loop only.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from ipaddress import IPv4Network, ip_address, ip_network

import msgspec

from wharfd.model.errors import InvalidParameter
from wharfd.model.ids import NetworkId
from wharfd.model.network import Endpoint, EndpointRequest, IPAMPool, NetworkRecord
from wharfd.wire.ipam import AddressPool, Subnets

Given = dict[int, tuple[AddressPool, str]]
"""By IP version: the pool and the address out of it."""


class Ipam:
    def __init__(self, subnets: Subnets) -> None:
        self.subnets = subnets
        self.pools: dict[NetworkId, list[AddressPool]] = {}

    def take_up(self, network: NetworkRecord, endpoints: Sequence[Endpoint] = ()) -> None:
        """Its subnets and addresses are taken from here on.  Raises Forbidden."""
        used = [pool for pool in network.pools if is_used(network, pool)]
        claimed: list[IPAMPool] = []
        try:
            for pool in used:
                self.subnets.claim(ip_network(pool.subnet))
                claimed.append(pool)
        except BaseException:
            for pool in claimed:
                self.subnets.release(ip_network(pool.subnet))
            raise
        self.pools[network.id] = [AddressPool(pool) for pool in used]
        for endpoint in endpoints:
            for pool_of, address in self.held(network.id, endpoint):
                pool_of.claim(address)

    def let_go(self, network_id: NetworkId) -> None:
        """Idempotent."""
        for pool in self.pools.pop(network_id, ()):
            self.subnets.release(pool.subnet)

    def filled(
        self, network: NetworkRecord, routes: Iterable[IPv4Network], *, without_gateway: Collection[int] = ()
    ) -> list[IPAMPool]:
        """The pools, with one for each family that has none, and with gateways but for the families named.

        Raises InvalidParameter, NotFound.
        """
        pools = list(network.pools)
        versions = {ip_network(pool.subnet).version for pool in pools}
        if network.enable_ipv4 and 4 not in versions:
            pools.append(IPAMPool(subnet=str(self.subnets.free(4, routes)), is_chosen=True))
        if network.enable_ipv6 and 6 not in versions:
            pools.append(IPAMPool(subnet=str(self.subnets.free(6)), is_chosen=True))
        return [pool if ip_network(pool.subnet).version in without_gateway else with_gateway(pool) for pool in pools]

    def addressed(
        self,
        network: NetworkRecord,
        request: EndpointRequest,
        *,
        has_gateway: bool,
        make_mac: Callable[[Given], str],
    ) -> Endpoint:
        """The endpoint with its addresses taken.  Raises InvalidParameter, Forbidden, Conflict."""
        given: Given = {}
        try:
            for version, wanted in ((4, request.ipv4), (6, request.ipv6)):
                pool = self.pool(network.id, version, wanted)
                if pool is not None:
                    given[version] = (pool, pool.allocate(wanted))
                elif wanted:
                    raise InvalidParameter(f"no configured subnet or ip-range contain the IP address {wanted}")
        except BaseException:
            for pool, address in given.values():
                pool.release(address)
            raise
        endpoint = Endpoint(
            endpoint_id=request.endpoint_id,
            mac=request.mac or make_mac(given),
            interface=request.interface,
            is_gateway=request.is_gateway,
        )
        if 4 in given:
            pool, address = given[4]
            gateway = gateway_of(network, pool) if has_gateway else ""
            endpoint = msgspec.structs.replace(endpoint, ipv4=address, ipv4_prefix=pool.prefix_length, gateway=gateway)
        if 6 in given:
            pool, address = given[6]
            gateway = gateway_of(network, pool) if has_gateway else ""
            endpoint = msgspec.structs.replace(
                endpoint, ipv6=address, ipv6_prefix=pool.prefix_length, ipv6_gateway=gateway
            )
        return endpoint

    def release(self, network_id: NetworkId, endpoint: Endpoint) -> None:
        for pool, address in self.held(network_id, endpoint):
            pool.release(address)

    def held(self, network_id: NetworkId, endpoint: Endpoint) -> list[tuple[AddressPool, str]]:
        return [
            (pool, address)
            for pool in self.pools.get(network_id, ())
            for address in (endpoint.ipv4, endpoint.ipv6)
            if address and ip_address(address) in pool.subnet
        ]

    def pool(self, network_id: NetworkId, version: int, wanted: str = "") -> AddressPool | None:
        """The one that holds the wanted address, or the first of that family."""
        pools = [pool for pool in self.pools.get(network_id, ()) if pool.subnet.version == version]
        if wanted:
            pools = [pool for pool in pools if ip_address(wanted) in pool.subnet] or pools
        return pools[0] if pools else None


def gateway_of(network: NetworkRecord, pool: AddressPool) -> str:
    return next(each.gateway for each in network.pools if each.subnet == str(pool.subnet))


def is_used(network: NetworkRecord, pool: IPAMPool) -> bool:
    """Docker: a pool of a family that is not enabled is kept with the network, and that is all."""
    return network.enable_ipv6 if ":" in pool.subnet else network.enable_ipv4


def with_gateway(pool: IPAMPool) -> IPAMPool:
    """The first address that is not spoken for, unless the user says."""
    if pool.gateway:
        return pool
    subnet = ip_network(pool.subnet)
    aux = {ip_address(address) for address in pool.aux_addresses.values()}
    free: Iterable[object] = (subnet[n] for n in range(1, min(subnet.num_addresses, len(aux) + 3)))
    gateway = next((address for address in free if address not in aux), None)
    if gateway is None or (isinstance(subnet, IPv4Network) and subnet.prefixlen > 30):
        raise InvalidParameter(f"invalid network config:\ninvalid subnet {subnet}: it has no room for a gateway")
    return msgspec.structs.replace(pool, gateway=str(gateway), is_gateway_chosen=True)
