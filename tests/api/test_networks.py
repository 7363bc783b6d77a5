"""Networks at the versions where something changes."""

from collections.abc import Iterator

import pytest

from tests.api.caller import Caller, edges, minor
from tests.engine import Engine

pytestmark = pytest.mark.root

PREDEFINED = ["bridge", "host", "none"]


@pytest.fixture(params=edges())
def at(engine: Engine, request: pytest.FixtureRequest) -> Caller:
    return Caller(engine, request.param)


def test_list_and_inspect(at: Caller) -> None:
    listed = at("GET", "/networks").json
    assert sorted(each["Name"] for each in listed) == PREDEFINED
    for summary in listed:
        for name in (summary["Id"], summary["Name"], summary["Id"][:12]):
            doc = at("GET", "/networks/{id}", id=name).json
            assert {key: doc[key] for key in summary if key != "Containers"} == {
                key: value for key, value in summary.items() if key != "Containers"
            }
    assert at.send("GET", "/networks/").json == listed


def test_keys_come_and_go(at: Caller) -> None:
    (summary,) = at("GET", "/networks", query={"filters": {"name": ["bridge"]}}).json
    doc = at("GET", "/networks/{id}", id="bridge").json
    assert ("Containers" in summary) is (minor(at.version) < 52)
    assert ("EnableIPv4" in doc) is (minor(at.version) >= 48)
    assert ("Status" in doc) is (minor(at.version) >= 52)
    (pool,) = doc["IPAM"]["Config"]
    assert set(pool) == {"Subnet", "Gateway"}


def test_a_running_container_is_on_its_network(engine: Engine, at: Caller) -> None:
    identifier = engine.run("sleep", "1000", StopSignal="SIGKILL")
    try:
        (endpoint,) = at("GET", "/networks/{id}", id="bridge").json["Containers"].items()
        assert endpoint[0] == identifier
        assert endpoint[1]["Name"] == engine.inspect(identifier)["Name"][1:]
        assert endpoint[1]["IPv4Address"].count("/") == 1
        (summary,) = at("GET", "/networks", query={"filters": {"name": ["bridge"]}}).json
        assert bool(summary.get("Containers")) is (minor(at.version) < 28)
    finally:
        engine.remove_all()


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({"driver": ["bridge"]}, ["bridge"]),
        ({"driver": ["host", "null"]}, ["host", "none"]),
        ({"name": ["o"]}, ["host", "none"]),
        ({"type": ["builtin"]}, PREDEFINED),
        ({"type": ["custom"]}, []),
        ({"scope": ["local"]}, PREDEFINED),
        ({"scope": ["swarm"]}, []),
        ({"label": ["a"]}, []),
        ({"dangling": ["true"]}, []),
    ],
)
def test_filters(engine: Engine, filters: dict[str, list[str]], names: list[str]) -> None:
    found = Caller(engine)("GET", "/networks", query={"filters": filters}).json
    assert sorted(each["Name"] for each in found) == names


def test_refusals(at: Caller) -> None:
    at.refused("GET", "/networks/{id}", 404, "network nope not found", id="nope")
    at.refused("GET", "/networks", 400, "invalid filter 'x'", query={"filters": {"x": ["y"]}})
    for name in PREDEFINED:
        text = f"{name} is a pre-defined network and cannot be removed"
        at.refused("DELETE", "/networks/{id}", 403, text, id=name)
    at.refused("DELETE", "/networks/{id}", 404, "network nope not found", id="nope")


def test_prune_finds_nothing(at: Caller) -> None:
    if at.version == "1.24":
        at.refused("POST", "/networks/prune", 404, "page not found")
    else:
        assert at("POST", "/networks/prune").json == {"NetworksDeleted": None}
        at.refused("POST", "/networks/prune", 400, "invalid filter 'x'", query={"filters": {"x": ["y"]}})


@pytest.fixture
def tidy(engine: Engine) -> Iterator[None]:
    yield
    engine.remove_all()
    for network in engine.get("/networks", query={"filters": {"type": ["custom"]}}).json:
        assert engine.delete(f"/networks/{network['Id']}").status == 204


def test_a_network_of_ones_own(engine: Engine, at: Caller, tidy: None) -> None:
    created = at("POST", "/networks/create", {"Name": "own", "Labels": {"a": "1"}, "CheckDuplicate": True}).json
    assert created["Warning"] == ""
    doc = at("GET", "/networks/{id}", id="own").json
    assert (doc["Id"], doc["Driver"], doc["Scope"], doc["Labels"]) == (created["Id"], "bridge", "local", {"a": "1"})
    identifier = engine.create("sleep", "1000", name="web", StopSignal="SIGKILL")
    at(
        "POST",
        "/networks/{id}/connect",
        {"Container": "web", "EndpointConfig": {"Aliases": ["db"]}},
        id="own",
        status=200,
    )
    assert engine.post("/containers/web/start").status == 204
    endpoints = at("GET", "/containers/{id}/json", id="web").json["NetworkSettings"]["Networks"]
    assert set(endpoints) == {"bridge", "own"}
    assert "db" in endpoints["own"]["Aliases"]
    assert list(at("GET", "/networks/{id}", id="own").json["Containers"]) == [identifier]
    in_use = at.send("DELETE", "/networks/{id}", id="own")
    assert in_use.status == 403
    assert "has active endpoints" in in_use.message
    at("POST", "/networks/{id}/disconnect", {"Container": "web"}, id="own", status=200)
    assert set(at("GET", "/containers/{id}/json", id="web").json["NetworkSettings"]["Networks"]) == {"bridge"}
    at("DELETE", "/networks/{id}", status=204, id="own")
    at("GET", "/networks/{id}", status=404, id="own")


def test_refused_networks(engine: Engine, at: Caller, tidy: None) -> None:
    identifier = at("POST", "/networks/create", {"Name": "own"}).json["Id"]
    for body, status, part in (
        ({"Name": "own"}, 409, "network with name own already exists"),
        ({"Name": "bridge"}, 403, "operation is not permitted on predefined bridge network"),
        ({"Name": ""}, 400, "invalid name: name is empty"),
        (
            {"Name": "x", "Driver": "nope"},
            404,
            'plugin "nope" not found',
        ),
        ({"Name": 5}, 400, "cannot unmarshal number into Go struct field"),
        ({"Name": "x", "IPAM": {"Config": [{"Subnet": "x"}]}}, 400, "invalid subnet x"),
    ):
        answer = at.send("POST", "/networks/create", body)
        assert answer.status == status, answer.body
        assert part in answer.message
    at.refused("POST", "/networks/{id}/connect", 404, "No such container: nope", {"Container": "nope"}, id="own")
    engine.create("true", name="web")
    text = f"container {engine.inspect('web')['Id']} is not connected to network own"
    at.refused("POST", "/networks/{id}/disconnect", 409, text, {"Container": "web"}, id=identifier[:12])


def test_prune_takes_what_nobody_uses(at: Caller, tidy: None) -> None:
    at("POST", "/networks/create", {"Name": "own"})
    if at.version != "1.24":
        assert at("POST", "/networks/prune").json == {"NetworksDeleted": ["own"]}


@pytest.fixture
def own(engine: Engine) -> Iterator[str]:
    """The name of a network of one's own, with a subnet of the user's."""
    pools = [{"Subnet": "10.99.0.0/24", "IPRange": "10.99.0.128/25", "Gateway": "10.99.0.1"}]
    body = {"Name": "own", "Labels": {"a": "b"}, "IPAM": {"Config": pools}, "Options": {"x": "y"}}
    assert engine.post("/networks/create", body).status == 201
    try:
        yield "own"
    finally:
        engine.remove_all()
        engine.delete("/networks/own")


def test_families_of_a_network(at: Caller) -> None:
    made = at(
        "POST", "/networks/create", {"Name": "mine", "CheckDuplicate": True, "EnableIPv4": False, "EnableIPv6": True}
    )
    try:
        assert set(made.json) == {"Id", "Warning"}
        doc = at("GET", "/networks/{id}", id="mine").json
        assert (doc["Id"], doc["Driver"], doc["Scope"], doc["EnableIPv6"]) == (made.json["Id"], "bridge", "local", True)
        takes_ipv4 = minor(at.version) >= 48  # before, there was no network without
        assert len(doc["IPAM"]["Config"]) == (1 if takes_ipv4 else 2)
        assert doc.get("EnableIPv4") is (False if takes_ipv4 else None)
        at.refused("POST", "/networks/create", 409, "network with name mine already exists", {"Name": "mine"})
    finally:
        at("DELETE", "/networks/{id}", id="mine")
    at.refused("DELETE", "/networks/{id}", 404, "network mine not found", id="mine")


def test_what_an_endpoint_is_given(engine: Engine, at: Caller, own: str) -> None:
    box = engine.run("sleep", "1000", name="box", StopSignal="SIGKILL")
    asked = {"IPAMConfig": {"IPv4Address": "10.99.0.77"}, "Aliases": ["www"], "MacAddress": "02:42:00:00:00:77"}
    at("POST", "/networks/{id}/connect", {"Container": "box", "EndpointConfig": asked}, status=200, id=own)
    (endpoint,) = at("GET", "/networks/{id}", id=own).json["Containers"].values()
    assert (endpoint["Name"], endpoint["IPv4Address"]) == ("box", "10.99.0.77/24")
    assert (endpoint["MacAddress"] == "02:42:00:00:00:77") is (minor(at.version) >= 54)
    given = at("GET", "/containers/{id}/json", id="box").json["NetworkSettings"]["Networks"][own]
    assert given["Aliases"] == (["www"] if minor(at.version) >= 45 else ["www", box[:12]])
    assert given.get("DNSNames") == (["box", "www", box[:12]] if minor(at.version) >= 44 else None)
    text = f'error while removing network: network own has active endpoints (name:"box" id:"{endpoint["EndpointID"][:12]}")'
    at.refused("DELETE", "/networks/{id}", 403, text, id=own)
    at("POST", "/networks/{id}/disconnect", {"Container": "box"}, status=200, id=own)
    assert at("GET", "/networks/{id}", id=own).json["Containers"] == {}
    at.refused(
        "POST",
        "/networks/{id}/disconnect",
        409,
        f"container {box} is not connected to network own",
        {"Container": "box"},
        id=own,
    )
