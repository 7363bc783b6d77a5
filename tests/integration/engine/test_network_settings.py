"""The engine's settings about networks, each in an engine of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine import Engine
from tests.integration.engine.test_networks import make_network, sleep


@pytest.fixture(autouse=True)
def nothing_is_left() -> None:
    """Each engine here is gone at the end of its test."""


@pytest.fixture
def configured(tmp_path: Path) -> Iterator[Engine]:
    flags = [
        "--default-address-pool=base=10.77.0.0/16,size=28",
        "--default-address-pool=base=fd00:77::/48,size=64",
        "--default-network-opt=bridge=com.docker.network.driver.mtu=1400",
        "--ip=127.0.0.1",
        "--ipv6",
        "--bip=10.78.0.1/24",
        "--fixed-cidr=10.78.0.128/25",
        "--host-gateway-ip=192.0.2.7",
    ]
    with Engine(tmp_path / "engine", flags) as engine:
        engine.load_base_image()
        yield engine


def pools(engine: Engine, name: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = engine.get(f"/networks/{name}").json["IPAM"]["Config"]
    return found


def test_settings_of_networks(configured: Engine) -> None:
    engine = configured
    ipv4, ipv6 = pools(engine, "bridge")
    assert ipv4 == {"Subnet": "10.78.0.0/24", "IPRange": "10.78.0.128/25", "Gateway": "10.78.0.1"}
    assert ipv6 == {"Subnet": "fd00:77::/64", "Gateway": "fd00:77::1"}
    make_network(engine, "one", EnableIPv6=True)
    make_network(engine, "two", Options={"com.docker.network.driver.mtu": "1300"})
    assert [each["Subnet"] for each in pools(engine, "one")] == ["10.77.0.0/28", "fd00:77:0:1::/64"]
    assert pools(engine, "two")[0]["Subnet"] == "10.77.0.16/28"
    options = [engine.get(f"/networks/{name}").json["Options"] for name in ("one", "two")]
    assert [each["com.docker.network.driver.mtu"] for each in options] == ["1400", "1300"]

    ports = {"80/tcp": [{"HostPort": "8080"}]}
    sleep(engine, "aa", "bridge", ExposedPorts={"80/tcp": {}}, HostConfig={"PortBindings": ports})
    shown = engine.inspect("aa")["NetworkSettings"]
    assert shown["Ports"] == {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}]}
    assert shown["Networks"]["bridge"]["IPAddress"] == "10.78.0.128"
    assert shown["Networks"]["bridge"]["GlobalIPv6Address"].startswith("fd00:77::")
    _, hosts = engine.run_to_end("cat", "/etc/hosts", HostConfig={"ExtraHosts": ["out:host-gateway"]})
    assert "192.0.2.7\tout" in hosts


def test_the_default_bridge_follows_changed_settings(configured: Engine) -> None:
    engine = configured
    engine.stop()
    engine.flags = ["--ip=0.0.0.0", "--icc=false"]
    engine.start()
    network = engine.get("/networks/bridge").json
    assert [each["Subnet"] for each in network["IPAM"]["Config"]] == ["10.78.0.0/24"]
    assert network["EnableIPv6"] is False
    assert network["Options"]["com.docker.network.bridge.enable_icc"] == "false"
    assert network["Options"]["com.docker.network.bridge.host_binding_ipv4"] == "0.0.0.0"
