"""Address arithmetic: which subnet is free, and which address of it.  No I/O.

Words: a *pool* is one subnet of a network with its gateway and, where given, the range from which containers are served.
"""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from wharfd.model.errors import Conflict, InvalidParameter
from wharfd.model.network import IPAMPool

Subnet = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

# Where the default bridge may lie: (area, prefix length of the subnet).
# Away from what homes, offices and dockerd (172.17–172.31 in /16) use most.
DEFAULT_AREAS: tuple[tuple[str, int], ...] = (
    ("10.213.0.0/16", 20),
    ("172.28.0.0/14", 20),
    ("192.168.192.0/18", 22),
)


def candidates(areas: Iterable[tuple[str, int]] = DEFAULT_AREAS) -> Iterator[IPv4Network]:
    for area, prefix in areas:
        yield from IPv4Network(area).subnets(new_prefix=prefix)


def free_subnet(taken: Iterable[Subnet], areas: Iterable[tuple[str, int]] = DEFAULT_AREAS) -> IPv4Network:
    """The first candidate that overlaps nothing in `taken` (routes of the host, other networks; default routes are left out).

    Raises Conflict when all are taken.
    """
    used = [net for net in taken if isinstance(net, IPv4Network) and net.prefixlen > 0]
    for candidate in candidates(areas):
        if not any(candidate.overlaps(net) for net in used):
            return candidate
    raise Conflict(
        "could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network"
    )


def parse_bip(text: str) -> IPAMPool:
    """`--bip`: the bridge's own address with its prefix length.  Raises InvalidParameter."""
    try:
        address, _, length = text.partition("/")
        network = IPv4Network(text, strict=False)
        gateway = IPv4Address(address)
    except ValueError as e:
        raise InvalidParameter(f"invalid bip {text}: {e}") from e
    if not length or network.prefixlen > 30 or gateway in (network.network_address, network.broadcast_address):
        raise InvalidParameter(f"invalid bip {text}: it must be a host address with a prefix length up to 30")
    return IPAMPool(subnet=str(network), gateway=str(gateway))


def mac_of(address: str) -> str:
    """A locally administered MAC made from an IPv4 address, so that it is the same when the address is."""
    return "02:42:" + ":".join(f"{octet:02x}" for octet in IPv4Address(address).packed)


class AddressPool:
    """Addresses of one pool, handed out one after the other; a freed one comes back only after a round.

    Not reused at once, since neighbours' caches may still hold it.
    """

    def __init__(self, pool: IPAMPool) -> None:
        self.subnet: Subnet = ip_network(pool.subnet)
        serving: Subnet = ip_network(pool.ip_range) if pool.ip_range else self.subnet
        self.first = int(serving.network_address)
        self.last = int(serving.broadcast_address)
        self.taken: set[int] = {int(self.subnet.network_address), int(self.subnet.broadcast_address)}
        if pool.gateway:
            self.taken.add(int(ip_address(pool.gateway)))
        self.taken.update(int(ip_address(aux)) for aux in pool.aux_addresses.values())
        self.cursor = self.first

    @property
    def prefix_length(self) -> int:
        return self.subnet.prefixlen

    def make(self, number: int) -> Address:
        return IPv4Address(number) if self.subnet.version == 4 else IPv6Address(number)

    def allocate(self, wanted: str = "") -> str:
        """The next free address, or the wanted one.

        Raises InvalidParameter if it lies outside the subnet, Conflict if it is taken or none is free.
        """
        if wanted:
            address = ip_address(wanted)
            if address not in self.subnet:
                raise InvalidParameter(f"invalid address {wanted}: it is not in subnet {self.subnet}")
            if int(address) in self.taken:
                raise Conflict("Address already in use")
            self.taken.add(int(address))
            return str(address)
        span = self.last - self.first + 1
        for step in range(min(span, len(self.taken) + 1)):
            number = self.first + (self.cursor - self.first + step) % span
            if number not in self.taken:
                self.taken.add(number)
                self.cursor = number + 1
                return str(self.make(number))
        raise Conflict("no available IPv4 addresses on this network's address pools")

    def claim(self, address: str) -> None:
        """Mark as taken what a running container has already; no error if it is."""
        number = int(ip_address(address))
        self.taken.add(number)
        if self.first <= number <= self.last and number >= self.cursor:
            self.cursor = number + 1

    def release(self, address: str) -> None:
        self.taken.discard(int(ip_address(address)))
