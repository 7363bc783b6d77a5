"""rtnetlink(7), addresses and routes as netlink messages.  Links: `rtlink`; `sys/netlink.py` has the sockets.

The builders (`new_…`, `del_…`, `dump_…`) give `Request`s, the `decode_…` functions read the bodies of what comes back.  Addresses are
`ipaddress` objects.
"""

import ipaddress
import struct
from dataclasses import dataclass

from wharfd.wire.netlink import (
    AF_INET,
    AF_INET6,
    AF_UNSPEC,
    CHANGE,
    DUMP,
    NEW,
    U32,
    Request,
    attribute,
    declared_errors,
    number_of,
    parse_attributes,
)

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPInterface = ipaddress.IPv4Interface | ipaddress.IPv6Interface
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

RTM_NEWADDR = 20
RTM_DELADDR = 21
RTM_GETADDR = 22
RTM_NEWROUTE = 24
RTM_DELROUTE = 25
RTM_GETROUTE = 26

RT_TABLE_MAIN = 254
RT_SCOPE_UNIVERSE = 0
RT_SCOPE_LINK = 253
_RT_SCOPE_NOWHERE = 255
_RTPROT_BOOT = 3
_RTN_UNICAST = 1
_RTNH_F_ONLINK = 0x4

_IFA_F_NODAD = 0x02
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

_IFADDR = struct.Struct("=BBBBI")
_RTMSG = struct.Struct("=BBBBBBBBI")


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


def new_address(
    index: int, interface: IPInterface, *, broadcast: ipaddress.IPv4Address | None = None, no_dad: bool = False
) -> Request:
    """`no_dad` skips duplicate address detection (IPv6), so that the address can be used at once."""
    body = _address_body(index, interface)
    if broadcast is not None:
        body += attribute(_IFA_BROADCAST, broadcast.packed)
    if no_dad:
        body += attribute(_IFA_FLAGS, U32.pack(_IFA_F_NODAD))
    return Request(f"add address {interface}", RTM_NEWADDR, NEW, body)


def del_address(index: int, interface: IPInterface) -> Request:
    return Request(f"delete address {interface}", RTM_DELADDR, CHANGE, _address_body(index, interface))


def dump_addresses(*, index: int = 0, family: int = AF_UNSPEC) -> Request:
    """`index` 0 and AF_UNSPEC mean all.  Linux: the index is looked at only by sockets with strict checking."""
    return Request("list addresses", RTM_GETADDR, DUMP, _IFADDR.pack(family, 0, 0, 0, index))


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
    return Request(f"add route {destination}", RTM_NEWROUTE, NEW, body)


def del_route(destination: IPNetwork, *, gateway: IPAddress | None = None, oif: int | None = None) -> Request:
    # Scope "nowhere" and protocol 0 stand for any.
    body = _route_body(destination, 0, _RT_SCOPE_NOWHERE, 0) + _route_attributes(gateway, oif, None, None)
    return Request(f"delete route {destination}", RTM_DELROUTE, CHANGE, body)


def dump_routes(family: int, *, table: int = RT_TABLE_MAIN) -> Request:
    """The unicast routes of one family and table.  Linux: the table is looked at only by sockets with strict checking."""
    body = _RTMSG.pack(family, 0, 0, 0, table, 0, 0, 0, 0)
    return Request("list routes", RTM_GETROUTE, DUMP, body)


@declared_errors
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
        flags=number_of(attributes, _IFA_FLAGS) or flags,
    )


@declared_errors
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
        oif=number_of(attributes, _RTA_OIF),
        source=_ip(attributes.get(_RTA_PREFSRC)),
        priority=number_of(attributes, _RTA_PRIORITY),
        table=number_of(attributes, _RTA_TABLE) or table,
        protocol=protocol,
        scope=scope,
    )


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
        body += attribute(_RTA_OIF, U32.pack(oif))
    if source is not None:
        body += attribute(_RTA_PREFSRC, source.packed)
    if priority is not None:
        body += attribute(_RTA_PRIORITY, U32.pack(priority))
    return body


def _ip(packed: bytes | None) -> IPAddress | None:
    return None if packed is None else ipaddress.ip_address(packed)
