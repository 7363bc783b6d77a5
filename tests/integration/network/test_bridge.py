"""The bridge driver on the real kernel, in a network namespace of the test's own with a second one as the world outside."""

import asyncio
import contextlib
import os
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from wharfd.drivers.clock import SystemClock
from wharfd.drivers.network.bridge.defaults import BridgeDefaults
from wharfd.drivers.network.bridge.driver import BridgeNetwork, veth_name
from wharfd.drivers.network.host import HostNetwork, NullNetwork
from wharfd.drivers.network.ipam import Ipam
from wharfd.drivers.network.sandbox import SandboxFiles
from wharfd.model.errors import Forbidden
from wharfd.model.network import EndpointRequest, NetworkRecord
from wharfd.sys import netns
from wharfd.sys.blocking import Pool
from wharfd.sys.namespaces import CLONE_NEWNET, setns

pytestmark = pytest.mark.root

BRIDGE = "wt0"


@contextlib.contextmanager
def inside(path: str) -> Iterator[None]:
    """This thread, and threads that it starts, live in another network namespace for a while."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = netns.open_fd(path)
    try:
        setns(there, CLONE_NEWNET)
        yield
    finally:
        setns(home, CLONE_NEWNET)
        os.close(home)
        os.close(there)


class World:
    """A host (`host`) with an address on the link to `outside`, and the drivers at work in it."""

    def __init__(self, directory: Path) -> None:
        self.host = str(directory / "host")
        self.outside = str(directory / "outside")
        self.sandbox_dir = str(directory / "sandboxes")
        netns.create(self.host)
        netns.create(self.outside)
        self.nsenter(self.host, "ip link add up0 type veth peer name eth0")
        self.nsenter(self.host, f"ip link set eth0 netns {self.outside}")
        self.nsenter(self.host, "ip addr add 192.0.2.1/24 dev up0; ip link set up0 up")
        self.nsenter(self.outside, "ip addr add 192.0.2.9/24 dev eth0; ip link set eth0 up")

    def nsenter(self, where: str, script: str) -> str:
        done = subprocess.run(
            ["nsenter", f"--net={where}", "sh", "-ec", script], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def close(self) -> None:
        netns.delete(self.host)
        netns.delete(self.outside)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    try:
        with inside(world.host):
            yield world
    finally:
        world.close()


class Drivers:
    def __init__(self, world: World) -> None:
        self.pool = Pool("network", 2)
        self.sandboxes = SandboxFiles(world.sandbox_dir, self.pool, ready=2)
        defaults = BridgeDefaults(bridge=BRIDGE, table="wt")
        ipam = Ipam(defaults.subnets())
        self.bridge = BridgeNetwork(pool=self.pool, clock=SystemClock(), defaults=defaults, ipam=ipam)


@pytest.fixture
async def drivers(world: World) -> AsyncIterator[Drivers]:
    drivers = Drivers(world)
    await drivers.sandboxes.open()
    await drivers.bridge.open([], {})
    yield drivers
    for sandbox in await drivers.sandboxes.leftovers():
        await drivers.sandboxes.destroy(sandbox)
    await drivers.bridge.close()
    await drivers.sandboxes.close()
    drivers.pool.close()


async def default(drivers: Drivers) -> NetworkRecord:
    return await drivers.bridge.create_network(await drivers.bridge.default_network("bridge"))


def request(number: int, *, interface: str = "eth0", ipv4: str = "", mac: str = "") -> EndpointRequest:
    return EndpointRequest(
        endpoint_id=f"{number:064x}"[::-1],
        container_id="c" * 64,
        interface=interface,
        ipv4=ipv4,
        mac=mac,
        is_gateway=interface == "eth0",
    )


def connect(where: str, address: str, port: int) -> str:
    """The peer's idea of who we are, asked from inside `where`."""

    def ask() -> str:
        with socket.create_connection((address, port), timeout=5) as connection:
            return connection.recv(100).decode()

    return netns.run_in(where, ask)


@contextlib.asynccontextmanager
async def who_are_you(where: str) -> AsyncIterator[int]:
    """A server in `where` that tells each client its address."""
    listener = netns.run_in(where, lambda: socket.create_server(("0.0.0.0", 0)))

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(writer.get_extra_info("peername")[0].encode())
        writer.close()

    server = await asyncio.start_server(answer, sock=listener)
    try:
        yield listener.getsockname()[1]
    finally:
        server.close()


async def test_a_container_reaches_the_world_with_the_hosts_address(world: World, drivers: Drivers) -> None:
    network = await default(drivers)
    key = await drivers.sandboxes.create("a" * 64)
    await drivers.bridge.attach(network, request(1), key)
    async with who_are_you(world.outside) as port:
        assert await asyncio.to_thread(connect, key, "192.0.2.9", port) == "192.0.2.1"


async def test_two_containers_reach_each_other_unmasked(world: World, drivers: Drivers) -> None:
    network = await default(drivers)
    one, two = await drivers.sandboxes.create("a" * 64), await drivers.sandboxes.create("b" * 64)
    first = await drivers.bridge.attach(network, request(1), one)
    second = await drivers.bridge.attach(network, request(2), two)
    async with who_are_you(two) as port:
        assert await asyncio.to_thread(connect, one, second.ipv4, port) == first.ipv4


async def test_what_the_endpoint_says_is_what_the_sandbox_has(world: World, drivers: Drivers) -> None:
    network = await default(drivers)
    key = await drivers.sandboxes.create("a" * 64)
    endpoint = await drivers.bridge.attach(network, request(1), key)
    shown = world.nsenter(key, "ip -o addr show eth0; ip -o link show eth0; ip route")
    assert f"inet {endpoint.ipv4}/{endpoint.ipv4_prefix}" in shown
    assert endpoint.mac in shown
    assert f"default via {endpoint.gateway} dev eth0" in shown
    assert endpoint.gateway == network.pools[0].gateway


async def test_the_subnet_avoids_the_hosts_routes(world: World, drivers: Drivers) -> None:
    world.nsenter(world.host, "ip route add 10.0.0.0/8 via 192.0.2.9")
    network = await drivers.bridge.default_network("bridge")
    assert network.pools[0].subnet == "172.28.0.0/20"


async def test_a_wanted_address_and_mac(world: World, drivers: Drivers) -> None:
    network = await default(drivers)
    wanted = network.pools[0].gateway.rsplit(".", 1)[0] + ".77"
    key = await drivers.sandboxes.create("a" * 64)
    endpoint = await drivers.bridge.attach(network, request(1, ipv4=wanted, mac="02:42:ac:11:00:77"), key)
    assert (endpoint.ipv4, endpoint.mac) == (wanted, "02:42:ac:11:00:77")
    with pytest.raises(Forbidden, match="Address already in use"):
        await drivers.bridge.attach(network, request(2, ipv4=wanted), key)


async def test_a_failed_attach_gives_the_address_back(world: World, drivers: Drivers) -> None:
    network = await default(drivers)
    pool = drivers.bridge.ipam.pools[network.id][0]
    before = set(pool.taken)
    with pytest.raises(Exception, match="No such file or directory"):
        await drivers.bridge.attach(network, request(1), world.sandbox_dir + "/nothing")
    assert pool.taken == before


async def test_detach_while_the_sandbox_lives_takes_the_link_away(world: World, drivers: Drivers) -> None:
    network = await default(drivers)
    key = await drivers.sandboxes.create("a" * 64)
    endpoint = await drivers.bridge.attach(network, request(1), key)
    await drivers.bridge.detach(network, endpoint, key)
    await drivers.bridge.close()
    assert veth_name(endpoint.endpoint_id) not in world.nsenter(world.host, "ip -o link")
    await drivers.bridge.open([network], {})


async def test_reopening_keeps_endpoints_in_use_and_drops_the_rest(world: World, drivers: Drivers) -> None:
    network = await default(drivers)
    key = await drivers.sandboxes.create("a" * 64)
    kept = await drivers.bridge.attach(network, request(1), key)
    stray = await drivers.bridge.attach(network, request(2, interface="eth1"), key)
    again = Drivers(world)
    await again.bridge.open([network], {network.id: [kept]})
    links = world.nsenter(world.host, "ip -o link")
    assert veth_name(kept.endpoint_id) in links
    assert veth_name(stray.endpoint_id) not in links
    assert (await again.bridge.attach(network, request(3, interface="eth2"), key)).ipv4 != kept.ipv4
    await again.bridge.close()
    again.pool.close()


async def test_reopening_after_a_reboot_makes_bridge_and_rules_again(world: World, drivers: Drivers) -> None:
    network = await default(drivers)
    world.nsenter(world.host, f"ip link del {BRIDGE}; nft delete table inet wt")
    again = Drivers(world)
    await again.bridge.open([network], {})
    assert network.pools[0].gateway in world.nsenter(world.host, f"ip -o addr show {BRIDGE}")
    assert "masquerade" in world.nsenter(world.host, "nft list table inet wt")
    await again.bridge.close()
    again.pool.close()


async def test_creating_and_destroying_a_sandbox_twice_is_once(world: World, drivers: Drivers) -> None:
    key = await drivers.sandboxes.create("a" * 64)
    inode = os.stat(key).st_ino
    assert await drivers.sandboxes.create("a" * 64) == key
    assert os.stat(key).st_ino == inode
    assert "state UNKNOWN" in world.nsenter(key, "ip -o link show lo")
    await drivers.sandboxes.destroy("a" * 64)
    await drivers.sandboxes.destroy("a" * 64)
    assert await drivers.sandboxes.leftovers() == []


async def test_a_bare_file_of_a_crash_is_replaced(world: World, drivers: Drivers) -> None:
    Path(drivers.sandboxes.path("a" * 64)).touch()
    assert netns.is_netns(await drivers.sandboxes.create("a" * 64))


async def test_counters_of_a_process_without_loopback(drivers: Drivers) -> None:
    sleeper = await asyncio.create_subprocess_exec("sleep", "60")  # lives in the namespace of this thread
    try:
        counters = await drivers.sandboxes.interface_stats(sleeper.pid)
    finally:
        sleeper.kill()
        await sleeper.wait()
    assert "lo" not in counters
    assert counters["up0"]["tx_packets"] >= 0


async def test_host_and_none_cannot_be_made_twice() -> None:
    for driver in (HostNetwork(SystemClock()), NullNetwork(SystemClock())):
        network = await driver.default_network("x")
        with pytest.raises(Forbidden, match="only one instance of"):
            await driver.create_network(network)
