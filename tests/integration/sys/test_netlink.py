"""rtnetlink against the kernel, inside network namespaces of the tests' own."""

import errno
import ipaddress
import json
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from wharfd.model.json import Json
from wharfd.sys import netns
from wharfd.sys.netlink import Netlink
from wharfd.wire import rtlink, rtnetlink
from wharfd.wire.rtlink import LinkSpec

pytestmark = pytest.mark.root

HOST4 = ipaddress.IPv4Interface("10.9.0.1/24")
GUEST4 = ipaddress.IPv4Interface("10.9.0.2/24")
GUEST6 = ipaddress.IPv6Interface("fd00:9::2/64")
ANY4 = ipaddress.IPv4Network("0.0.0.0/0")
ANY6 = ipaddress.IPv6Network("::/0")


@pytest.fixture
def spaces(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Two namespaces: one in the host's role, one in a container's."""
    host, guest = str(tmp_path / "host"), str(tmp_path / "guest")
    try:
        netns.create(host)
        netns.create(guest)
        yield host, guest
    finally:
        netns.delete(host)
        netns.delete(guest)


@pytest.fixture
def host(spaces: tuple[str, str]) -> Iterator[Netlink]:
    with Netlink.in_netns(spaces[0]) as netlink:
        yield netlink


@pytest.fixture
def guest(spaces: tuple[str, str]) -> Iterator[Netlink]:
    with Netlink.in_netns(spaces[1]) as netlink:
        yield netlink


def make_pair(netlink: Netlink, mac: str | None = None, *, up: bool = False) -> int:
    """A link "d0" (a veth: the kernel may lack dummies) whose other end is "p0"; its index."""
    netlink.create_veth(LinkSpec(name="d0", mac=mac, up=up), LinkSpec(name="p0"))
    netlink.set_link(netlink.link("p0").index, up=up)
    return netlink.link("d0").index


def ip(namespace: str, *arguments: str) -> Json:
    """The same seen by iproute2."""
    argv = ["nsenter", f"--net={namespace}", "ip", "-j", "-d", *arguments]
    return json.loads(subprocess.run(argv, check=True, capture_output=True).stdout or b"[]")


def test_namespace_has_a_file_of_its_own_and_loopback_is_up(spaces: tuple[str, str], host: Netlink) -> None:
    path = spaces[0]
    assert netns.is_netns(path)
    assert os.stat(path).st_ino != os.stat("/proc/self/ns/net").st_ino
    fd = netns.open_fd(path)
    try:
        assert not os.get_inheritable(fd)
        for namespace in (path, fd):
            assert netns.run_in(namespace, lambda: os.stat("/proc/thread-self/ns/net").st_ino) == os.stat(path).st_ino
    finally:
        os.close(fd)
    (lo,) = host.links()
    assert (lo.name, lo.index, lo.is_up) == ("lo", 1, True)
    with pytest.raises(FileExistsError):
        netns.create(path)
    assert netns.is_netns(path)  # the failed creation took nothing away
    netns.delete(path)
    netns.delete(path)
    assert not netns.is_netns(path)
    assert not os.path.exists(path)


def test_threads_that_entered_a_namespace_are_gone(spaces: tuple[str, str]) -> None:
    before = set(threading.enumerate())
    netns.run_in(spaces[0], lambda: None)
    with pytest.raises(FileNotFoundError):
        netns.run_in(spaces[0] + "absent", lambda: None)
    assert set(threading.enumerate()) == before


def test_create_with_netlink_speaks_about_the_new_namespace(tmp_path: Path) -> None:
    path = str(tmp_path / "new")
    try:
        with netns.create_with_netlink(path) as netlink:
            netlink.create_bridge("d0")
        assert [link["ifname"] for link in ip(path, "link")] == ["lo", "d0"]
    finally:
        netns.delete(path)


def test_failed_creation_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        netns.create(str(tmp_path / "absent" / "ns"))
    assert list(tmp_path.iterdir()) == []


def test_bridge_with_a_veth_into_another_namespace(spaces: tuple[str, str], host: Netlink, guest: Netlink) -> None:
    host.create_bridge("br0", mac="02:42:0a:09:00:01", mtu=1400, up=True)
    bridge = host.link("br0")
    assert (bridge.kind, bridge.mac, bridge.mtu, bridge.is_up) == ("bridge", "02:42:0a:09:00:01", 1400, True)
    host.add_address(bridge.index, HOST4)

    fd = netns.open_fd(spaces[1])
    try:
        host.create_veth(
            LinkSpec(name="veth1", master=bridge.index, mtu=1400, up=True),
            LinkSpec(name="eth0", mac="02:42:0a:09:00:02", mtu=1400, netns_fd=fd),
        )
    finally:
        os.close(fd)
    near = host.link("veth1")
    assert (near.kind, near.master, near.is_up) == ("veth", bridge.index, True)
    far = guest.link("eth0")
    assert (far.kind, far.mac, far.mtu, far.is_up, far.master) == ("veth", "02:42:0a:09:00:02", 1400, False, 0)
    assert (near.peer, far.peer) == (far.index, near.index)

    gateway = HOST4.ip
    guest.execute(
        [
            rtlink.set_link(far.index, up=True),
            rtnetlink.new_address(far.index, GUEST4, broadcast=GUEST4.network.broadcast_address),
            rtnetlink.new_address(far.index, GUEST6, no_dad=True),
            rtnetlink.new_route(ANY4, gateway=gateway),
            rtnetlink.new_route(ANY6, oif=far.index, gateway=ipaddress.IPv6Address("fd00:9::1")),
        ]
    )
    # packets pass
    server = netns.run_in(spaces[0], lambda: socket.create_server((str(HOST4.ip), 0)))
    with server:
        client = netns.run_in(spaces[1], lambda: socket.create_connection(server.getsockname(), timeout=10))
        client.close()
    stats = guest.link("eth0").stats
    assert stats.tx_packets > 0
    assert stats.tx_bytes > stats.tx_packets

    (seen,) = ip(spaces[1], "address", "show", "eth0")
    infos = {info["local"]: info for info in seen["addr_info"]}
    assert infos["10.9.0.2"]["broadcast"] == "10.9.0.255"
    assert infos["fd00:9::2"]["nodad"]
    assert ip(spaces[1], "route", "show", "default")[0]["gateway"] == "10.9.0.1"

    host.delete_link("veth1")
    assert guest.find_link("eth0") is None


def test_links_are_listed_changed_and_deleted(host: Netlink) -> None:
    index = make_pair(host, "02:00:00:00:00:01")
    host.create_bridge("br0")
    assert host.link(index).mac == "02:00:00:00:00:01"
    bridge = host.link("br0").index
    host.set_link(index, up=True, master=bridge)
    assert host.link(index).master == bridge
    host.set_bridge_port(index, hairpin=True, isolated=True)
    host.set_link(index, up=False, master=0, mtu=1300, mac="02:00:00:00:00:02")
    link = host.link(index)
    assert (link.is_up, link.master, link.mtu, link.mac) == (False, 0, 1300, "02:00:00:00:00:02")
    host.set_link(index, name="other")
    assert {each.name: each.kind for each in host.links()} == {"lo": "", "other": "veth", "p0": "veth", "br0": "bridge"}
    host.delete_link(index)
    host.delete_link("br0")
    assert [each.name for each in host.links()] == ["lo"]


def test_port_options_reach_the_bridge(spaces: tuple[str, str], host: Netlink) -> None:
    host.create_bridge("br0")
    index = make_pair(host)
    host.set_link(index, master=host.link("br0").index)
    host.set_bridge_port(index, hairpin=True, isolated=True)
    data = ip(spaces[0], "link", "show", "d0")[0]["linkinfo"]["info_slave_data"]
    assert (data["hairpin"], data["isolated"]) == (True, True)
    host.set_bridge_port(index, hairpin=False)
    data = ip(spaces[0], "link", "show", "d0")[0]["linkinfo"]["info_slave_data"]
    assert (data["hairpin"], data["isolated"]) == (False, True)


def test_a_link_moves_to_another_namespace(spaces: tuple[str, str], host: Netlink, guest: Netlink) -> None:
    index = make_pair(host)
    fd = netns.open_fd(spaces[1])
    try:
        host.set_link(index, netns_fd=fd, name="moved")
    finally:
        os.close(fd)
    assert host.find_link("d0") is None
    assert guest.link("moved").kind == "veth"


def test_addresses_of_one_link_and_of_all(host: Netlink) -> None:
    index = make_pair(host, up=True)
    host.add_address(index, GUEST4)
    host.add_address(index, GUEST6, no_dad=True)
    of_link = {str(address.interface) for address in host.addresses(index=index)}
    assert {"10.9.0.2/24", "fd00:9::2/64"} <= of_link
    assert not [a for a in of_link if a.startswith("127.")]
    assert {"127.0.0.1/8", "::1/128"} <= {str(address.interface) for address in host.addresses()}
    with pytest.raises(FileExistsError, match="add address"):
        host.add_address(index, GUEST4)
    host.delete_address(index, GUEST4)
    with pytest.raises(OSError) as gone:
        host.delete_address(index, GUEST4)
    assert gone.value.errno == errno.EADDRNOTAVAIL


def test_routes_of_both_families(host: Netlink) -> None:
    index = make_pair(host, up=True)
    assert host.routes(socket.AF_INET) == []
    host.add_address(index, GUEST4)
    host.add_address(index, GUEST6, no_dad=True)
    gateway = ipaddress.IPv4Address("10.9.0.254")
    with pytest.raises(OSError, match="add route") as unreachable:
        host.add_route(ANY4, gateway=ipaddress.IPv4Address("192.0.2.1"))
    assert unreachable.value.errno == errno.ENETUNREACH
    host.add_route(ANY4, gateway=gateway)
    host.add_route(ipaddress.IPv4Network("10.77.0.0/16"), oif=index, source=GUEST4.ip)
    host.add_route(
        ipaddress.IPv4Network("10.78.0.0/16"),
        oif=index,
        gateway=ipaddress.IPv4Address("192.0.2.1"),
        onlink=True,
        priority=7,
    )
    host.add_route(ANY6, gateway=ipaddress.IPv6Address("fd00:9::1"))
    found = {str(route.destination): route for route in host.routes()}
    assert found["0.0.0.0/0"].gateway == gateway
    assert found["0.0.0.0/0"].oif == index
    assert found["10.9.0.0/24"].gateway is None
    assert found["10.77.0.0/16"].source == GUEST4.ip
    assert found["10.77.0.0/16"].scope == rtnetlink.RT_SCOPE_LINK
    assert found["10.78.0.0/16"].priority == 7
    assert str(found["::/0"].gateway) == "fd00:9::1"
    assert not [route for route in host.routes(socket.AF_INET) if route.destination.version == 6]
    host.delete_route(ANY4)
    assert "0.0.0.0/0" not in {str(route.destination) for route in host.routes()}


def test_errors_carry_errno_operation_and_the_kernels_words(host: Netlink) -> None:
    host.create_bridge("br0")
    with pytest.raises(FileExistsError, match="create bridge br0"):
        host.create_bridge("br0")
    with pytest.raises(OSError, match="get link absent") as absent:
        host.link("absent")
    assert absent.value.errno == errno.ENODEV
    with pytest.raises(OSError) as index:
        host.delete_link(12345)
    assert index.value.errno == errno.ENODEV
    with pytest.raises(OSError, match=r"set link \d+: .*\([Mm]tu") as mtu:
        host.set_link(host.link("br0").index, mtu=10)
    assert mtu.value.errno == errno.EINVAL


def test_a_batch_goes_on_behind_a_failure_and_reports_the_first(host: Netlink) -> None:
    names = [f"d{number}" for number in range(150)]
    requests = [rtlink.new_link("bridge", LinkSpec(name=name)) for name in names]
    requests.insert(1, rtlink.del_link("absent"))
    requests.insert(100, rtlink.new_link("bridge", LinkSpec(name="d0")))
    with pytest.raises(OSError, match="delete link absent"):
        host.execute(requests)
    assert {link.name for link in host.links()} == {"lo", *names}


def test_many_threads_share_a_socket(host: Netlink) -> None:
    host.create_bridge("d0")
    failures: list[BaseException] = []

    def ask() -> None:
        try:
            for _ in range(50):
                assert host.link("d0").name == "d0"
                assert len(host.links()) == 2
        except BaseException as e:
            failures.append(e)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
