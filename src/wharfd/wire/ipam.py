"""Address arithmetic: which subnet is free, and which address of it.  No I/O.

Words: a *pool* is one subnet of a network with its gateway and, where given, the range from which containers are served.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from wharfd.model.errors import Conflict, Forbidden, InvalidParameter, NotFound
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

# Where networks of one's own lie when nobody says: more than four thousand networks of 253 addresses each.
NETWORK_AREAS: tuple[tuple[str, int], ...] = (
    ("10.200.0.0/13", 24),
    ("10.220.0.0/14", 24),
    ("172.28.0.0/14", 24),
)

OVERLAP = "invalid pool request: Pool overlaps with other one on this address space"


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


class Subnets:
    """The subnets of all networks, which never overlap, and the next free one.  Answers in microseconds with thousands of them."""

    def __init__(self, areas: Iterable[tuple[str, int]] = NETWORK_AREAS) -> None:
        """`areas`, of both families, with the prefix length of the subnets that networks are given of them."""
        self.areas: dict[int, list[tuple[int, int, int]]] = {4: [], 6: []}  # first address, prefix length, how many
        for area, prefix in areas:
            network = ip_network(area)
            count = 1 << (prefix - network.prefixlen)
            self.areas[network.version].append((int(network.network_address), prefix, count))
        self.firsts: dict[int, list[int]] = {4: [], 6: []}
        self.lasts: dict[int, list[int]] = {4: [], 6: []}
        self.cursors = {4: 0, 6: 0}

    def overlaps(self, subnet: Subnet) -> bool:
        return self.overlaps_range(subnet.version, int(subnet.network_address), int(subnet.broadcast_address))

    def overlaps_range(self, version: int, first: int, last: int) -> bool:
        at = bisect_right(self.firsts[version], last)
        return at > 0 and self.lasts[version][at - 1] >= first

    def claim(self, subnet: Subnet) -> None:
        """Raises Forbidden if it overlaps another one."""
        if self.overlaps(subnet):
            raise Forbidden(OVERLAP)
        at = bisect_right(self.firsts[subnet.version], int(subnet.network_address))
        self.firsts[subnet.version].insert(at, int(subnet.network_address))
        self.lasts[subnet.version].insert(at, int(subnet.broadcast_address))

    def release(self, subnet: Subnet) -> None:
        at = bisect_right(self.firsts[subnet.version], int(subnet.network_address)) - 1
        if at >= 0 and self.firsts[subnet.version][at] == int(subnet.network_address):
            del self.firsts[subnet.version][at]
            del self.lasts[subnet.version][at]

    def free(self, version: int, foreign: Iterable[Subnet] = ()) -> Subnet:
        """A subnet that overlaps no network and nothing in `foreign` (the host's other routes, default routes left out).

        They are gone through in turn, so that one that was just given back is not given away again at once.  Raises NotFound when
        there is none.
        """
        bits = 32 if version == 4 else 128
        taken = [
            (int(net.network_address), int(net.broadcast_address))
            for net in foreign
            if net.prefixlen and net.version == version
        ]
        total = sum(count for _, _, count in self.areas[version])
        for step in range(total):
            number = (self.cursors[version] + step) % total
            base, prefix, _, number = self.area_of(version, number)
            first = base + (number << (bits - prefix))
            last = first + (1 << (bits - prefix)) - 1
            if self.overlaps_range(version, first, last) or any(low <= last and first <= high for low, high in taken):
                continue
            self.cursors[version] = (self.cursors[version] + step + 1) % total
            return IPv4Network((first, prefix)) if version == 4 else IPv6Network((first, prefix))
        raise NotFound("all predefined address pools have been fully subnetted")

    def area_of(self, version: int, number: int) -> tuple[int, int, int, int]:
        """The area in which the subnet of that number lies, and its number there."""
        for base, prefix, count in self.areas[version]:
            if number < count:
                return base, prefix, count, number
            number -= count
        raise IndexError(number)


def check_areas(areas: Sequence[tuple[str, int]]) -> None:
    """Of `default-address-pools`.  Raises InvalidParameter with dockerd's text."""
    for base, size in areas:
        network = parse_cidr(base)
        if network is None:
            raise InvalidParameter(f'invalid CIDR address: "{base}"')
        if not network.prefixlen <= size <= network.max_prefixlen:
            raise InvalidParameter(f"invalid prefix size {size} of the address pool {base}")


def check_pools(pools: Sequence[IPAMPool]) -> None:
    """What a user gives for a network.  Raises InvalidParameter, all faults in one message, as dockerd does."""
    faults: list[str] = []
    for pool in pools:
        faults += faults_of_pool(pool)
    if len(faults) == 1:
        raise InvalidParameter(f"invalid network config:\n{faults[0]}")
    if faults:
        raise InvalidParameter("\n* ".join(["invalid network config:", *faults]))


def faults_of_pool(pool: IPAMPool) -> list[str]:
    subnet = parse_cidr(pool.subnet)
    if subnet is None:
        return [f"invalid subnet {pool.subnet}: invalid CIDR block notation"]
    if str(subnet) != normal_cidr(pool.subnet):
        return [f"invalid subnet {pool.subnet}: it should be {subnet}"]
    faults = []
    if pool.ip_range:
        serving = parse_cidr(pool.ip_range)
        if serving is None:
            faults.append(f"invalid ip-range {pool.ip_range}: invalid CIDR block notation")
        elif serving.version != subnet.version or not within(serving.network_address, subnet):
            faults.append(f"invalid ip-range {pool.ip_range}: parent subnet {subnet} doesn't contain ip-range")
        elif serving.prefixlen < subnet.prefixlen:
            faults.append(f"invalid ip-range {pool.ip_range}: CIDR block is bigger than its parent subnet {subnet}")
        elif str(serving) != normal_cidr(pool.ip_range):
            faults.append(f"invalid ip-range {pool.ip_range}: it should be {serving}")
    if pool.gateway:
        faults += faults_of_address(f"invalid gateway {pool.gateway}", pool.gateway, subnet)
    for name, address in pool.aux_addresses.items():
        faults += faults_of_address(f"invalid auxiliary address {name}", address, subnet)
    return faults


def faults_of_address(what: str, text: str, subnet: Subnet) -> list[str]:
    try:
        address = ip_address(text)
    except ValueError:
        return [f"{what}: invalid address"]
    return [] if within(address, subnet) else [f"{what}: parent subnet {subnet} doesn't contain this address"]


def within(address: Address, subnet: Subnet) -> bool:
    return address.version == subnet.version and address in subnet


def parse_cidr(text: str) -> Subnet | None:
    """The subnet of an address with its prefix length; None if it is none."""
    address, slash, length = text.partition("/")
    if not slash or not (length.isascii() and length.isdecimal()) or "%" in address:
        return None
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def normal_cidr(text: str) -> str:
    address, _, length = text.partition("/")
    return f"{ip_address(address)}/{int(length)}"


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

        Raises InvalidParameter if it lies outside the subnet, Forbidden if it is taken, Conflict if none is free.
        """
        if wanted:
            address = ip_address(wanted)
            if address not in self.subnet:
                raise InvalidParameter(f"invalid address {wanted}: it is not in subnet {self.subnet}")
            if int(address) in self.taken:
                raise Forbidden("Address already in use")
            self.taken.add(int(address))
            return str(address)
        span = self.last - self.first + 1
        for step in range(min(span, len(self.taken) + 1)):
            number = self.first + (self.cursor - self.first + step) % span
            if number not in self.taken:
                self.taken.add(number)
                self.cursor = number + 1
                return str(self.make(number))
        raise Conflict(f"no available IPv{self.subnet.version} addresses on this network's address pools")

    def claim(self, address: str) -> None:
        """Mark as taken what a running container has already; no error if it is."""
        number = int(ip_address(address))
        self.taken.add(number)
        if self.first <= number <= self.last and number >= self.cursor:
            self.cursor = number + 1

    def release(self, address: str) -> None:
        self.taken.discard(int(ip_address(address)))
