"""Options of macvlan and ipvlan networks, and the messages that make their links (the kernel's constants are those of if_link.h)."""

import struct
from typing import Any

import pytest

from wharfd.drivers.network.macvlan.options import VlanName, parse_options, parse_vlan
from wharfd.model.errors import InvalidParameter
from wharfd.wire.netlink import parse_attributes
from wharfd.wire.rtlink import LinkSpec, new_ipvlan, new_macvlan, new_vlan


@pytest.mark.parametrize(
    ("kind", "options", "field", "value"),
    [
        ("macvlan", {}, "mode", "bridge"),
        ("macvlan", {"macvlan_mode": "vepa"}, "mode", "vepa"),
        ("macvlan", {"macvlan_mode": "passthru"}, "is_exclusive", True),
        ("ipvlan", {}, "mode", "l2"),
        ("ipvlan", {}, "is_routed", False),
        ("ipvlan", {"ipvlan_mode": "l3s"}, "is_routed", True),
        ("ipvlan", {"ipvlan_flag": "private"}, "flag", "private"),
        ("macvlan", {"com.docker.network.driver.mtu": "1400", "other": "kept"}, "mtu", 1400),
    ],
)
def test_options(kind: str, options: dict[str, str], field: str, value: Any) -> None:
    assert getattr(parse_options(kind, options), field) == value


@pytest.mark.parametrize(
    ("kind", "options", "text"),
    [
        ("macvlan", {"parent": "a\0b"}, "-o parent interface was not found on the host: a\0b"),
        ("macvlan", {"parent": "lo"}, "loopback interface is not a valid macvlan parent link"),
        (
            "ipvlan",
            {"ipvlan_mode": "x"},
            "requested ipvlan mode 'x' is not valid, 'l2' mode is the ipvlan driver default",
        ),
        (
            "ipvlan",
            {"ipvlan_flag": "x"},
            "requested ipvlan flag 'x' is not valid, 'bridge' is the ipvlan driver default",
        ),
        ("macvlan", {"com.docker.network.driver.mtu": "-1"}, "invalid MTU: -1"),
    ],
)
def test_refused_options(kind: str, options: dict[str, str], text: str) -> None:
    with pytest.raises(InvalidParameter) as told:
        parse_options(kind, options)
    assert str(told.value) == text


def test_names_of_sub_interfaces() -> None:
    assert parse_vlan("eth0.10") == VlanName("eth0", 10)
    for name in ("eth0", "eth0.x", "eth0.0", "eth0.4095", "a.b.10"):
        with pytest.raises(InvalidParameter):
            parse_vlan(name)


def link_of(body: bytes) -> tuple[int, str, bytes]:
    """Parent, kind and data of a message that makes a link."""
    attributes = parse_attributes(body, 16)
    info = parse_attributes(attributes[18])
    return struct.unpack("=I", attributes[5])[0], info[1].decode(), info[2]


def test_messages() -> None:
    spec = LinkSpec(name="eth0", parent=7)
    assert link_of(new_macvlan(spec, 4).body) == (7, "macvlan", struct.pack("=HHI", 8, 1, 4))
    assert link_of(new_ipvlan(spec, 1).body) == (7, "ipvlan", struct.pack("=HHHxx", 6, 1, 1))
    flagged = struct.pack("=HHHxxHHHxx", 6, 1, 0, 6, 2, 1)
    assert link_of(new_ipvlan(spec, 0, 1).body) == (7, "ipvlan", flagged)
    assert link_of(new_vlan(spec, 10).body) == (7, "vlan", struct.pack("=HHHxx", 6, 1, 10))
