"""Messages about tracked connections; that the kernel understands them is shown by tests/integration/sys/test_conntrack.py."""

from ipaddress import ip_address

import pytest

from wharfd.wire.conntrack import UDP, decode_flow, del_flow, dump_flows

# Of `conntrack -L -p udp` on Linux 6.18: 192.0.2.9:40000 -> 192.0.2.1:8053, as the kernel sent it, its counters cut off.
LISTED = bytes.fromhex(
    "02000000340001801400018008000100c0000209080002 00c0000201".replace(" ", "")
    + "1c000280050001001100000006000200 9c4000000600030 01f750000".replace(" ", "")
    + "08000c0012345678"
)


def test_a_flow_is_read_and_named_again_for_its_deletion() -> None:
    flow = decode_flow(LISTED)
    assert flow is not None
    assert (flow.protocol, flow.destination, flow.port) == (UDP, ip_address("192.0.2.1"), 8053)
    assert del_flow(flow).body == LISTED


def test_what_has_no_ports_is_passed_over() -> None:
    assert decode_flow(LISTED[:4]) is None


@pytest.mark.parametrize("cut", [1, 10, 30])
def test_a_cut_message(cut: int) -> None:
    with pytest.raises(ValueError):
        decode_flow(LISTED[:cut])


def test_families_are_asked_apart() -> None:
    assert [dump_flows(is_ipv6, UDP, 53).body[0] for is_ipv6 in (False, True)] == [2, 10]
