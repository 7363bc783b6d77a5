"""Every call on volumes at the versions where something changes."""

from collections.abc import Iterator

import pytest

from tests.api.caller import Caller, edges, minor
from tests.engine import Engine

pytestmark = pytest.mark.root


@pytest.fixture(params=edges())
def at(engine: Engine, request: pytest.FixtureRequest) -> Iterator[Caller]:
    yield Caller(engine, request.param)
    engine.remove_all()
    for volume in engine.get("/volumes").json["Volumes"]:
        assert engine.delete(f"/volumes/{volume['Name']}").status == 204


def create(at: Caller, **body: object) -> str:
    name: str = at("POST", "/volumes/create", body).json["Name"]
    return name


def test_a_volume(at: Caller) -> None:
    assert at("GET", "/volumes").json == {"Volumes": [], "Warnings": None}
    doc = at("POST", "/volumes/create", {"Name": "data", "Labels": {"a": "1"}}).json
    assert (doc["Name"], doc["Driver"], doc["Scope"], doc["Options"]) == ("data", "local", "local", None)
    assert doc["Mountpoint"].endswith("/volumes/data/_data")
    assert "UsageData" not in doc
    assert at("GET", "/volumes/{name}", name="data").json == doc
    assert at("GET", "/volumes").json["Volumes"] == [doc]
    assert at("POST", "/volumes/create", {"Name": "data"}).json == doc
    at("DELETE", "/volumes/{name}", status=204, name="data")
    at("GET", "/volumes/{name}", status=404, name="data")


def test_without_a_name_it_gets_one_and_a_label(at: Caller) -> None:
    answer = at("POST", "/volumes/create", {})
    doc = answer.json
    assert len(doc["Name"]) == 64
    assert doc["Labels"] == {"com.docker.volume.anonymous": ""}


def test_prune(at: Caller) -> None:
    named, anonymous = create(at, Name="named"), create(at)
    if at.version == "1.24":
        at.refused("POST", "/volumes/prune", 404, "page not found")
        return
    pruned = at("POST", "/volumes/prune").json["VolumesDeleted"]
    assert sorted(pruned) == sorted([anonymous] if minor(at.version) >= 42 else [named, anonymous])
    rest = at("POST", "/volumes/prune", query={"filters": {"all": ["true"]}}).json["VolumesDeleted"]
    assert rest == ([named] if minor(at.version) >= 42 else [])


def test_refusals(engine: Engine, at: Caller) -> None:
    refused = at.refused
    refused("GET", "/volumes/{name}", 404, "get nope: no such volume", name="nope")
    refused("DELETE", "/volumes/{name}", 404, "get nope: no such volume", name="nope")
    at("DELETE", "/volumes/{name}", status=204, name="nope", query={"force": "1"})
    refused("GET", "/volumes", 400, "invalid filter 'x'", query={"filters": {"x": ["y"]}})
    refused("GET", "/volumes", 400, "invalid filter 'dangling=[x]'", query={"filters": {"dangling": ["x"]}})
    create(at, Name="data")
    identifier = engine.create("true", HostConfig={"Binds": ["data:/data"]})
    refused("DELETE", "/volumes/{name}", 409, f"remove data: volume is in use - [{identifier}]", name="data")
    assert engine.get("/volumes").json["Volumes"][0]["Name"] == "data"
    bad = (
        'create {0}: "{0}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are '
        "allowed. If you intended to pass a host directory, use absolute path"
    )
    for name in ("../x", "a/b", ".x", "a b", "é"):
        refused("POST", "/volumes/create", 400, bad.format(name), {"Name": name})
    for body, status, text in (
        ({"Name": "x"}, 400, "volume name is too short, names should be at least two alphanumeric characters"),
        ({"Name": "xy", "Driver": "nfs"}, 404, 'error looking up volume plugin nfs: plugin "nfs" not found'),
        ({"Name": "xy", "DriverOpts": {"foo": "bar"}}, 400, 'invalid option: "foo"'),
        ({"Name": "xy", "DriverOpts": {"type": "tmpfs"}}, 400, 'missing required option: "device"'),
    ):
        refused("POST", "/volumes/create", status, f"create {body['Name']}: {text}", body)


def test_volumes_of_a_swarm_need_one(engine: Engine) -> None:
    text = 'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.'
    for version in edges("1.42"):
        answer = engine.request("PUT", "/volumes/data", {}, version=version, query={"version": "1"})
        assert (answer.status, answer.message) == (503, text)
