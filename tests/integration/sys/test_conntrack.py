"""Flows that are forgotten, in a network namespace of the test's own."""

import socket
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from wharfd.sys import netns
from wharfd.sys.conntrack import forget_udp
from wharfd.sys.nftables import Nft

pytestmark = pytest.mark.root

TRACKING = "add table inet t\nadd chain inet t c { type filter hook output priority 0; }\nadd rule inet t c ct state new accept"


@pytest.fixture
def namespace(tmp_path: Path) -> Iterator[str]:
    path = str(tmp_path / "netns")
    netns.create(path)
    try:
        with Nft.in_netns(path) as nft:
            nft.run(TRACKING)
        yield path
    finally:
        netns.delete(path)


def send(target: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in target else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x", (target, port))


@pytest.mark.parametrize(("target", "other"), [("127.0.0.1", "127.0.0.2"), ("::1", "")])
def test_only_the_flows_that_are_meant(namespace: str, target: str, other: str) -> None:
    is_ipv6 = ":" in target

    def inside() -> list[int]:
        for each in filter(None, (target, other)):
            send(each, 5353)
            send(each, 5354)
        send(target, 5353)  # another flow: its port is another one
        return [
            forget_udp(5353, [ip_address(target)], is_ipv6=is_ipv6),
            forget_udp(5353, [ip_address(target)], is_ipv6=is_ipv6),
            forget_udp(5353, [], is_ipv6=is_ipv6),
            forget_udp(5354, [], is_ipv6=not is_ipv6),
            forget_udp(5354, [], is_ipv6=is_ipv6),
        ]

    assert netns.run_in(namespace, inside) == [2, 0, 1 if other else 0, 0, 2 if other else 1]
