"""What networks are given when nobody says: subnets, gateways, the options of the default bridge."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_interface, ip_network

import msgspec

from wharfd.drivers.network.bridge.options import (
    BRIDGE_NAME,
    DEFAULT_BRIDGE,
    HOST_BINDING,
    ICC,
    MASQUERADE,
    MTU,
)
from wharfd.model.errors import InvalidParameter
from wharfd.model.network import IPAMPool, NetworkRecord
from wharfd.wire.ipam import DEFAULT_AREAS, NETWORK_AREAS, Subnets, free_subnet, parse_bip


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeDefaults:
    """The engine's settings, as far as they are about bridges.  `bip` and the like are about the default bridge alone.

    `areas` empty: the built-in ones.
    """

    bridge: str
    table: str = "wharfd"
    bip: str = ""
    bip6: str = ""
    fixed_cidr: str = ""
    fixed_cidr_v6: str = ""
    ipv6: bool = False
    mtu: int = 1500
    ip_masq: bool = True
    icc: bool = True
    host_binding: str = "0.0.0.0"
    areas: Sequence[tuple[str, int]] = ()
    obey_input: bool = False  # published ports obey the host's own rules for what comes in

    def options(self) -> dict[str, str]:
        return {
            DEFAULT_BRIDGE: "true",
            ICC: word(self.icc),
            MASQUERADE: word(self.ip_masq),
            HOST_BINDING: self.host_binding,
            BRIDGE_NAME: self.bridge,
            MTU: str(self.mtu),
        }

    def subnets(self) -> Subnets:
        """Docker: without an IPv6 pool among the user's, one of this machine's own."""
        areas = list(self.areas) or list(NETWORK_AREAS)
        if not any(":" in area for area, _ in areas):
            areas.append((own_ula(self.table), 64))
        return Subnets(areas)

    def pools(self, known: NetworkRecord | None, subnets: Subnets, routes: Iterable[IPv4Network]) -> list[IPAMPool]:
        """Of the default bridge; `known` is what it has had so far.  Raises InvalidParameter, NotFound, Conflict."""
        had = {ip_network(pool.subnet).version: pool for pool in known.pools} if known else {}
        pools = [self.ipv4_pool(had.get(4), subnets, routes)]
        if self.ipv6:
            pools.append(self.ipv6_pool(had.get(6), subnets))
        return pools

    def ipv4_pool(self, had: IPAMPool | None, subnets: Subnets, routes: Iterable[IPv4Network]) -> IPAMPool:
        if self.bip:
            return narrowed(parse_bip(self.bip), self.fixed_cidr)
        if self.fixed_cidr and (had is None or not holds(had, self.fixed_cidr)):
            subnet = ip_network(self.fixed_cidr)
            return IPAMPool(subnet=str(subnet), ip_range=str(subnet), gateway=str(subnet[1]))
        if had is None:
            areas = [area for area in self.areas if ":" not in area[0]]
            free = subnets.free(4, routes) if areas else free_subnet(routes, DEFAULT_AREAS)
            had = IPAMPool(subnet=str(free), gateway=str(free[1]))
        return narrowed(had, self.fixed_cidr)

    def ipv6_pool(self, had: IPAMPool | None, subnets: Subnets) -> IPAMPool:
        if self.bip6:
            address = ip_interface(self.bip6)
            return narrowed(IPAMPool(subnet=str(address.network), gateway=str(address.ip)), self.fixed_cidr_v6)
        if self.fixed_cidr_v6:
            subnet = ip_network(self.fixed_cidr_v6)
            return IPAMPool(subnet=str(subnet), gateway=str(subnet[1]))
        if had is not None:
            return had
        if any(":" in area for area, _ in self.areas):
            free = subnets.free(6)
        else:  # the last one, since networks of one's own are given the first ones
            free = IPv6Network((int(ip_network(own_ula(self.table)).broadcast_address) >> 64 << 64, 64))
        return IPAMPool(subnet=str(free), gateway=str(free[1]))


def word(value: bool) -> str:
    return "true" if value else "false"


def narrowed(pool: IPAMPool, serving: str) -> IPAMPool:
    """Addresses are given out of `serving` only; empty: of the whole subnet."""
    if serving and not holds(pool, serving):
        raise InvalidParameter(f"fixed-cidr {serving} does not lie in the subnet {pool.subnet} of the default bridge")
    return msgspec.structs.replace(pool, ip_range=serving)


def holds(pool: IPAMPool, cidr: str) -> bool:
    outer, inner = ip_network(pool.subnet), ip_network(cidr)
    return outer.version == inner.version and int(outer.network_address) <= int(inner.network_address) <= int(
        inner.broadcast_address
    ) <= int(outer.broadcast_address)


def own_ula(table: str) -> str:
    """A /48 of this machine's own (RFC 4193), the same after each start."""
    try:
        with open("/etc/machine-id") as file:
            seed = file.read()
    except OSError:
        seed = ""
    digits = hashlib.sha256(f"{table} {seed}".encode()).hexdigest()[:10]
    return f"fd{digits[:2]}:{digits[2:6]}:{digits[6:]}::/48"
