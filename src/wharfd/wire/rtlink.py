"""rtnetlink(7), links: messages that make, change, list and delete network interfaces.  Addresses and routes: `rtnetlink`.

The builders (`new_…`, `set_…`, `del_…`, `get_…`, `dump_…`) give `Request`s, the `decode_…` functions read the bodies of what comes
back.  MACs are the usual text.
"""

import struct
from dataclasses import dataclass

from wharfd.wire.netlink import (
    AF_BRIDGE,
    AF_UNSPEC,
    CHANGE,
    DUMP,
    NEW,
    NLA_F_NESTED,
    NLM_F_REQUEST,
    U32,
    Request,
    attribute,
    declared_errors,
    number_of,
    parse_attributes,
    text_of,
)

RTM_NEWLINK = 16
RTM_DELLINK = 17
RTM_GETLINK = 18
RTM_SETLINK = 19

IFF_UP = 0x1
IFF_LOOPBACK = 0x8

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

_IFINFO = struct.Struct("=BxHiII")
_U16 = struct.Struct("=H")
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
    return Request(f"create {kind} {spec.name}", RTM_NEWLINK, NEW, body)


def new_veth(near: LinkSpec, far: LinkSpec) -> Request:
    """Create a veth pair, each end with its name, MAC, MTU and namespace; the near one may get a master and be up at once.

    Linux: the far end is configured before the two are connected, so it can neither be up (ENOTCONN) nor get a master yet.
    """
    if far.up or far.master is not None:
        raise ValueError("the far end of a veth pair gets its master and state by set_link")
    peer = attribute(_VETH_INFO_PEER | NLA_F_NESTED, _link_head(far) + _link_properties(far))
    body = _link_head(near) + _link_properties(near) + _link_info("veth", peer)
    return Request(f"create veth {near.name}", RTM_NEWLINK, NEW, body)


def new_macvlan(spec: LinkSpec, mode: int) -> Request:
    """A link with a MAC address of its own on the wire of `spec.parent`.  Linux: that is looked up where the socket is."""
    return new_link("macvlan", spec, attribute(_MACVLAN_MODE, U32.pack(mode)))


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
    return Request(f"set link {index}", RTM_NEWLINK, CHANGE, body)


def set_bridge_port(index: int, *, hairpin: bool | None = None, isolated: bool | None = None) -> Request:
    """Port options of a bridge: frames may leave by the port they came in; isolated ports do not talk with each other."""
    options = b""
    if hairpin is not None:
        options += attribute(_IFLA_BRPORT_MODE, bytes((hairpin,)))
    if isolated is not None:
        options += attribute(_IFLA_BRPORT_ISOLATED, bytes((isolated,)))
    body = _IFINFO.pack(AF_BRIDGE, 0, index, 0, 0) + attribute(_IFLA_PROTINFO | NLA_F_NESTED, options)
    return Request(f"set bridge port {index}", RTM_SETLINK, CHANGE, body)


def del_link(index_or_name: int | str) -> Request:
    """A veth's other end goes with it."""
    return Request(f"delete link {index_or_name}", RTM_DELLINK, CHANGE, _selector(index_or_name))


def set_group(index_or_name: int | str, group: int) -> Request:
    body = _selector(index_or_name) + attribute(_IFLA_GROUP, U32.pack(group))
    return Request(f"set group of link {index_or_name}", RTM_NEWLINK, CHANGE, body)


def del_group(group: int) -> Request:
    """All links of the group, which is not 0, in one go: as long as one takes.  ENODEV when there are none."""
    body = _IFINFO.pack(AF_UNSPEC, 0, 0, 0, 0) + attribute(_IFLA_GROUP, U32.pack(group))
    return Request(f"delete links of group {group}", RTM_DELLINK, CHANGE, body)


def get_link(index_or_name: int | str) -> Request:
    body = _selector(index_or_name)
    return Request(f"get link {index_or_name}", RTM_GETLINK, NLM_F_REQUEST, body)


def dump_links() -> Request:
    return Request("list links", RTM_GETLINK, DUMP, _IFINFO.pack(AF_UNSPEC, 0, 0, 0, 0))


@declared_errors
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
        mtu=number_of(attributes, _IFLA_MTU),
        flags=flags,
        master=number_of(attributes, _IFLA_MASTER),
        peer=number_of(attributes, _IFLA_LINK),
        operstate=_OPERSTATES[operstate] if operstate < len(_OPERSTATES) else "unknown",
        alias=text_of(attributes.get(_IFLA_IFALIAS, b"")),
        group=number_of(attributes, _IFLA_GROUP),
        stats=LinkStats(*_STATS64.unpack_from(attributes.get(_IFLA_STATS64, _NO_STATS))),
    )


@declared_errors
def decode_link_state(body: bytes) -> tuple[int, bool]:
    """Index of the link, and whether it is up."""
    _, _, index, flags, _ = _IFINFO.unpack_from(body)
    return index, bool(flags & IFF_UP)


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
    parent = attribute(_IFLA_LINK, U32.pack(spec.parent)) if spec.parent is not None else b""
    return parent + _properties(spec.name, spec.mac, spec.mtu, spec.master, spec.netns_fd)


def _properties(name: str | None, mac: str | None, mtu: int | None, master: int | None, netns_fd: int | None) -> bytes:
    body = b""
    if name is not None:
        body += attribute(_IFLA_IFNAME, _name(name))
    if mac is not None:
        body += attribute(_IFLA_ADDRESS, parse_mac(mac))
    if mtu is not None:
        body += attribute(_IFLA_MTU, U32.pack(mtu))
    if master is not None:
        body += attribute(_IFLA_MASTER, U32.pack(master))
    if netns_fd is not None:
        body += attribute(_IFLA_NET_NS_FD, U32.pack(netns_fd))
    return body


def _link_info(kind: str, data: bytes) -> bytes:
    info = attribute(_IFLA_INFO_KIND, kind.encode())
    if data:
        info += attribute(_IFLA_INFO_DATA | NLA_F_NESTED, data)
    return attribute(_IFLA_LINKINFO | NLA_F_NESTED, info)


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
