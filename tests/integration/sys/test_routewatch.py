"""Routes that come and go, in a network namespace of the test's own."""

from collections.abc import Iterator
from ipaddress import ip_interface, ip_network
from pathlib import Path

import pytest

from wharfd.sys import netns
from wharfd.sys.netlink import Netlink
from wharfd.sys.routewatch import RouteWatch

pytestmark = pytest.mark.root


@pytest.fixture
def namespace(tmp_path: Path) -> Iterator[str]:
    path = str(tmp_path / "netns")
    netns.create(path)
    try:
        yield path
    finally:
        netns.delete(path)


def test_what_is_reached_by_others_links(namespace: str) -> None:
    def inside() -> None:
        near = Netlink()
        indexes = []
        for number in range(2):
            near.create_bridge(f"b{number}", up=True)
            indexes.append(near.link(f"b{number}").index)
            near.add_address(indexes[-1], ip_interface(f"10.{number}.0.1/24"))
        watch = RouteWatch()

        def seen(*own: int) -> list[str]:
            return sorted(str(network) for network in watch.networks(set(own)))

        try:
            assert seen(indexes[0]) == ["10.1.0.0/24"]
            near.add_route(ip_network("10.9.0.0/16"), oif=indexes[1])
            near.add_route(ip_network("10.8.0.0/16"), oif=indexes[0])  # by a link of ours
            near.add_route(ip_network("0.0.0.0/0"), oif=indexes[1])
            assert seen(indexes[0]) == ["10.1.0.0/24", "10.9.0.0/16"]
            near.delete_route(ip_network("10.9.0.0/16"), oif=indexes[1])
            assert seen(indexes[0]) == ["10.1.0.0/24"]
            near.delete_link(indexes[1])
            assert seen(indexes[0]) == []
        finally:
            watch.close()
            near.close()

    netns.run_in(namespace, inside)


def test_more_than_the_kernel_can_tell(namespace: str) -> None:
    def inside() -> int:
        near = Netlink()
        near.create_bridge("b0", up=True)
        index = near.link("b0").index
        near.add_address(index, ip_interface("10.0.0.1/24"))
        watch = RouteWatch()
        try:
            assert len(watch.networks(set())) == 1
            for number in range(3000):
                near.add_route(ip_network(f"10.{1 + number // 256}.{number % 256}.0/24"), oif=index)
            return len(watch.networks(set()))
        finally:
            watch.close()
            near.close()

    assert netns.run_in(namespace, inside) == 3001
