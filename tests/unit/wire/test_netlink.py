"""Netlink messages without a kernel: framing, attributes, decoding, and what malformed input does."""

import ipaddress
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfd.wire import netlink, rtlink, rtnetlink
from wharfd.wire.netlink import Message, Request, attribute, decode_error, parse_attributes, split_messages
from wharfd.wire.rtlink import LinkSpec


def test_create_bridge_bytes() -> None:
    packed = rtlink.new_link("bridge", LinkSpec(name="br0")).pack(1)
    (message,) = split_messages(packed)
    assert message.kind == rtlink.RTM_NEWLINK
    assert struct.unpack_from("=I", packed)[0] == len(packed)
    attributes = parse_attributes(message.body, 16)
    assert attributes[3] == b"br0\0"
    assert parse_attributes(attributes[18])[1] == b"bridge"


def test_veth_carries_a_complete_peer() -> None:
    far = LinkSpec(name="eth0", mac="02:42:ac:11:00:02", mtu=1500, netns_fd=9)
    request = rtlink.new_veth(LinkSpec(name="veth0", master=4, up=True), far)
    outer = parse_attributes(request.body, 16)
    assert struct.unpack("=I", outer[10])[0] == 4
    data = parse_attributes(parse_attributes(outer[18])[2])
    peer = data[1]
    assert struct.unpack_from("=BxHiII", peer) == (0, 0, 0, 0, 0)
    inner = parse_attributes(peer, 16)
    assert inner[3] == b"eth0\0"
    assert inner[1] == bytes.fromhex("0242ac110002")
    assert struct.unpack("=I", inner[28])[0] == 9
    assert struct.unpack_from("=BxHiII", request.body) == (0, 0, 0, 1, 1)
    for refused in (LinkSpec(name="b", master=1), LinkSpec(name="b", up=True)):
        with pytest.raises(ValueError, match="set_link"):
            rtlink.new_veth(LinkSpec(name="a"), refused)


def test_routes_and_addresses_survive_their_encoding() -> None:
    """What we send is what the kernel would answer, so the decoders read the builders' bodies."""
    v4 = ipaddress.IPv4Interface("10.1.2.3/20")
    v6 = ipaddress.IPv6Interface("fd00::5/64")
    assert rtnetlink.decode_address(rtnetlink.new_address(7, v4).body).interface == v4
    address = rtnetlink.decode_address(rtnetlink.new_address(7, v6, no_dad=True).body)
    assert (address.interface, address.index, address.flags) == (v6, 7, 2)
    route = rtnetlink.decode_route(
        rtnetlink.new_route(
            ipaddress.IPv4Network("10.9.0.0/16"),
            gateway=ipaddress.IPv4Address("10.1.0.1"),
            oif=3,
            source=v4.ip,
            priority=100,
        ).body
    )
    assert route is not None
    assert str(route.destination) == "10.9.0.0/16"
    assert (str(route.gateway), route.oif, route.source, route.priority) == ("10.1.0.1", 3, v4.ip, 100)
    default = rtnetlink.decode_route(rtnetlink.new_route(ipaddress.IPv6Network("::/0"), oif=3).body)
    assert default is not None
    assert (str(default.destination), default.gateway) == ("::/0", None)


def test_what_is_no_unicast_route_is_left_out() -> None:
    broadcast = struct.pack("=BBBBBBBBI", 2, 32, 0, 0, 255, 2, 253, 3, 0) + attribute(1, bytes(4))
    assert rtnetlink.decode_route(broadcast) is None


def test_error_with_the_kernels_words() -> None:
    header = bytes(16)
    body = struct.pack("=i", -22) + header + attribute(1, b"mtu less than device minimum\0")
    assert decode_error(Message(netlink.NLMSG_ERROR, 0x200 | 0x100, 1, body)) == (22, "mtu less than device minimum")
    assert decode_error(Message(netlink.NLMSG_ERROR, 0x100, 1, struct.pack("=i", 0) + header)) == (0, "")
    assert decode_error(Message(netlink.NLMSG_DONE, 0, 1, struct.pack("=i", 0))) == (0, "")
    assert decode_error(Message(netlink.NLMSG_DONE, 0, 1, b"")) == (0, "")


@pytest.mark.parametrize("name", ["", "sixteen-letters!", "a\0b"])
def test_names_that_no_link_can_have(name: str) -> None:
    with pytest.raises(ValueError, match="link name"):
        rtlink.new_link("dummy", LinkSpec(name=name))


@pytest.mark.parametrize(
    "mac", ["", "02:42:ac:11:00", "02:42:ac:11:00:02:03", "02-42-ac-11-00-02", "xx:42:ac:11:00:02"]
)
def test_macs_that_are_none(mac: str) -> None:
    with pytest.raises(ValueError):
        rtlink.parse_mac(mac)


@given(st.binary(min_size=6, max_size=6))
def test_macs_survive(packed: bytes) -> None:
    assert rtlink.parse_mac(rtlink.format_mac(packed)) == packed


@given(st.dictionaries(st.integers(0, 0x3FFF), st.binary(max_size=50)))
def test_attributes_survive(attributes: dict[int, bytes]) -> None:
    packed = b"".join(attribute(kind, value) for kind, value in attributes.items())
    assert len(packed) % 4 == 0
    assert parse_attributes(packed) == attributes


@given(st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=50)), max_size=5))
def test_messages_survive(messages: list[tuple[int, bytes]]) -> None:
    packed = b""
    for sequence, (kind, body) in enumerate(messages):
        one = Request("", kind, 1, body).pack(sequence)
        packed += one + bytes(-len(one) % 4)
    assert [(m.sequence, m.kind, m.body) for m in split_messages(packed)] == [
        (sequence, kind, body) for sequence, (kind, body) in enumerate(messages)
    ]


@given(st.binary(max_size=200))
def test_garbage_draws_value_errors_only(data: bytes) -> None:
    for decode in (rtlink.decode_link, rtnetlink.decode_address, rtnetlink.decode_route, parse_attributes):
        try:
            decode(data)
        except ValueError:
            continue
    try:
        list(split_messages(data))
    except ValueError:
        pass
