"""Networks of one's own and published ports, with real containers: who reaches whom, and what stays after a restart."""

import contextlib
import socket
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from ipaddress import ip_address
from typing import Any

import pytest

from tests.engine import BASE_IMAGE, Engine
from tests.integration.engine.rig import until
from wharfd.sys import netns
from wharfd.wire import dns

SERVE = "while :; do echo $0 | nc -l -p 80 >/dev/null; done"
ANY = ["0.0.0.0", "::"]


@pytest.fixture(autouse=True)
def no_network_is_left(engine: Engine, nothing_is_left: None) -> Iterator[None]:
    yield
    engine.remove_all()
    assert engine.post("/networks/prune").status == 200


def make_network(engine: Engine, name: str, **body: Any) -> str:
    answer = engine.post("/networks/create", {"Name": name, **body})
    assert answer.status == 201, answer.body
    identifier: str = answer.json["Id"]
    return identifier


def serve(engine: Engine, name: str, network: str = "bridge", **more: Any) -> str:
    host = {"NetworkMode": network, **more.pop("HostConfig", {})}
    return engine.run("sh", "-c", SERVE, name, name=name, StopSignal="SIGKILL", HostConfig=host, **more)


def sleep(engine: Engine, name: str, network: str, **more: Any) -> str:
    host = {"NetworkMode": network, **more.pop("HostConfig", {})}
    return engine.run("sleep", "1000", name=name, StopSignal="SIGKILL", HostConfig=host, **more)


def address(engine: Engine, name: str, network: str) -> str:
    found: str = engine.inspect(name)["NetworkSettings"]["Networks"][network]["IPAddress"]
    return found


def key(engine: Engine, name: str) -> str:
    found: str = engine.inspect(name)["NetworkSettings"]["SandboxKey"]
    return found


def ask(where: str, target: str, port: int = 80, *, timeout_s: float = 3.0) -> str:
    """What a server says that is asked from inside a namespace; empty when it cannot be reached."""

    def inside() -> str:
        with contextlib.suppress(OSError), socket.create_connection((target, port), timeout=timeout_s) as connection:
            return connection.makefile().readline().strip()
        return ""

    return netns.run_in(where, inside)


def answers(where: str, target: str, port: int, wanted: str) -> None:
    until(lambda: ask(where, target, port) == wanted, f"{target}:{port} does not answer {wanted}")


def test_a_gateway_is_told_of_where_it_or_no_subnet_was_asked_for(engine: Engine) -> None:
    subnet, other = "10.97.0.0/24", "fd00:97::/64"
    make_network(engine, "asked", IPAM={"Config": [{"Subnet": subnet, "Gateway": "10.97.0.9"}]})
    make_network(engine, "subnets", EnableIPv6=True, IPAM={"Config": [{"Subnet": "10.97.1.0/24"}, {"Subnet": other}]})
    make_network(engine, "nothing")
    pools = {name: engine.get(f"/networks/{name}").json["IPAM"]["Config"] for name in ("asked", "subnets", "nothing")}
    assert pools["asked"] == [{"Subnet": subnet, "Gateway": "10.97.0.9"}]
    assert pools["subnets"] == [{"Subnet": "10.97.1.0/24"}, {"Subnet": other}]
    assert set(pools["nothing"][0]) == {"Subnet", "Gateway"}
    sleep(engine, "here", "subnets")
    assert engine.inspect("here")["NetworkSettings"]["Networks"]["subnets"]["Gateway"] == "10.97.1.1"


def test_members_reach_each_other_and_no_other_network(engine: Engine) -> None:
    make_network(engine, "one")
    make_network(engine, "two")
    serve(engine, "aa", "one")
    sleep(engine, "bb", "one")
    sleep(engine, "cc", "two")
    answers(key(engine, "bb"), address(engine, "aa", "one"), 80, "aa")
    assert ask(key(engine, "cc"), address(engine, "aa", "one"), timeout_s=0.5) == ""


def test_connected_and_disconnected_while_it_runs(engine: Engine) -> None:
    make_network(engine, "one")
    make_network(engine, "two")
    serve(engine, "aa", "one")
    c = sleep(engine, "cc", "two")
    assert engine.post("/networks/one/connect", {"Container": "cc"}).status == 200
    answers(key(engine, "cc"), address(engine, "aa", "one"), 80, "aa")
    assert set(engine.get("/networks/one").json["Containers"]) == {engine.inspect("aa")["Id"], c}
    assert engine.delete("/networks/one").message.startswith(
        "error while removing network: network one has active endpoints (name:"
    )
    assert engine.post("/networks/two/disconnect", {"Container": "cc"}).status == 200
    answers(key(engine, "cc"), address(engine, "aa", "one"), 80, "aa")
    assert engine.post("/networks/one/disconnect", {"Container": "cc"}).status == 200
    assert engine.inspect("cc")["NetworkSettings"]["Networks"] == {}
    assert "eth" not in engine.inside(f"nsenter --net={key(engine, 'cc')} ip -o link")


def test_addresses_that_are_asked_for(engine: Engine) -> None:
    make_network(engine, "mine", IPAM={"Config": [{"Subnet": "192.168.231.0/24", "Gateway": "192.168.231.254"}]})
    asked = {"mine": {"IPAMConfig": {"IPv4Address": "192.168.231.77"}, "MacAddress": "02:42:00:00:00:77"}}
    sleep(engine, "aa", "mine", NetworkingConfig={"EndpointsConfig": asked})
    given = engine.inspect("aa")["NetworkSettings"]["Networks"]["mine"]
    assert (given["IPAddress"], given["Gateway"], given["MacAddress"]) == (
        "192.168.231.77",
        "192.168.231.254",
        "02:42:00:00:00:77",
    )
    b = engine.create(
        "true", name="bb", HostConfig={"NetworkMode": "mine"}, NetworkingConfig={"EndpointsConfig": asked}
    )
    refused = engine.post(f"/containers/{b}/start")
    assert (refused.status, refused.message) == (
        403,
        "failed to set up container networking: Address already in use",
    )


def test_both_families(engine: Engine) -> None:
    make_network(engine, "dual", EnableIPv6=True)
    serve(engine, "aa", "dual", HostConfig={"PortBindings": {"80/tcp": [{"HostPort": "8086"}]}})
    sleep(engine, "bb", "dual")
    ipv6 = engine.inspect("aa")["NetworkSettings"]["Networks"]["dual"]["GlobalIPv6Address"]
    assert ipv6.startswith("fd")
    assert "default via" in engine.inside(f"nsenter --net={key(engine, 'aa')} ip -6 route")
    for target in ("127.0.0.1", "::1"):
        answers(engine.netns, target, 8086, "aa")


@pytest.fixture
def outside(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A namespace that reaches the engine's host at 192.0.2.1 and 2001:db8::1."""
    path = str(tmp_path_factory.mktemp("outside") / "netns")
    netns.create(path)
    engine.inside("ip link add up0 type veth peer name far0; ip addr add 192.0.2.1/24 dev up0; ip link set up0 up")
    engine.inside(f"ip addr add 2001:db8::1/64 dev up0 nodad; ip link set lo up; ip link set far0 netns {path}")
    engine.inside(
        f"nsenter --net={path} sh -ec 'ip addr add 192.0.2.9/24 dev far0; ip addr add 2001:db8::9/64 dev far0 nodad;"
        " ip link set far0 up'"
    )
    try:
        yield path
    finally:
        engine.inside("ip link del up0")
        netns.delete(path)


def test_a_published_port_is_reached_from_everywhere(engine: Engine, outside: str) -> None:
    make_network(engine, "one")
    make_network(engine, "two")
    serve(engine, "web", "one", HostConfig={"PortBindings": {"80/tcp": [{"HostPort": "8080"}]}})
    sleep(engine, "other", "two")
    sleep(engine, "same", "one")
    ports = engine.inspect("web")["NetworkSettings"]["Ports"]
    assert ports == {"80/tcp": [{"HostIp": each, "HostPort": "8080"} for each in ANY]}
    for target in ("127.0.0.1", "192.0.2.1", "::1", "2001:db8::1"):
        answers(engine.netns, target, 8080, "web")
    for target in ("192.0.2.1", "2001:db8::1"):
        answers(outside, target, 8080, "web")
    for name in ("web", "same", "other"):
        answers(key(engine, name), "192.0.2.1", 8080, "web")
    assert ask(outside, address(engine, "web", "one"), timeout_s=0.5) == ""


def test_a_port_of_one_address_is_not_at_the_others(engine: Engine, outside: str) -> None:
    serve(engine, "web", HostConfig={"PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8081"}]}})
    answers(engine.netns, "127.0.0.1", 8081, "web")
    assert ask(engine.netns, "192.0.2.1", 8081, timeout_s=0.5) == ""
    assert ask(outside, "192.0.2.1", 8081, timeout_s=0.5) == ""


def test_a_taken_port(engine: Engine) -> None:
    serve(engine, "web", HostConfig={"PortBindings": {"80/tcp": [{"HostPort": "8082"}]}})
    late = engine.create("true", HostConfig={"PortBindings": {"80/tcp": [{"HostPort": "8082"}]}})
    refused = engine.post(f"/containers/{late}/start")
    assert refused.status == 500
    assert refused.message.startswith(
        "failed to set up container networking: driver failed programming external connectivity on endpoint "
    )
    assert refused.message.endswith(": Bind for 0.0.0.0:8082 failed: port is already allocated")
    ranged = engine.run(
        "sleep", "1000", StopSignal="SIGKILL", HostConfig={"PortBindings": {"80/tcp": [{"HostPort": "8082-8084"}]}}
    )
    assert engine.inspect(ranged)["NetworkSettings"]["Ports"]["80/tcp"][0]["HostPort"] == "8083"


def test_what_is_exposed_is_published_at_any_port(engine: Engine) -> None:
    a = engine.run(
        "sleep",
        "1000",
        StopSignal="SIGKILL",
        ExposedPorts={"80/tcp": {}, "53/udp": {}},
        HostConfig={"PublishAllPorts": True},
    )
    ports = engine.inspect(a)["NetworkSettings"]["Ports"]
    assert set(ports) == {"80/tcp", "53/udp"}
    assert all(len({each["HostPort"] for each in bindings}) == 1 for bindings in ports.values())
    (listed,) = engine.get("/containers/json").json
    assert {(each["PrivatePort"], each["Type"]) for each in listed["Ports"]} == {(80, "tcp"), (53, "udp")}


def test_datagrams(engine: Engine) -> None:
    engine.run(
        "sleep",
        "1000",
        name="uu",
        StopSignal="SIGKILL",
        HostConfig={"PortBindings": {"80/udp": [{"HostPort": "8085"}]}},
    )

    def inside() -> socket.socket:
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.settimeout(5)
        server.bind(("0.0.0.0", 80))
        return server

    def client(target: str) -> socket.socket:
        client = socket.socket(socket.AF_INET6 if ":" in target else socket.AF_INET, socket.SOCK_DGRAM)
        client.settimeout(5)
        client.connect((target, 8085))
        return client

    with netns.run_in(key(engine, "uu"), inside) as server:
        for target in ("127.0.0.1", "::1"):
            with netns.run_in(engine.netns, partial(client, target)) as asking:
                asking.send(b"question")
                data, sender = server.recvfrom(100)
                server.sendto(data + b" answered", sender)
                assert asking.recv(100) == b"question answered"


def test_datagrams_follow_the_port_to_another_container(engine: Engine, outside: str) -> None:
    """A client that goes on with one socket: before the port is there, at its first container, and at the second."""

    def server() -> socket.socket:
        bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        bound.settimeout(0.1)
        bound.bind(("0.0.0.0", 80))
        return bound

    def client() -> socket.socket:
        asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        asking.connect(("192.0.2.1", 8085))
        return asking

    def arrives(at: socket.socket, asking: socket.socket) -> bool:
        with contextlib.suppress(ConnectionRefusedError):  # of what was sent before
            asking.send(b"question")
        with contextlib.suppress(TimeoutError):
            return at.recv(100) == b"question"
        return False

    with netns.run_in(outside, client) as asking:
        asking.send(b"too early")
        for name in ("first", "second"):
            sleep(engine, name, "bridge", HostConfig={"PortBindings": {"80/udp": [{"HostPort": "8085"}]}})
            with netns.run_in(key(engine, name), server) as there:
                until(lambda: arrives(there, asking), f"nothing comes to the {name} container")
            assert engine.delete(f"/containers/{name}?force=1").status == 204
            with contextlib.suppress(ConnectionRefusedError):
                asking.send(b"between")


def test_the_next_engine_keeps_networks_and_ports(engine: Engine) -> None:
    make_network(engine, "one", Labels={"a": "b"})
    serve(engine, "web", "one", HostConfig={"PortBindings": {"80/tcp": [{"HostPort": "8087"}]}})
    before = engine.inspect("web")["NetworkSettings"]
    engine.kill()
    answers(engine.netns, "127.0.0.1", 8087, "web")
    engine.start()
    assert engine.inspect("web")["NetworkSettings"] == before
    for target in ("127.0.0.1", "::1"):
        answers(engine.netns, target, 8087, "web")
    sleep(engine, "late", "one")
    answers(key(engine, "late"), address(engine, "web", "one"), 80, "web")
    late = engine.create("true", HostConfig={"PortBindings": {"80/tcp": [{"HostPort": "8087"}]}})
    assert engine.post(f"/containers/{late}/start").message.endswith("port is already allocated")


# Options


MODES = ("com.docker.network.bridge.gateway_mode_ipv4", "com.docker.network.bridge.gateway_mode_ipv6")


def pings(where: str, target: str) -> bool:
    done = subprocess.run(
        ["nsenter", f"--net={where}", "busybox", "ping", "-c", "1", "-W", "1", target], capture_output=True, check=False
    )
    return done.returncode == 0


def test_a_routed_network(engine: Engine, outside: str) -> None:
    """Published ports are reached at the container's own address, and by nobody at the host's."""
    make_network(engine, "one", EnableIPv6=True, Options=dict.fromkeys(MODES, "routed"))
    make_network(engine, "two", EnableIPv6=True)
    serve(
        engine,
        "web",
        "one",
        ExposedPorts={"80/tcp": {}},
        HostConfig={"PortBindings": {"80/tcp": [{"HostPort": "8083"}]}},
    )
    serve(engine, "shut", "one")
    sleep(engine, "other", "two")
    ports = engine.inspect("web")["NetworkSettings"]["Ports"]
    assert ports == {"80/tcp": [{"HostIp": each, "HostPort": ""} for each in ANY]}
    assert engine.get("/containers/json").json[-1]["Ports"] == [
        {"IP": each, "PrivatePort": 80, "Type": "tcp"} for each in ANY
    ]
    web, shut = (engine.inspect(name)["NetworkSettings"]["Networks"]["one"] for name in ("web", "shut"))
    engine.inside(f"nsenter --net={outside} ip route add default via 192.0.2.1")
    engine.inside(f"nsenter --net={outside} ip route add default via 2001:db8::1")
    for family in ("IPAddress", "GlobalIPv6Address"):
        answers(outside, web[family], 80, "web")
        answers(key(engine, "other"), web[family], 80, "web")
        assert pings(outside, web[family])
        assert ask(outside, shut[family], timeout_s=0.5) == ""
    assert ask(outside, "192.0.2.1", 8083, timeout_s=0.5) == ""
    engine.restart(kill=True)
    answers(outside, web["IPAddress"], 80, "web")
    assert engine.inspect("web")["NetworkSettings"]["Ports"] == ports


def test_an_unprotected_network(engine: Engine, outside: str) -> None:
    make_network(engine, "one", Options={MODES[0]: "nat-unprotected"})
    make_network(engine, "two")
    serve(engine, "web", "one", HostConfig={"PortBindings": {"81/tcp": [{"HostPort": "8083"}]}})
    sleep(engine, "other", "two")
    own = address(engine, "web", "one")
    engine.inside(f"nsenter --net={outside} ip route add default via 192.0.2.1")
    answers(outside, own, 80, "web")
    assert ask(key(engine, "other"), own, timeout_s=0.5) == ""


def test_an_isolated_network(engine: Engine) -> None:
    """The bridge has no address; only an internal network can be so."""
    refused = engine.post("/networks/create", {"Name": "one", "Options": {MODES[0]: "isolated"}})
    assert (refused.status, refused.message) == (
        400,
        "gateway mode 'isolated' can only be used for an internal network",
    )
    make_network(engine, "one", Internal=True, EnableIPv6=True, Options=dict.fromkeys(MODES, "isolated"))
    serve(engine, "web", "one")
    sleep(engine, "same", "one")
    network = engine.get("/networks/one").json
    assert ["Gateway" in each for each in network["IPAM"]["Config"]] == [False, False]
    assert "inet" not in engine.inside(f"ip -o addr show br-{network['Id'][:12]}")
    answers(key(engine, "same"), address(engine, "web", "one"), 80, "web")
    assert "default" not in engine.inside(f"nsenter --net={key(engine, 'same')} ip route")


def test_the_interface_of_an_endpoint(engine: Engine) -> None:
    make_network(engine, "one", Options={"com.docker.network.container_iface_prefix": "lan"})
    make_network(engine, "two")
    asked = {
        "one": {"DriverOpts": {"com.docker.network.endpoint.sysctls": "net.ipv4.conf.IFNAME.log_martians=1"}},
        "two": {"DriverOpts": {"com.docker.network.endpoint.ifname": "dmz0"}, "GwPriority": 5},
    }
    sleep(engine, "aa", "one", NetworkingConfig={"EndpointsConfig": asked})
    inside = f"nsenter --net={key(engine, 'aa')}"
    names = [line.split(": ")[1].split("@")[0] for line in engine.inside(f"{inside} ip -o link").splitlines()]
    assert names == ["lo", "lan0", "dmz0"]
    assert engine.inside(f"{inside} cat /proc/sys/net/ipv4/conf/lan0/log_martians").strip() == "1"
    assert " dev dmz0" in engine.inside(f"{inside} ip route show default")


def test_settings_that_an_interface_has_not(engine: Engine) -> None:
    make_network(engine, "one")
    key_of = "com.docker.network.endpoint.sysctls"
    wrong = {"one": {"DriverOpts": {key_of: "net.ipv4.conf.eth0.log_martians=1"}}}
    body = {"Image": BASE_IMAGE, "Cmd": ["true"], "NetworkingConfig": {"EndpointsConfig": wrong}}
    refused = engine.post("/containers/create", body)
    assert (refused.status, refused.message) == (
        400,
        "invalid config for network one: invalid endpoint settings:\nunrecognised network interface sysctl "
        "'net.ipv4.conf.eth0.log_martians=1'; represent 'net.X.Y.ethN.Z=V' as 'net.X.Y.IFNAME.Z=V', 'X' must be "
        "'ipv4', 'ipv6' or 'mpls'",
    )
    wrong["one"]["DriverOpts"][key_of] = "net.ipv4.conf.IFNAME.nonsense=1"
    body["HostConfig"] = {"NetworkMode": "one"}
    created = engine.post("/containers/create", body).json["Id"]
    refused = engine.post(f"/containers/{created}/start")
    assert refused.message.endswith("to sandbox: /proc/sys/net/ipv4/conf/eth0/nonsense is not a sysctl file")
    assert refused.message.startswith("failed to set up container networking: failed to add interface veth")


@pytest.mark.parametrize("name", ["averyveryverylongname", "a/b", "a b", "a\0b", "..", "lo"])
def test_names_that_no_interface_can_have(engine: Engine, name: str) -> None:
    asked = {"bridge": {"DriverOpts": {"com.docker.network.endpoint.ifname": name}}}
    created = engine.create("true", NetworkingConfig={"EndpointsConfig": asked})
    refused = engine.post(f"/containers/{created}/start")
    assert refused.status in {400, 500}
    assert refused.message.startswith("failed to set up container networking: ")
    if name != "lo":
        bridge = {"Name": "one", "Options": {"com.docker.network.bridge.name": name}}
        assert engine.post("/networks/create", bridge).status == 400


def test_a_bridge_without_an_address(engine: Engine) -> None:
    """Another machine on the bridge is the gateway."""
    make_network(engine, "one", Options={"com.docker.network.bridge.inhibit_ipv4": "true"})
    sleep(engine, "aa", "one")
    network = engine.get("/networks/one").json
    assert "inet " not in engine.inside(f"ip -o addr show br-{network['Id'][:12]}")
    gateway = network["IPAM"]["Config"][0]["Gateway"]
    assert f"default via {gateway}" in engine.inside(f"nsenter --net={key(engine, 'aa')} ip route")


@pytest.mark.parametrize(
    "damage",
    ["flush ruleset", "delete table inet {table}", "flush table inet {table}", "flush chain inet {table} publish"],
)
def test_rules_that_somebody_deletes_are_put_back(engine: Engine, outside: str, damage: str) -> None:
    make_network(engine, "one")
    ports = {"80/tcp": [{"HostPort": "8088"}], "80/udp": [{"HostPort": "8088"}]}
    serve(engine, "web", "one", HostConfig={"PortBindings": ports})
    table = f"wharfd_{engine.tag}"

    def rules() -> list[str]:
        """The kernel lists the elements of a set in no order."""
        return sorted(word.strip(",") for word in engine.inside("nft list ruleset").split())

    before = rules()
    answers(outside, "192.0.2.1", 8088, "web")
    engine.inside(f"nft {damage.format(table=table)}")
    until(lambda: rules() == before, "the rules are not put back")
    answers(outside, "192.0.2.1", 8088, "web")


# Names


def resolve(engine: Engine, asking: str, name: str, kind: int = dns.A) -> list[str]:
    """What the resolver in a container's namespace says; empty when it knows nothing."""
    question = dns.encode_query(7, name, kind)

    def inside() -> bytes:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(10)
            client.connect(("127.0.0.11", 53))
            client.send(question)
            return client.recv(4096)

    answer = netns.run_in(key(engine, asking), inside)
    assert dns.is_answer_to(question, answer)
    at, found = len(question), []
    for _ in range(int.from_bytes(answer[6:8], "big")):
        _, at = dns.parse_name(answer, at)
        length = int.from_bytes(answer[at + 8 : at + 10], "big")
        at += 10
        found.append(dns.parse_name(answer, at)[0] if kind == dns.PTR else str(ip_address(answer[at : at + length])))
        at += length
    return found


def test_names_and_aliases(engine: Engine) -> None:
    make_network(engine, "one")
    make_network(engine, "two")
    web = serve(
        engine, "web", "one", Hostname="shop", NetworkingConfig={"EndpointsConfig": {"one": {"Aliases": ["www"]}}}
    )
    sleep(engine, "asking", "one")
    sleep(engine, "stranger", "two")
    own = address(engine, "web", "one")
    for name in ("web", "WEB", "www", "shop", web[:12], "web.one"):
        assert resolve(engine, "asking", name) == [own], name
    assert resolve(engine, "asking", "web", dns.AAAA) == []
    reverse = ".".join(reversed(own.split("."))) + ".in-addr.arpa"
    assert resolve(engine, "asking", reverse, dns.PTR) == ["web.one"]
    assert resolve(engine, "stranger", "web") == []
    assert engine.inspect("web")["NetworkSettings"]["Networks"]["one"]["DNSNames"] == ["web", "www", web[:12], "shop"]
    connected = engine.post("/networks/two/connect", {"Container": "web", "EndpointConfig": {"Aliases": ["new"]}})
    assert connected.status == 200
    assert resolve(engine, "stranger", "new") == [address(engine, "web", "two")]
    assert engine.post("/containers/web/rename", query={"name": "renamed"}).status == 204
    assert resolve(engine, "asking", "renamed") == [own]


def test_what_the_container_is_told(engine: Engine) -> None:
    make_network(engine, "one")
    sleep(engine, "plain", "bridge")
    serve(engine, "web", "one")
    _, words = engine.run_to_end("cat", "/etc/resolv.conf", HostConfig={"NetworkMode": "one"})
    assert "nameserver 127.0.0.11\n" in words
    assert "ndots:0" in words
    _, words = engine.run_to_end("nslookup", "web", HostConfig={"NetworkMode": "one"})
    assert address(engine, "web", "one") in words
    assert engine.post("/networks/one/connect", {"Container": "plain"}).status == 200
    assert resolve(engine, "plain", "web") == [address(engine, "web", "one")]


def test_an_alias_that_several_share(engine: Engine) -> None:
    make_network(engine, "one")
    shared = {"EndpointsConfig": {"one": {"Aliases": ["pool"]}}}
    for name in ("first", "second"):
        sleep(engine, name, "one", NetworkingConfig=shared)
    sleep(engine, "asking", "one")
    answers = [resolve(engine, "asking", "pool") for _ in range(2)]
    assert answers[0] == answers[1][::-1]
    assert set(answers[0]) == {address(engine, name, "one") for name in ("first", "second")}


def test_other_names_are_asked_of_the_resolvers_of_the_host(engine: Engine) -> None:
    make_network(engine, "one")
    engine.inside("ip addr replace 192.0.2.53/32 dev lo; ip link set lo up")

    def inside() -> socket.socket:
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.settimeout(0.2)
        server.bind(("192.0.2.53", 53))
        return server

    with netns.run_in(engine.netns, inside) as server:
        stop = threading.Event()

        def answer() -> None:
            while not stop.is_set():
                with contextlib.suppress(TimeoutError):
                    data, sender = server.recvfrom(4096)
                    query = dns.parse_query(data)
                    records = [dns.address_record("198.51.100.7")] if query.kind == dns.A else []
                    server.sendto(dns.encode_answer(query, records), sender)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            sleep(engine, "asking", "one", HostConfig={"NetworkMode": "one", "Dns": ["192.0.2.54", "192.0.2.53"]})
            assert resolve(engine, "asking", "example.org") == ["198.51.100.7"]
        finally:
            stop.set()
            thread.join()


def test_names_after_the_engine_was_killed(engine: Engine) -> None:
    make_network(engine, "one")
    serve(engine, "web", "one")
    sleep(engine, "asking", "one")
    engine.kill()
    engine.start()
    assert resolve(engine, "asking", "web") == [address(engine, "web", "one")]
