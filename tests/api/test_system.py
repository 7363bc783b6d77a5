"""What the engine says of itself, of what happens and of the room it takes, at the versions where something changes."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.caller import Caller, edges, minor
from tests.engine import BASE_IMAGE, Engine

pytestmark = pytest.mark.root

LEGACY = ("status", "id", "from")


@pytest.fixture(params=edges())
def at(engine: Engine, request: pytest.FixtureRequest) -> Iterator[Caller]:
    yield Caller(engine, request.param)
    engine.remove_all()


def test_version(at: Caller) -> None:
    doc = at("GET", "/version").json
    assert (doc["ApiVersion"], doc["MinAPIVersion"]) == ("1.55", "1.24")
    names = [component["Name"] for component in doc["Components"]]
    assert names[0] == "Engine"
    assert {"crun", "conmon"} <= set(names)
    assert all(component["Version"] for component in doc["Components"])
    assert doc["Os"] == "linux"


def test_info_counts_what_is_there(engine: Engine, at: Caller) -> None:
    before = at("GET", "/info").json
    assert before["Images"] == 1
    engine.create("true")
    running = engine.run("sleep", "1000", StopSignal="SIGKILL")
    paused = engine.run("sleep", "1000", StopSignal="SIGKILL")
    assert engine.post(f"/containers/{paused}/pause").status == 204
    doc = at("GET", "/info").json
    keys = ("Containers", "ContainersRunning", "ContainersPaused", "ContainersStopped")
    assert [doc[key] for key in keys] == [3, 1, 1, 1]
    assert doc["Swarm"]["LocalNodeState"] == "inactive"
    assert doc["DockerRootDir"] == str(engine.data_root)
    assert ["driver-type", "io.containerd.snapshotter.v1"] in doc["DriverStatus"]
    assert engine.inspect(running)["State"]["Running"]


def test_version_and_info_need_no_version(engine: Engine) -> None:
    for path in ("/version", "/info"):
        assert set(engine.get(path).json) == set(engine.get(path, version="1.55").json)


# events


def events(at: Caller, since: float, **filters: list[str]) -> list[Any]:
    """What has happened since, by an answer that ends."""
    query = {"since": f"{since:.9f}", "until": f"{time.time():.9f}", "filters": filters}
    answer = at("GET", "/events", query=query)
    assert answer.headers["content-type"] == "application/json"
    return answer.lines()


def test_events_of_a_life(engine: Engine, at: Caller) -> None:
    since = time.time()
    identifier = engine.run("sleep", "1000", StopSignal="SIGKILL", Labels={"tier": "front"})
    engine.post(f"/containers/{identifier}/rename", query={"name": "other"})
    engine.post(f"/containers/{identifier}/kill")
    engine.wait(identifier)
    engine.delete(f"/containers/{identifier}")
    found = events(at, since, type=["container"])
    assert [event["Action"] for event in found] == ["create", "start", "rename", "kill", "die", "destroy"]
    for event in found:
        actor = event["Actor"]
        assert actor["ID"] == identifier
        attributes = actor["Attributes"]
        assert (attributes["image"], attributes["tier"]) == (BASE_IMAGE, "front")
        assert event["timeNano"] // 10**9 == event["time"]
        if minor(at.version) < 52:
            assert [event[key] for key in LEGACY] == [event["Action"], identifier, BASE_IMAGE]
        else:
            assert not set(LEGACY) & set(event)
    assert found[4]["Actor"]["Attributes"]["exitCode"] == "137"
    networks = events(at, since, type=["network"])
    assert [event["Action"] for event in networks] == ["connect", "disconnect"]
    assert not set(LEGACY) & set(networks[0])


def test_events_can_be_asked_for_by_many_things(engine: Engine) -> None:
    at = Caller(engine, "1.55")
    since = time.time()
    identifier = engine.create("true", name="web", Labels={"a": "1"}, Volumes={"/data": {}})
    for filters, expected in (
        ({"container": ["web"]}, ["create"]),
        ({"container": [identifier[:12]]}, ["create"]),
        ({"container": ["nope"]}, []),
        ({"label": ["a=1"]}, ["create"]),
        ({"label": ["a=1", "b"]}, []),
        ({"event": ["create"], "type": ["volume"]}, ["create"]),
        ({"event": ["start"]}, []),
        ({"image": ["wharfd/busybox"]}, ["create"]),
        ({"image": [BASE_IMAGE]}, ["create"]),
        ({"scope": ["local"], "type": ["container"]}, ["create"]),
        ({"scope": ["swarm"]}, []),
    ):
        assert [event["Action"] for event in events(at, since, **filters)] == expected, filters
    engine.remove_all()


@pytest.mark.parametrize(
    ("accept", "kind", "prefix"),
    [
        ("", "application/json", b"{"),
        ("*/*", "application/jsonl", b"{"),
        ("application/json", "application/json", b"{"),
        ("application/jsonl", "application/jsonl", b"{"),
        ("application/x-ndjson", "application/x-ndjson", b"{"),
        ("application/json-seq", "application/json-seq", b"\x1e{"),
        ("application/json-seq, application/jsonl;q=0.5", "application/json-seq", b"\x1e{"),
    ],
)
@pytest.mark.parametrize("version", ["1.51", "1.52", "1.55"])
def test_events_in_the_form_that_is_wanted(engine: Engine, version: str, accept: str, kind: str, prefix: bytes) -> None:
    since = time.time()
    engine.delete(f"/containers/{engine.create('true')}")
    answer = engine.get(
        "/events",
        version=version,
        headers={"Accept": accept} if accept else {},
        query={"since": f"{since:.9f}", "until": f"{time.time():.9f}"},
    )
    old = minor(version) < 52
    assert answer.headers["content-type"] == ("application/json" if old else kind)
    lines = answer.body.splitlines(keepends=True)
    assert len(lines) == 2
    for line in lines:
        assert line.startswith(b"{" if old else prefix)
        assert line.endswith(b"}\n")
        json.loads(line.lstrip(b"\x1e"))


def test_events_that_are_refused(engine: Engine) -> None:
    at = Caller(engine, "1.55")
    for query, message in (
        ({"since": "20", "until": "10"}, "`since` time (20) cannot be after `until` time (10)"),
        ({"filters": "x"}, "invalid filter"),
        ({"filters": "[1]"}, "invalid filter"),
        ({"since": "x"}, 'failed to parse value as time or duration: "x"'),
    ):
        at.refused("GET", "/events", 400, message, query=query)


# system df


def test_df(engine: Engine, at: Caller) -> None:
    if at.version == "1.24":
        at.refused("GET", "/system/df", 404, "page not found")
        return
    identifier = engine.run(
        "sh", "-c", "head -c 10000 /dev/zero > /f; head -c 500 /dev/zero > /data/f", Volumes={"/data": {}}
    )
    engine.wait(identifier)
    doc = at("GET", "/system/df").json
    (image,), (container,), (volume,) = doc["Images"], doc["Containers"], doc["Volumes"]
    assert image["RepoTags"] == [BASE_IMAGE]
    assert (image["Containers"], image["SharedSize"]) == (1, 0)
    assert (container["Id"], container["SizeRw"]) == (identifier, 10000)
    assert volume["UsageData"] == {"RefCount": 1, "Size": 500}
    assert doc["LayersSize"] > 0
    assert ("ImageUsage" in doc) is (minor(at.version) >= 52)
    if minor(at.version) >= 52:
        verbose = at("GET", "/system/df", query={"verbose": "true"}).json
        assert verbose["ContainerUsage"]["Items"] == [container]
        assert verbose["VolumeUsage"]["TotalSize"] == 500
        assert verbose["ContainerUsage"] | {"Items": 0} == {
            "ActiveCount": 0,
            "TotalCount": 1,
            "Reclaimable": 10000,
            "TotalSize": 10000,
            "Items": 0,
        }
