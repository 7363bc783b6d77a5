"""rtnetlink(7): links, addresses and routes as netlink messages, packed and unpacked.  `sys/netlink.py` has the sockets.

The builders (`new_…`, `set_…`, `del_…`, `get_…`, `dump_…`) give `Request`s, the `decode_…` functions read the bodies of what comes
back.  Addresses are `ipaddress` objects, MACs the usual text.
"""

import functools
import ipaddress
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from wharfd.wire.netlink import (
    NLA_F_NESTED,
    NLM_F_ACK,
    NLM_F_CREATE,
    NLM_F_DUMP,
    NLM_F_EXCL,
    NLM_F_REQUEST,
    Request,
    attribute,
    parse_attributes,
    text_of,
)

T = TypeVar("T")

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPInterface = ipaddress.IPv4Interface | ipaddress.IPv6Interface
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

AF_UNSPEC = 0
AF_INET = 2
AF_BRIDGE = 7
AF_INET6 = 10

RTM_NEWLINK = 16
RTM_DELLINK = 17
RTM_GETLINK = 18
RTM_SETLINK = 19
RTM_NEWADDR = 20
RTM_DELADDR = 21
RTM_GETADDR = 22
RTM_NEWROUTE = 24
RTM_DELROUTE = 25
RTM_GETROUTE = 26

_NEW = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL
_CHANGE = NLM_F_REQUEST | NLM_F_ACK
_DUMP = NLM_F_REQUEST | NLM_F_DUMP

IFF_UP = 0x1
IFF_LOOPBACK = 0x8

RT_TABLE_MAIN = 254
RT_SCOPE_UNIVERSE = 0
RT_SCOPE_LINK = 253
_RT_SCOPE_NOWHERE = 255
_RTPROT_BOOT = 3
_RTN_UNICAST = 1
_RTNH_F_ONLINK = 0x4
_IFA_F_NODAD = 0x02

_IFLA_ADDRESS = 1
_IFLA_IFNAME = 3
_IFLA_MTU = 4
_IFLA_LINK = 5
_IFLA_MASTER = 10
_IFLA_PROTINFO = 12
_IFLA_OPERSTATE = 16
_IFLA_LINKINFO = 18
_IFLA_IFALIAS = 20
_IFLA_STATS64 = 23
_IFLA_GROUP = 27
_IFLA_NET_NS_FD = 28
_IFLA_INFO_KIND = 1
_IFLA_INFO_DATA = 2
_IFLA_BRPORT_MODE = 4
_IFLA_BRPORT_ISOLATED = 33
_VETH_INFO_PEER = 1
_MACVLAN_MODE = 1
_IPVLAN_MODE = 1
_IPVLAN_FLAGS = 2
_VLAN_ID = 1

_IFA_ADDRESS = 1
_IFA_LOCAL = 2
_IFA_BROADCAST = 4
_IFA_FLAGS = 8

_RTA_DST = 1
_RTA_OIF = 4
_RTA_GATEWAY = 5
_RTA_PRIORITY = 6
_RTA_PREFSRC = 7
_RTA_TABLE = 15

_IFINFO = struct.Struct("=BxHiII")
_IFADDR = struct.Struct("=BBBBI")
_RTMSG = struct.Struct("=BBBBBBBBI")
_U16 = struct.Struct("=H")
_U32 = struct.Struct("=I")
_STATS64 = struct.Struct("=8Q")
_NO_STATS = bytes(_STATS64.size)

_OPERSTATES = ("unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up")


@dataclass(frozen=True, slots=True)
class LinkStats:
    """Counters since the link was made, as the kernel counts them (64 bits)."""

    rx_packets: int
    tx_packets: int
    rx_bytes: int
    tx_bytes: int
    rx_errors: int
    tx_errors: int
    rx_dropped: int
    tx_dropped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A network interface.  `kind` is "" for hardware and loopback; `master` is the index of its bridge or bond, 0 without one;
    `peer` the index of a veth's other end, in the namespace where that is."""

    index: int
    name: str
    kind: str
    mac: str
    mtu: int
    flags: int
    master: int
    peer: int
    operstate: str
    stats: LinkStats
    alias: str = ""
    group: int = 0

    @property
    def is_up(self) -> bool:
        """Administratively up; `operstate` says whether packets can pass."""
        return bool(self.flags & IFF_UP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """An address on the link `index`."""

    index: int
    interface: IPInterface
    scope: int
    flags: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A unicast route.  `destination` is 0.0.0.0/0 or ::/0 for the default; `oif` 0 and `gateway` None where there is none."""

    destination: IPNetwork
    gateway: IPAddress | None
    oif: int
    source: IPAddress | None
    priority: int
    table: int
    protocol: int
    scope: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSpec:
    """A link to be made.  `netns_fd` puts it into another network namespace; `master` is the index of its bridge, `parent` that of
    the link it shares the wire of."""

    name: str
    mac: str | None = None
    mtu: int | None = None
    netns_fd: int | None = None
    master: int | None = None
    up: bool = False
    parent: int | None = None


def new_link(kind: str, spec: LinkSpec, data: bytes = b"") -> Request:
    """Create a link of a kind that needs no more than `data` ("dummy", "bridge", …); `spec` has what all kinds have."""
    body = _link_head(spec) + _link_properties(spec) + _link_info(kind, data)
    return Request(f"create {kind} {spec.name}", RTM_NEWLINK, _NEW, body)


def new_veth(near: LinkSpec, far: LinkSpec) -> Request:
    """Create a veth pair, each end with its name, MAC, MTU and namespace; the near one may get a master and be up at once.

    Linux: the far end is configured before the two are connected, so it can neither be up (ENOTCONN) nor get a master yet.
    """
    if far.up or far.master is not None:
        raise ValueError("the far end of a veth pair gets its master and state by set_link")
    peer = attribute(_VETH_INFO_PEER | NLA_F_NESTED, _link_head(far) + _link_properties(far))
    body = _link_head(near) + _link_properties(near) + _link_info("veth", peer)
    return Request(f"create veth {near.name}", RTM_NEWLINK, _NEW, body)


def new_macvlan(spec: LinkSpec, mode: int) -> Request:
    """A link with a MAC address of its own on the wire of `spec.parent`.  Linux: that is looked up where the socket is."""
    return new_link("macvlan", spec, attribute(_MACVLAN_MODE, _U32.pack(mode)))


def new_ipvlan(spec: LinkSpec, mode: int, flags: int = 0) -> Request:
    """A link with the MAC address of `spec.parent`, told from it by its IP addresses."""
    data = attribute(_IPVLAN_MODE, _U16.pack(mode)) + (attribute(_IPVLAN_FLAGS, _U16.pack(flags)) if flags else b"")
    return new_link("ipvlan", spec, data)


def new_vlan(spec: LinkSpec, vlan_id: int) -> Request:
    """What is tagged with that id on the wire of `spec.parent`."""
    return new_link("vlan", spec, attribute(_VLAN_ID, _U16.pack(vlan_id)))


def set_link(
    index: int,
    *,
    up: bool | None = None,
    name: str | None = None,
    mac: str | None = None,
    mtu: int | None = None,
    master: int | None = None,
    netns_fd: int | None = None,
    alias: str | None = None,
) -> Request:
    """Change what is given.  `master` 0 releases the link.  Linux: a link that is up can be renamed since 6.0, before that not."""
    flags = IFF_UP if up else 0
    change = 0 if up is None else IFF_UP
    body = _IFINFO.pack(AF_UNSPEC, 0, index, flags, change) + _properties(name, mac, mtu, master, netns_fd)
    if alias is not None:
        body += attribute(_IFLA_IFALIAS, alias.encode())
    return Request(f"set link {index}", RTM_NEWLINK, _CHANGE, body)


def set_bridge_port(index: int, *, hairpin: bool | None = None, isolated: bool | None = None) -> Request:
    """Port options of a bridge: frames may leave by the port they came in; isolated ports do not talk with each other."""
    options = b""
    if hairpin is not None:
        options += attribute(_IFLA_BRPORT_MODE, bytes((hairpin,)))
    if isolated is not None:
        options += attribute(_IFLA_BRPORT_ISOLATED, bytes((isolated,)))
    body = _IFINFO.pack(AF_BRIDGE, 0, index, 0, 0) + attribute(_IFLA_PROTINFO | NLA_F_NESTED, options)
    return Request(f"set bridge port {index}", RTM_SETLINK, _CHANGE, body)


def del_link(index_or_name: int | str) -> Request:
    """A veth's other end goes with it."""
    return Request(f"delete link {index_or_name}", RTM_DELLINK, _CHANGE, _selector(index_or_name))


def set_group(index_or_name: int | str, group: int) -> Request:
    body = _selector(index_or_name) + attribute(_IFLA_GROUP, _U32.pack(group))
    return Request(f"set group of link {index_or_name}", RTM_NEWLINK, _CHANGE, body)


def del_group(group: int) -> Request:
    """All links of the group, which is not 0, in one go: as long as one takes.  ENODEV when there are none."""
    body = _IFINFO.pack(AF_UNSPEC, 0, 0, 0, 0) + attribute(_IFLA_GROUP, _U32.pack(group))
    return Request(f"delete links of group {group}", RTM_DELLINK, _CHANGE, body)


def get_link(index_or_name: int | str) -> Request:
    body = _selector(index_or_name)
    return Request(f"get link {index_or_name}", RTM_GETLINK, NLM_F_REQUEST, body)


def dump_links() -> Request:
    return Request("list links", RTM_GETLINK, _DUMP, _IFINFO.pack(AF_UNSPEC, 0, 0, 0, 0))


def new_address(
    index: int, interface: IPInterface, *, broadcast: ipaddress.IPv4Address | None = None, no_dad: bool = False
) -> Request:
    """`no_dad` skips duplicate address detection (IPv6), so that the address can be used at once."""
    body = _address_body(index, interface)
    if broadcast is not None:
        body += attribute(_IFA_BROADCAST, broadcast.packed)
    if no_dad:
        body += attribute(_IFA_FLAGS, _U32.pack(_IFA_F_NODAD))
    return Request(f"add address {interface}", RTM_NEWADDR, _NEW, body)


def del_address(index: int, interface: IPInterface) -> Request:
    return Request(f"delete address {interface}", RTM_DELADDR, _CHANGE, _address_body(index, interface))


def dump_addresses(*, index: int = 0, family: int = AF_UNSPEC) -> Request:
    """`index` 0 and AF_UNSPEC mean all.  Linux: the index is looked at only by sockets with strict checking."""
    return Request("list addresses", RTM_GETADDR, _DUMP, _IFADDR.pack(family, 0, 0, 0, index))


def new_route(
    destination: IPNetwork,
    *,
    gateway: IPAddress | None = None,
    oif: int | None = None,
    source: IPAddress | None = None,
    priority: int | None = None,
    onlink: bool = False,
) -> Request:
    """A route in the main table.  `onlink` says that the gateway is on `oif` though no address there says so."""
    scope = RT_SCOPE_LINK if gateway is None and destination.version == 4 else RT_SCOPE_UNIVERSE
    flags = _RTNH_F_ONLINK if onlink else 0
    body = _route_body(destination, _RTPROT_BOOT, scope, flags) + _route_attributes(gateway, oif, source, priority)
    return Request(f"add route {destination}", RTM_NEWROUTE, _NEW, body)


def del_route(destination: IPNetwork, *, gateway: IPAddress | None = None, oif: int | None = None) -> Request:
    # Scope "nowhere" and protocol 0 stand for any.
    body = _route_body(destination, 0, _RT_SCOPE_NOWHERE, 0) + _route_attributes(gateway, oif, None, None)
    return Request(f"delete route {destination}", RTM_DELROUTE, _CHANGE, body)


def dump_routes(family: int, *, table: int = RT_TABLE_MAIN) -> Request:
    """The unicast routes of one family and table.  Linux: the table is looked at only by sockets with strict checking."""
    body = _RTMSG.pack(family, 0, 0, 0, table, 0, 0, 0, 0)
    return Request("list routes", RTM_GETROUTE, _DUMP, body)


def _declared_errors(decode: Callable[[bytes], T]) -> Callable[[bytes], T]:
    """Whatever is wrong with a body, ValueError says so."""

    @functools.wraps(decode)
    def checked(body: bytes) -> T:
        try:
            return decode(body)
        except (struct.error, KeyError, IndexError) as e:
            raise ValueError(f"{decode.__name__}: malformed message") from e

    return checked


@_declared_errors
def decode_link(body: bytes) -> Link:
    _, _, index, flags, _ = _IFINFO.unpack_from(body)
    attributes = parse_attributes(body, _IFINFO.size)
    info = parse_attributes(attributes.get(_IFLA_LINKINFO, b""))
    operstate = attributes.get(_IFLA_OPERSTATE, b"\0")[0]
    return Link(
        index=index,
        name=text_of(attributes.get(_IFLA_IFNAME, b"")),
        kind=text_of(info.get(_IFLA_INFO_KIND, b"")),
        mac=format_mac(attributes.get(_IFLA_ADDRESS, b"")),
        mtu=_number(attributes, _IFLA_MTU),
        flags=flags,
        master=_number(attributes, _IFLA_MASTER),
        peer=_number(attributes, _IFLA_LINK),
        operstate=_OPERSTATES[operstate] if operstate < len(_OPERSTATES) else "unknown",
        alias=text_of(attributes.get(_IFLA_IFALIAS, b"")),
        group=_number(attributes, _IFLA_GROUP),
        stats=LinkStats(*_STATS64.unpack_from(attributes.get(_IFLA_STATS64, _NO_STATS))),
    )


@_declared_errors
def decode_link_state(body: bytes) -> tuple[int, bool]:
    """Index of the link, and whether it is up."""
    _, _, index, flags, _ = _IFINFO.unpack_from(body)
    return index, bool(flags & IFF_UP)


@_declared_errors
def decode_address(body: bytes) -> Address:
    family, prefix_length, flags, scope, index = _IFADDR.unpack_from(body)
    attributes = parse_attributes(body, _IFADDR.size)
    # On point-to-point links IFA_ADDRESS is the peer's; ours is IFA_LOCAL, which IPv6 leaves out otherwise.
    packed = attributes.get(_IFA_LOCAL) or attributes[_IFA_ADDRESS]
    kind = ipaddress.IPv4Interface if family == AF_INET else ipaddress.IPv6Interface
    return Address(
        index=index,
        interface=kind((packed, prefix_length)),
        scope=scope,
        flags=_number(attributes, _IFA_FLAGS) or flags,
    )


@_declared_errors
def decode_route(body: bytes) -> Route | None:
    """None for what is no unicast route (broadcast, local, blackhole …)."""
    family, prefix_length, _, _, table, protocol, scope, kind, _ = _RTMSG.unpack_from(body)
    if kind != _RTN_UNICAST:
        return None
    attributes = parse_attributes(body, _RTMSG.size)
    network = ipaddress.IPv4Network if family == AF_INET else ipaddress.IPv6Network
    packed = attributes.get(_RTA_DST, bytes(4 if family == AF_INET else 16))
    return Route(
        destination=network((packed, prefix_length)),
        gateway=_ip(attributes.get(_RTA_GATEWAY)),
        oif=_number(attributes, _RTA_OIF),
        source=_ip(attributes.get(_RTA_PREFSRC)),
        priority=_number(attributes, _RTA_PRIORITY),
        table=_number(attributes, _RTA_TABLE) or table,
        protocol=protocol,
        scope=scope,
    )


def parse_mac(text: str) -> bytes:
    """Six bytes of "02:42:ac:11:00:02"; ValueError for anything else."""
    parts = text.split(":")
    if len(parts) != 6 or not all(len(part) == 2 for part in parts):
        raise ValueError(f"not a MAC address: {text!r}")
    return bytes(int(part, 16) for part in parts)


def format_mac(packed: bytes) -> str:
    return packed.hex(":")


def _selector(index_or_name: int | str) -> bytes:
    if isinstance(index_or_name, int):
        return _IFINFO.pack(AF_UNSPEC, 0, index_or_name, 0, 0)
    return _IFINFO.pack(AF_UNSPEC, 0, 0, 0, 0) + attribute(_IFLA_IFNAME, _name(index_or_name))


def _link_head(spec: LinkSpec) -> bytes:
    state = IFF_UP if spec.up else 0
    return _IFINFO.pack(AF_UNSPEC, 0, 0, state, state)


def _link_properties(spec: LinkSpec) -> bytes:
    parent = attribute(_IFLA_LINK, _U32.pack(spec.parent)) if spec.parent is not None else b""
    return parent + _properties(spec.name, spec.mac, spec.mtu, spec.master, spec.netns_fd)


def _properties(name: str | None, mac: str | None, mtu: int | None, master: int | None, netns_fd: int | None) -> bytes:
    body = b""
    if name is not None:
        body += attribute(_IFLA_IFNAME, _name(name))
    if mac is not None:
        body += attribute(_IFLA_ADDRESS, parse_mac(mac))
    if mtu is not None:
        body += attribute(_IFLA_MTU, _U32.pack(mtu))
    if master is not None:
        body += attribute(_IFLA_MASTER, _U32.pack(master))
    if netns_fd is not None:
        body += attribute(_IFLA_NET_NS_FD, _U32.pack(netns_fd))
    return body


def _link_info(kind: str, data: bytes) -> bytes:
    info = attribute(_IFLA_INFO_KIND, kind.encode())
    if data:
        info += attribute(_IFLA_INFO_DATA | NLA_F_NESTED, data)
    return attribute(_IFLA_LINKINFO | NLA_F_NESTED, info)


def _address_body(index: int, interface: IPInterface) -> bytes:
    family = AF_INET if interface.version == 4 else AF_INET6
    return (
        _IFADDR.pack(family, interface.network.prefixlen, 0, RT_SCOPE_UNIVERSE, index)
        + attribute(_IFA_LOCAL, interface.packed)
        + attribute(_IFA_ADDRESS, interface.packed)
    )


def _route_body(destination: IPNetwork, protocol: int, scope: int, flags: int) -> bytes:
    family = AF_INET if destination.version == 4 else AF_INET6
    head = _RTMSG.pack(family, destination.prefixlen, 0, 0, RT_TABLE_MAIN, protocol, scope, _RTN_UNICAST, flags)
    return head + (attribute(_RTA_DST, destination.network_address.packed) if destination.prefixlen else b"")


def _route_attributes(
    gateway: IPAddress | None, oif: int | None, source: IPAddress | None, priority: int | None
) -> bytes:
    body = b""
    if gateway is not None:
        body += attribute(_RTA_GATEWAY, gateway.packed)
    if oif is not None:
        body += attribute(_RTA_OIF, _U32.pack(oif))
    if source is not None:
        body += attribute(_RTA_PREFSRC, source.packed)
    if priority is not None:
        body += attribute(_RTA_PRIORITY, _U32.pack(priority))
    return body


def is_link_name(name: str) -> bool:
    """Linux: dev_valid_name."""
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return False
    return 1 <= size <= 15 and name not in {".", ".."} and not any(c in "/:\0" or c.isspace() for c in name)


def _name(name: str) -> bytes:
    if not is_link_name(name):
        raise ValueError(f"not a link name: {name!r}")
    return name.encode() + b"\0"


def _number(attributes: dict[int, bytes], kind: int) -> int:
    value = attributes.get(kind)
    return 0 if value is None else int(_U32.unpack_from(value)[0])


def _ip(packed: bytes | None) -> IPAddress | None:
    return None if packed is None else ipaddress.ip_address(packed)
