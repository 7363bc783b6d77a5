"""Containers on the wire of a link of the host (macvlan), and networks that are sets of options only."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.engine import Engine
from tests.integration.engine.test_networks import (
    address,
    answers,
    ask,
    key,
    make_network,
    outside,
    pings,
    resolve,
    serve,
    sleep,
)

__all__ = ["outside"]

SUBNET = {"Config": [{"Subnet": "192.0.2.0/24", "IPRange": "192.0.2.128/25", "Gateway": "192.0.2.9"}]}


@pytest.fixture(autouse=True)
def no_network_is_left(engine: Engine, nothing_is_left: None) -> Iterator[None]:
    yield
    engine.remove_all()
    for network in engine.get("/networks").json:
        if network["ConfigFrom"]["Network"]:
            engine.delete(f"/networks/{network['Id']}")
    for network in engine.get("/networks").json:
        engine.delete(f"/networks/{network['Id']}")


def options(**more: str) -> dict[str, Any]:
    return {"Driver": "macvlan", "IPAM": SUBNET, "Options": {"parent": "up0", **more}}


def test_a_container_on_the_hosts_wire(engine: Engine, outside: str) -> None:
    make_network(engine, "lan", **options())
    serve(engine, "web", "lan")
    sleep(engine, "same", "lan")
    own = address(engine, "web", "lan")
    assert own == "192.0.2.128"
    given = engine.inspect("web")["NetworkSettings"]["Networks"]["lan"]
    shown = engine.inside(f"nsenter --net={key(engine, 'web')} sh -c 'ip -o -d link show eth0; ip route'")
    assert "macvlan mode bridge" in shown
    assert given["MacAddress"] in shown
    assert "default via 192.0.2.9 dev eth0" in shown
    answers(outside, own, 80, "web")
    answers(key(engine, "same"), own, 80, "web")
    assert resolve(engine, "same", "web") == [own]
    assert ask(engine.netns, own, timeout_s=0.5) == ""  # Linux: a parent and its links do not talk with each other
    assert engine.post("/containers/web/restart?t=0").status == 204
    answers(outside, address(engine, "web", "lan"), 80, "web")


def test_members_that_do_not_see_each_other(engine: Engine, outside: str) -> None:
    make_network(engine, "lan", **options(macvlan_mode="private"))
    serve(engine, "web", "lan")
    sleep(engine, "same", "lan")
    own = address(engine, "web", "lan")
    answers(outside, own, 80, "web")
    assert ask(key(engine, "same"), own, timeout_s=0.5) == ""


def test_connected_and_disconnected_while_it_runs(engine: Engine, outside: str) -> None:
    make_network(engine, "lan", **options())
    make_network(engine, "back", Internal=True)
    sleep(engine, "aa", "back")
    assert engine.post("/networks/lan/connect", {"Container": "aa"}).status == 200
    inside = f"nsenter --net={key(engine, 'aa')}"
    assert "default via 192.0.2.9 dev eth1" in engine.inside(f"{inside} ip route")
    assert pings(outside, address(engine, "aa", "lan"))
    assert engine.post("/networks/lan/disconnect", {"Container": "aa"}).status == 200
    assert "eth1" not in engine.inside(f"{inside} ip -o link")


def test_an_internal_network_leads_nowhere(engine: Engine, outside: str) -> None:
    subnet = {"Subnet": "192.0.2.0/24"}
    make_network(engine, "lan", Driver="macvlan", Internal=True, IPAM={"Config": [subnet]}, Options={"parent": "up0"})
    sleep(engine, "aa", "lan")
    assert engine.get("/networks/lan").json["IPAM"]["Config"] == [subnet]
    assert "default" not in engine.inside(f"nsenter --net={key(engine, 'aa')} ip route")


def test_the_next_engine_takes_it_up(engine: Engine, outside: str) -> None:
    make_network(engine, "lan", **options())
    serve(engine, "web", "lan")
    own = address(engine, "web", "lan")
    engine.restart(kill=True)
    answers(outside, own, 80, "web")
    sleep(engine, "late", "lan")
    assert address(engine, "late", "lan") != own


@pytest.mark.parametrize(
    ("asked", "status", "text"),
    [
        ({"parent": "lo"}, 400, "loopback interface is not a valid macvlan parent link"),
        (
            {"parent": "up0", "macvlan_mode": "x"},
            400,
            "requested macvlan mode 'x' is not valid, 'bridge' mode is the macvlan driver default",
        ),
        ({"parent": "no"}, 400, "invalid subinterface vlan name no, example formatting is eth0.10"),
        ({"parent": "no.10"}, 400, "-o parent interface was not found on the host: no"),
        ({"parent": "up0.4095"}, 400, "vlan id must be between 1-4094, received: 4095"),
        ({"parent": "up0.x"}, 400, "unable to parse a valid vlan id from: x (ex. eth0.10 for vlan 10)"),
    ],
)
def test_parents_that_are_none(engine: Engine, outside: str, asked: dict[str, str], status: int, text: str) -> None:
    answer = engine.post("/networks/create", {"Name": "lan", "Driver": "macvlan", "Options": asked})
    assert (answer.status, answer.message) == (status, text)


def test_a_wire_for_oneself(engine: Engine, outside: str) -> None:
    make_network(engine, "alone", **options(macvlan_mode="passthru"))
    refused = engine.post("/networks/create", {"Name": "lan", "Driver": "macvlan", "Options": {"parent": "up0"}})
    assert refused.message.endswith("is already using parent interface up0 in mode passthru")


def test_a_vlan_that_is_made_and_goes(engine: Engine, outside: str) -> None:
    answer = engine.post(
        "/networks/create", {"Name": "lan", "Driver": "macvlan", "Options": {"parent": "up0.10"}, "IPAM": SUBNET}
    )
    if answer.status == 501:
        assert answer.message == "failed to create up0.10 vlan link: operation not supported"
        pytest.skip("this kernel has no VLANs")
    assert "vlan protocol 802.1Q id 10" in engine.inside("ip -d link show up0.10")
    assert engine.delete("/networks/lan").status == 204
    assert "up0.10" not in engine.inside("ip -o link")


def test_a_network_of_its_own_without_a_parent(engine: Engine) -> None:
    answer = engine.post("/networks/create", {"Name": "lan", "Driver": "macvlan"})
    if answer.status == 501:
        assert answer.message.endswith("operation not supported"), answer.message
        pytest.skip("this kernel has no dummy links")
    assert answer.status == 201
    serve(engine, "web", "lan")
    sleep(engine, "same", "lan")
    answers(key(engine, "same"), address(engine, "web", "lan"), 80, "web")


@pytest.mark.parametrize("mode", ["l2", "l3", "l3s"])
def test_ipvlan(engine: Engine, outside: str, mode: str) -> None:
    asked = {"parent": "up0", "ipvlan_mode": mode}
    make_network(engine, "lan", Driver="ipvlan", IPAM=SUBNET, Options=asked)
    created = engine.create("sleep", "1000", name="aa", StopSignal="SIGKILL", HostConfig={"NetworkMode": "lan"})
    started = engine.post(f"/containers/{created}/start")
    if started.status == 501:
        assert started.message.endswith("failed to create the ipvlan port: operation not supported")
        pytest.skip("this kernel has no ipvlan")
    assert started.status == 204
    route = engine.inside(f"nsenter --net={key(engine, 'aa')} ip route show default")
    assert ("via 192.0.2.9" in route) is (mode == "l2")
    assert "dev eth0" in route
    assert pings(outside, address(engine, "aa", "lan"))


# Sets of options


def test_options_of_another_network(engine: Engine, outside: str) -> None:
    make_network(engine, "set", ConfigOnly=True, IPAM=SUBNET, Options={"parent": "up0"}, Labels={"a": "b"})
    shown = engine.get("/networks/set").json
    assert (shown["Driver"], shown["ConfigOnly"], shown["Options"]) == ("null", True, {"parent": "up0"})
    make_network(engine, "lan", Driver="macvlan", ConfigFrom={"Network": "set"})
    shown = engine.get("/networks/lan").json
    assert (shown["Driver"], shown["ConfigFrom"], shown["Options"], shown["Labels"]) == (
        "macvlan",
        {"Network": "set"},
        {"parent": "up0"},
        {"a": "b"},
    )
    sleep(engine, "aa", "lan")
    assert pings(outside, address(engine, "aa", "lan"))
    refused = engine.delete("/networks/set")
    assert (refused.status, refused.message) == (
        403,
        'error while removing network: configuration network "set" is in use',
    )


@pytest.mark.parametrize(
    ("asked", "status", "text"),
    [
        ({"ConfigFrom": {"Network": "nope"}}, 404, 'configuration network "nope" does not exist'),
        ({"ConfigFrom": {"Network": "bridge"}}, 404, 'configuration network "bridge" does not exist'),
        (
            {"ConfigFrom": {"Network": "set"}, "Options": {"x": "y"}},
            403,
            "network driver options are not supported if the network depends on a configuration network",
        ),
        (
            {"ConfigFrom": {"Network": "set"}, "EnableIPv6": True},
            403,
            "user specified configurations are not supported if the network depends on a configuration network",
        ),
        (
            {"ConfigFrom": {"Network": "set"}, "ConfigOnly": True},
            403,
            "a configuration network cannot depend on another configuration network",
        ),
        (
            {"ConfigOnly": True, "Internal": True},
            403,
            "configuration network can only contain network specific fields. Network operator fields like "
            "[ ingress | internal | attachable | scope ] are not supported.",
        ),
    ],
)
def test_refused_sets(engine: Engine, asked: dict[str, Any], status: int, text: str) -> None:
    make_network(engine, "set", ConfigOnly=True)
    answer = engine.post("/networks/create", {"Name": "other", **asked})
    assert (answer.status, answer.message) == (status, text)


def test_nothing_is_plugged_into_a_set(engine: Engine) -> None:
    make_network(engine, "set", ConfigOnly=True)
    created = engine.create("true", HostConfig={"NetworkMode": "set"})
    refused = engine.post(f"/containers/{created}/start")
    assert (refused.status, refused.message) == (
        403,
        "failed to set up container networking: cannot create endpoint on configuration-only network",
    )
    engine.delete(f"/containers/{created}")
    assert engine.post("/networks/prune").json == {"NetworksDeleted": None}
    assert engine.get("/networks/set").status == 200
