"""Tracked connections as netlink messages (Linux: include/uapi/linux/netfilter/nfnetlink_conntrack.h): find some, delete them.

A NAT rule is asked for the first packet of a connection only; the others follow what was decided then.  For UDP a "connection" is
whatever comes from the same port, for as long as it does, so that a client can hang on to a container that is gone.
"""

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from wharfd.wire.netlink import NLA_F_NESTED, NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, Request, attribute, parse_attributes

UDP = 17

_AF_INET, _AF_INET6 = 2, 10
_SUBSYSTEM = 1 << 8
_GET, _DELETE = _SUBSYSTEM | 1, _SUBSYSTEM | 2
_ORIGINAL, _ID, _ZONE, _FILTER = 1, 12, 18, 25
_TUPLE_IP, _TUPLE_PROTOCOL = 1, 2
_V4_DESTINATION, _V6_DESTINATION = 2, 4
_PROTOCOL_NUMBER, _DESTINATION_PORT = 1, 3
_FILTER_ORIGINAL = 1
_BY_PROTOCOL_AND_PORT = 1 << 3 | 1 << 5

_HEAD = struct.Struct("=BBH")
_U16 = struct.Struct("!H")
_U32 = struct.Struct("=I")


@dataclass(frozen=True, slots=True)
class Flow:
    """A tracked connection, by the packet that opened it.  `key` has what the kernel needs to find it again."""

    family: int
    protocol: int
    destination: IPv4Address | IPv6Address
    port: int
    key: bytes


def dump_flows(is_ipv6: bool, protocol: int, port: int) -> Request:
    """Those whose first packet went to that port.  Linux: before 5.8 the filter is passed over, and all are listed."""
    words = attribute(_PROTOCOL_NUMBER, bytes((protocol,))) + attribute(_DESTINATION_PORT, _U16.pack(port))
    body = (
        _HEAD.pack(_AF_INET6 if is_ipv6 else _AF_INET, 0, 0)
        + attribute(_ORIGINAL | NLA_F_NESTED, attribute(_TUPLE_PROTOCOL | NLA_F_NESTED, words))
        + attribute(_FILTER | NLA_F_NESTED, attribute(_FILTER_ORIGINAL, _U32.pack(_BY_PROTOCOL_AND_PORT)))
    )
    return Request("list tracked connections", _GET, NLM_F_REQUEST | NLM_F_DUMP, body)


def decode_flow(body: bytes) -> Flow | None:
    """None for what has no ports or address.  ValueError for what is no such message."""
    if len(body) < _HEAD.size:
        raise ValueError("a tracked connection without its head")
    family, _, _ = _HEAD.unpack_from(body)
    attributes = parse_attributes(body, _HEAD.size)
    original = attributes.get(_ORIGINAL, b"")
    parts = parse_attributes(original)
    addresses = parse_attributes(parts.get(_TUPLE_IP, b""))
    protocol = parse_attributes(parts.get(_TUPLE_PROTOCOL, b""))
    destination = addresses.get(_V6_DESTINATION if family == _AF_INET6 else _V4_DESTINATION, b"")
    number, port = protocol.get(_PROTOCOL_NUMBER, b""), protocol.get(_DESTINATION_PORT, b"")
    if len(destination) not in {4, 16} or len(number) != 1 or len(port) != 2:
        return None
    key = attribute(_ORIGINAL | NLA_F_NESTED, original)
    key += b"".join(attribute(kind, attributes[kind]) for kind in (_ID, _ZONE) if kind in attributes)
    return Flow(family, number[0], ip_address(destination), int(_U16.unpack(port)[0]), key)


def del_flow(flow: Flow) -> Request:
    """ENOENT when it has ended meanwhile."""
    body = _HEAD.pack(flow.family, 0, 0) + flow.key
    return Request("delete tracked connection", _DELETE, NLM_F_REQUEST | NLM_F_ACK, body)
