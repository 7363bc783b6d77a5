"""Subnets avoid what is routed; addresses are unique, in range, and come back late."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfd.model.errors import Conflict, Forbidden, InvalidParameter
from wharfd.model.network import IPAMPool
from wharfd.wire.ipam import AddressPool, free_subnet, mac_of, parse_bip


def test_first_candidate_is_taken_when_nothing_is_routed() -> None:
    assert str(free_subnet([])) == "10.213.0.0/20"


def test_a_route_that_overlaps_is_avoided_and_the_default_route_is_not_one() -> None:
    assert str(free_subnet([ip_network("0.0.0.0/0"), ip_network("10.0.0.0/8")])) == "172.28.0.0/20"


def test_no_subnet_left() -> None:
    with pytest.raises(Conflict, match="non-overlapping IPv4 address pool"):
        free_subnet([ip_network("10.0.0.0/8"), ip_network("172.16.0.0/12"), ip_network("192.168.0.0/16")])


def test_bip() -> None:
    assert parse_bip("10.9.0.1/24") == IPAMPool(subnet="10.9.0.0/24", gateway="10.9.0.1")


@pytest.mark.parametrize("text", ["", "x", "10.9.0.0/24", "10.9.0.255/24", "10.9.0.1", "10.9.0.1/31", "10.9.0.1/33"])
def test_bad_bip(text: str) -> None:
    with pytest.raises(InvalidParameter):
        parse_bip(text)


def test_first_address_is_the_one_behind_the_gateway() -> None:
    pool = AddressPool(IPAMPool(subnet="10.9.0.0/24", gateway="10.9.0.1"))
    assert pool.allocate() == "10.9.0.2"
    assert pool.prefix_length == 24


def test_a_freed_address_is_not_reused_at_once() -> None:
    pool = AddressPool(IPAMPool(subnet="10.9.0.0/24", gateway="10.9.0.1"))
    first = pool.allocate()
    pool.release(first)
    assert pool.allocate() != first


def test_exhaustion_and_reuse_after_a_round() -> None:
    pool = AddressPool(IPAMPool(subnet="10.9.0.0/29", gateway="10.9.0.1"))
    got = [pool.allocate() for _ in range(5)]
    with pytest.raises(Conflict, match="no available"):
        pool.allocate()
    pool.release(got[2])
    assert pool.allocate() == got[2]


def test_wanted_address() -> None:
    pool = AddressPool(IPAMPool(subnet="10.9.0.0/24", gateway="10.9.0.1"))
    assert pool.allocate("10.9.0.77") == "10.9.0.77"
    with pytest.raises(Forbidden, match="Address already in use"):
        pool.allocate("10.9.0.77")
    with pytest.raises(InvalidParameter):
        pool.allocate("10.8.0.1")


def test_mac() -> None:
    assert mac_of("10.213.0.2") == "02:42:0a:d5:00:02"


@given(st.lists(st.booleans(), max_size=200), st.sampled_from(["10.9.0.0/26", "fd00::/120"]))
def test_never_twice_and_always_inside(steps: list[bool], subnet: str) -> None:
    network = ip_network(subnet)
    pool = AddressPool(IPAMPool(subnet=subnet, gateway=str(network.network_address + 1)))
    held: list[str] = []
    for allocate in steps:
        if allocate and len(held) < network.num_addresses - 3:
            got = pool.allocate()
            assert got not in held
            assert ip_address(got) in network
            held.append(got)
        elif held:
            pool.release(held.pop(0))
