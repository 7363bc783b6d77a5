"""The engine's one nftables table: what leaves a network takes the host's address, networks are apart, ports are published.

Its rules are always the same and few; networks and ports are elements of sets and maps, so that a packet costs one look-up and a change
one element, however many there are.  The table as a whole is replaced in one transaction, so that there is never half of it.

    loopback      nothing of a container reaches 127.0.0.0/8 of the host
    forward       into a network: answers, its own members, and what was sent to a published port; an internal one is left by nothing;
                  a routed one is reached at its members' own addresses and published ports, an unguarded one at every port from outside
    publish       the destination of what is sent to a published port becomes the container (also of what the host itself sends)
    postrouting   what leaves a network takes the address of the link that it leaves by; so does what must come back the same way
"""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wharfd.drivers.network.bridge.options import BridgeOptions, GatewayMode
from wharfd.model.errors import Unavailable
from wharfd.sys.nftables import Nft, NftError

log = logging.getLogger(__name__)

RULES = """
    chain loopback {
        type filter hook prerouting priority raw; policy accept;
        iifname @bridges ip daddr 127.0.0.0/8 drop
    }
    chain forward {
        type filter hook forward priority filter; policy accept;
        ct state established,related accept
        iifname . oifname @same jump inside
        iifname @internal drop
        oifname @internal drop
        oifname @bridges ct status dnat accept
        ip daddr . meta l4proto . th dport @direct4 accept
        ip6 daddr . meta l4proto . th dport @direct6 accept
        oifname @routed4 meta l4proto icmp accept
        oifname @routed6 meta l4proto ipv6-icmp accept
        iifname @bridges oifname @bridges drop
        meta nfproto ipv4 oifname @unguarded4 accept
        meta nfproto ipv6 oifname @unguarded6 accept
        oifname @bridges drop
    }
    chain inside {
        ct status dnat accept
        iifname @quiet drop
        accept
    }
    chain prerouting {
        type nat hook prerouting priority dstnat; policy accept;
        ip daddr 127.0.0.0/8 return
        @INPUT@
        fib daddr type local jump publish
    }
    chain output {
        type nat hook output priority -100; policy accept;
        ip6 daddr ::1 return
        fib daddr type local jump publish
    }
    chain publish {
        dnat ip to ip daddr . meta l4proto . th dport map @one4
        dnat ip to meta l4proto . th dport map @any4
        dnat ip6 to ip6 daddr . meta l4proto . th dport map @one6
        dnat ip6 to meta l4proto . th dport map @any6
    }
    chain postrouting {
        type nat hook postrouting priority srcnat; policy accept;
        iifname . oifname @same ct status dnat masquerade
        ip saddr . ip daddr @self4 masquerade
        ip6 saddr . ip6 daddr @self6 masquerade
        iifname . oifname @same return
        oifname @bridges ip saddr 127.0.0.0/8 masquerade
        meta nfproto ipv4 iifname @masked4 masquerade
        meta nfproto ipv6 iifname @masked6 masquerade
    }
"""

SETS = {
    "bridges": "set bridges { type ifname;",
    "same": "set same { type ifname . ifname;",
    "internal": "set internal { type ifname;",
    "quiet": "set quiet { type ifname;",
    "masked4": "set masked4 { type ifname;",
    "masked6": "set masked6 { type ifname;",
    "routed4": "set routed4 { type ifname;",
    "routed6": "set routed6 { type ifname;",
    "unguarded4": "set unguarded4 { type ifname;",
    "unguarded6": "set unguarded6 { type ifname;",
    "direct4": "set direct4 { type ipv4_addr . inet_proto . inet_service;",
    "direct6": "set direct6 { type ipv6_addr . inet_proto . inet_service;",
    "self4": "set self4 { type ipv4_addr . ipv4_addr;",
    "self6": "set self6 { type ipv6_addr . ipv6_addr;",
    "any4": "map any4 { type inet_proto . inet_service : ipv4_addr . inet_service;",
    "one4": "map one4 { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service;",
    "any6": "map any6 { type inet_proto . inet_service : ipv6_addr . inet_service;",
    "one6": "map one6 { type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service;",
}

Element = tuple[str, str, str]
"""Set, key, and for maps the value."""


def elements_of_network(bridge: str, options: BridgeOptions, *, internal: bool) -> list[Element]:
    """A network, as far as the rules are concerned."""
    name = f'"{bridge}"'
    kinds = ["internal"] if internal else []
    if not options.icc:
        kinds.append("quiet")  # its members do not talk with each other
    for version in (4, 6):
        if options.masquerades(version) and not internal:
            kinds.append(f"masked{version}")
        if options.mode(version) is GatewayMode.ROUTED:
            kinds.append(f"routed{version}")
        if options.mode(version) is GatewayMode.UNPROTECTED:
            kinds.append(f"unguarded{version}")
    return [("bridges", name, ""), ("same", f"{name} . {name}", ""), *((kind, name, "") for kind in kinds)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """A published port: addresses of one family."""

    protocol: str
    host_ip: str  # 0.0.0.0 or ::: all
    host_port: int  # 0: the container's own port is reached at its own address
    address: str
    port: int

    def element(self) -> Element:
        family = "6" if ":" in self.address else "4"
        if not self.host_port:
            return (f"direct{family}", f"{self.address} . {self.protocol} . {self.port}", "")
        key = f"{self.protocol} . {self.host_port}"
        value = f"{self.address} . {self.port}"
        if self.host_ip in {"0.0.0.0", "::"}:
            return (f"any{family}", key, value)
        return (f"one{family}", f"{self.host_ip} . {key}", value)


def own_element(address: str) -> Element:
    """A container that asks for its own published port.  Linux: a frame that stays on its bridge has no `iifname` in postrouting."""
    return ("self6" if ":" in address else "self4", f"{address} . {address}", "")


OBEY_INPUT = "iifname != @bridges return"
"""What others send to a published port goes to the host's own sockets, through the host's rules for what comes in, and a relay."""


def ruleset(table: str, elements: Iterable[Element], *, obey_input: bool = False) -> str:
    """The text for `nft` that replaces the whole table.  A pure function, so that tests can read it."""
    by_set: dict[str, list[str]] = {name: [] for name in SETS}
    for kind, key, value in elements:
        by_set[kind].append(f"{key} : {value}" if value else key)
    sets = []
    for name, head in SETS.items():
        body = f" elements = {{ {', '.join(by_set[name])} }};" if by_set[name] else ""
        sets.append(f"    {head}{body} }}")
    return "\n".join(
        [
            f"table inet {table} {{}}",  # so that the deletion never fails
            f"delete table inet {table}",
            f"table inet {table} {{",
            *sets,
            RULES.strip("\n").replace("        @INPUT@\n", f"        {OBEY_INPUT}\n" if obey_input else ""),
            "}",
        ]
    )


def change(table: str, verb: str, elements: Sequence[Element]) -> str:
    lines = []
    for kind, key, value in elements:
        # Linux: a map's element is deleted by its key.
        body = f"{key} : {value}" if value and verb == "add" else key
        lines.append(f"{verb} element inet {table} {kind} {{ {body} }}")
    return "\n".join(lines)


class Firewall:
    """One table in the network namespace in which it was opened; used by one caller at a time.  All methods block.

    It remembers what is in force, and puts all of it back when the table has gone or has lost something.
    """

    def __init__(self, table: str, *, obey_input: bool = False) -> None:
        self.table = table
        self.obey_input = obey_input
        self.nft: Nft | None = None
        self.elements: dict[tuple[str, str], str] = {}
        self.whole: Counter[str] = Counter()  # the shape of the table when it had just been applied

    def apply(self) -> None:
        """The whole table.  Raises Unavailable in words."""
        elements = [(kind, key, value) for (kind, key), value in self.elements.items()]
        self.run(ruleset(self.table, elements, obey_input=self.obey_input))
        self.whole = self.whole or self.shape()

    def restore(self) -> bool:
        """Put the table back if it is not whole (`nft flush ruleset`, another firewall's restart).  Raises Unavailable."""
        if self.shape() == self.whole:
            return False
        self.apply()
        return True

    def shape(self) -> Counter[str]:
        """How many chains, rules and sets there are; none without the table."""
        try:
            found = self.context().list_json(f"list table inet {self.table}", elements=False)
        except NftError as e:
            if e.is_missing:
                return Counter()
            raise Unavailable(f"cannot look at the firewall: {e}") from e
        except OSError as e:
            raise Unavailable(f"cannot look at the firewall: {e}") from e
        return Counter(kind for each in found for kind in each)

    def add(self, elements: Sequence[Element]) -> None:
        """On an error nothing has changed."""
        before = dict(self.elements)
        self.elements.update({(kind, key): value for kind, key, value in elements})
        try:
            self.change("add", elements)
        except BaseException:
            self.elements = before
            raise

    def remove(self, elements: Sequence[Element]) -> None:
        there = [each for each in elements if (each[0], each[1]) in self.elements]
        for kind, key, _ in there:
            del self.elements[kind, key]
        self.change("delete", there)

    def change(self, verb: str, elements: Sequence[Element]) -> None:
        if not elements:
            return
        try:
            self.context().run(change(self.table, verb, elements))
        except (NftError, OSError) as e:
            log.warning("table=%s is put back as a whole: %s", self.table, e)
            self.apply()

    def run(self, text: str) -> None:
        try:
            self.context().run(text)
        except (NftError, OSError) as e:
            raise Unavailable(f"cannot set up the firewall with nftables: {e}") from e

    def context(self) -> Nft:
        self.nft = self.nft or Nft()
        return self.nft
