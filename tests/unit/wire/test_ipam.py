"""Subnets avoid what is routed; addresses are unique, in range, and come back late."""

from ipaddress import IPv4Network, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfd.model.errors import Conflict, Forbidden, InvalidParameter, NotFound
from wharfd.model.network import IPAMPool
from wharfd.wire.ipam import AddressPool, Subnets, check_areas, check_pools, free_subnet, mac_of, parse_bip


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


def test_thousands_of_networks_fit_and_none_overlaps() -> None:
    subnets = Subnets()
    for _ in range(4000):
        subnets.claim(subnets.free(4))  # raises if it overlaps
    assert len(subnets.firsts[4]) == 4000


def test_a_network_avoids_routes_and_what_is_claimed_by_hand() -> None:
    subnets = Subnets([("10.9.0.0/22", 24)])
    subnets.claim(ip_network("10.9.1.128/25"))
    routes = [IPv4Network(each) for each in ("0.0.0.0/0", "10.9.0.0/30", "10.9.3.0/24")]
    free = subnets.free(4, routes)
    assert str(free) == "10.9.2.0/24"
    subnets.claim(free)
    with pytest.raises(NotFound, match="fully subnetted"):
        subnets.free(4, routes)
    subnets.release(free)
    assert subnets.free(4, routes) == free


@pytest.mark.parametrize("other", ["10.9.0.0/16", "10.9.1.0/25", "10.9.1.255/32", "10.0.0.0/8"])
def test_overlapping_subnets_are_refused(other: str) -> None:
    subnets = Subnets()
    subnets.claim(ip_network("10.9.1.0/24"))
    with pytest.raises(Forbidden, match="Pool overlaps with other one on this address space"):
        subnets.claim(ip_network(other))


def test_both_families_have_their_own_subnets() -> None:
    subnets = Subnets([("10.9.0.0/16", 24), ("fd00:1:2::/48", 64), ("fd00:1:3::/63", 64)])
    subnets.claim(subnets.free(6))
    assert str(subnets.free(6)) == "fd00:1:2:1::/64"
    assert str(subnets.free(4)) == "10.9.0.0/24"


def test_areas_one_after_the_other() -> None:
    subnets = Subnets([("10.9.0.0/24", 25), ("10.10.0.0/24", 24)])
    found = [subnets.free(4) for _ in range(4)]
    assert [str(each) for each in found] == ["10.9.0.0/25", "10.9.0.128/25", "10.10.0.0/24", "10.9.0.0/25"]


@pytest.mark.parametrize(
    ("area", "text"),
    [(("10.9.0.0", 24), "invalid CIDR address"), (("10.9.0.0/24", 16), "size 16"), (("fd00::/48", 129), "size 129")],
)
def test_bad_areas(area: tuple[str, int], text: str) -> None:
    with pytest.raises(InvalidParameter, match=text):
        check_areas([area])


@pytest.mark.parametrize(
    ("pool", "text"),
    [
        ({"subnet": "foo"}, "invalid subnet foo: invalid CIDR block notation"),
        ({"subnet": ""}, "invalid subnet : invalid CIDR block notation"),
        ({"subnet": "10.1.2.3/24"}, "invalid subnet 10.1.2.3/24: it should be 10.1.2.0/24"),
        (
            {"subnet": "10.9.0.0/24", "gateway": "10.8.0.1"},
            "invalid gateway 10.8.0.1: parent subnet 10.9.0.0/24 doesn't contain this address",
        ),
        ({"subnet": "10.9.0.0/24", "gateway": "foo"}, "invalid gateway foo: invalid address"),
        (
            {"subnet": "10.9.0.0/24", "ip_range": "10.8.0.0/25"},
            "invalid ip-range 10.8.0.0/25: parent subnet 10.9.0.0/24 doesn't contain ip-range",
        ),
        (
            {"subnet": "10.9.0.0/24", "ip_range": "10.9.0.0/16"},
            "invalid ip-range 10.9.0.0/16: CIDR block is bigger than its parent subnet 10.9.0.0/24",
        ),
        (
            {"subnet": "10.9.0.0/24", "ip_range": "10.9.0.5/25"},
            "invalid ip-range 10.9.0.5/25: it should be 10.9.0.0/25",
        ),
        (
            {"subnet": "10.9.0.0/24", "aux_addresses": {"a": "10.8.0.4"}},
            "invalid auxiliary address a: parent subnet 10.9.0.0/24 doesn't contain this address",
        ),
    ],
)
def test_what_is_wrong_with_a_pool(pool: dict[str, object], text: str) -> None:
    with pytest.raises(InvalidParameter) as refused:
        check_pools([IPAMPool(**pool)])  # type: ignore[arg-type]
    assert str(refused.value) == f"invalid network config:\n{text}"
    check_pools([IPAMPool(subnet="10.9.0.0/24", gateway="10.9.0.1", ip_range="10.9.0.128/25")])
