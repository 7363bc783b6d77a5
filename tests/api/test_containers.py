"""Every call on containers at the versions where something changes, each answer held against the document of its version."""

import re
from collections.abc import Iterator

import pytest

from tests.api.caller import Caller, edges
from tests.engine import BASE_IMAGE, Engine

pytestmark = pytest.mark.root

NEVER = "0001-01-01T00:00:00Z"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")


@pytest.fixture(params=edges())
def at(engine: Engine, request: pytest.FixtureRequest) -> Iterator[Caller]:
    """One version; what a test leaves is removed."""
    yield Caller(engine, request.param)
    engine.remove_all()


def create(at: Caller, *command: str, name: str = "", **config: object) -> str:
    body = {"Image": BASE_IMAGE, "Cmd": list(command) or ["sleep", "1000"], "StopSignal": "SIGKILL", **config}
    answer = at("POST", "/containers/create", body, query={"name": name} if name else {})
    assert isinstance(answer.json["Warnings"], list)
    identifier: str = answer.json["Id"]
    return identifier


def run(at: Caller, *command: str, name: str = "", **config: object) -> str:
    identifier = create(at, *command, name=name, **config)
    at("POST", "/containers/{id}/start", status=204, id=identifier)
    return identifier


FULL = {
    "Hostname": "box",
    "User": "0:0",
    "Env": ["A=1", "B="],
    "WorkingDir": "/tmp",
    "Labels": {"a": "1", "b": ""},
    "ExposedPorts": {"80/tcp": {}},
    "Volumes": {"/data": {}},
    "StopTimeout": 3,
    "Tty": True,
    "OpenStdin": True,
    "HostConfig": {
        "Memory": 64 << 20,
        "NanoCpus": 500_000_000,
        "PidsLimit": 50,
        "CapAdd": ["NET_ADMIN"],
        "CapDrop": ["KILL"],
        "Tmpfs": {"/run": "size=1m"},
        "Ulimits": [{"Name": "nofile", "Soft": 100, "Hard": 200}],
        "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 2},
        "LogConfig": {"Type": "local", "Config": {}},
        "ExtraHosts": ["db:10.0.0.2"],
        "Dns": ["10.0.0.53"],
        "Sysctls": {"net.ipv4.ip_forward": "1"},
        "SecurityOpt": ["no-new-privileges"],
        "Mounts": [{"Type": "volume", "Source": "named", "Target": "/named"}],
        "Devices": [{"PathOnHost": "/dev/null", "PathInContainer": "/dev/nil", "CgroupPermissions": "rwm"}],
        "Init": True,
        "ShmSize": 1 << 20,
    },
}


def test_inspect_of_a_bare_container(at: Caller) -> None:
    identifier = create(at, name="web")
    doc = at("GET", "/containers/{id}/json", id="web").json
    assert (doc["Id"], doc["Name"]) == (identifier, "/web")
    assert doc["State"]["Status"] == "created"
    assert (doc["State"]["StartedAt"], doc["State"]["FinishedAt"]) == (NEVER, NEVER)
    assert TIME.fullmatch(doc["Created"])


def test_inspect_of_one_with_everything(at: Caller) -> None:
    identifier = run(at, name="web", **FULL)
    doc = at("GET", "/containers/{id}/json", id=identifier[:12], query={"size": "1"}).json
    config, host = doc["Config"], doc["HostConfig"]
    assert config["Labels"].items() >= {"a": "1", "b": ""}.items()
    for key in ("Hostname", "User", "WorkingDir", "ExposedPorts", "Volumes", "StopTimeout", "Tty", "OpenStdin"):
        assert config[key] == FULL[key], key
    for key, value in FULL["HostConfig"].items():  # type: ignore[attr-defined]
        if key == "CapAdd":
            assert host[key] in (["NET_ADMIN"], ["CAP_NET_ADMIN"])
        elif key == "CapDrop":
            assert host[key] in (["KILL"], ["CAP_KILL"])
        elif key not in {"Mounts"}:
            assert host[key] == value, key
    assert {m["Destination"] for m in doc["Mounts"]} == {"/data", "/named"}
    assert doc["State"]["Running"] is True
    assert doc["State"]["Pid"] > 0
    assert doc["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
    assert doc["NetworkSettings"]["Ports"] == {"80/tcp": None}
    assert "SizeRootFs" in doc


def test_list(at: Caller) -> None:
    assert at("GET", "/containers/json").json == []
    first = create(at, name="one", Labels={"a": "1"})
    second = run(at, name="two", ExposedPorts={"80/tcp": {}})
    (running,) = at("GET", "/containers/json").json
    assert (running["Id"], running["State"]) == (second, "running")
    assert running["Status"].startswith("Up ")
    both = at("GET", "/containers/json", query={"all": "1", "size": "1"}).json
    assert [each["Id"] for each in both] == [second, first]
    assert both[1]["Status"] == "Created"
    assert both[1]["Labels"]["a"] == "1"
    assert all(each["SizeRootFs"] > 0 for each in both)
    assert [each["Id"] for each in at("GET", "/containers/json", query={"limit": "1"}).json] == [second]


def test_a_life(at: Caller) -> None:
    identifier = run(at, name="web")
    at("POST", "/containers/{id}/start", status=304, id="web")
    top = at("GET", "/containers/{id}/top", id="web", query={"ps_args": "-o pid,comm"}).json
    assert top["Titles"] == ["PID", "COMMAND"]
    assert len(top["Processes"]) == 1
    assert at("GET", "/containers/{id}/top", id="web").json["Titles"][0] == "UID"
    at("POST", "/containers/{id}/pause", status=204, id="web")
    assert at("GET", "/containers/{id}/json", id="web").json["State"]["Paused"] is True
    at("POST", "/containers/{id}/unpause", status=204, id="web")
    at("POST", "/containers/{id}/rename", status=204, id="web", query={"name": "db"})
    assert "Warnings" in at("POST", "/containers/{id}/update", {"CpuShares": 300}, id="db").json
    at("POST", "/containers/{id}/restart", status=204, id="db", query={"t": "0"})
    at("POST", "/containers/{id}/kill", status=204, id="db", query={"signal": "SIGKILL"})
    assert at("POST", "/containers/{id}/wait", id="db").json["StatusCode"] == 137
    at("POST", "/containers/{id}/stop", status=304, id="db")
    at("POST", "/containers/{id}/start", status=204, id="db")
    at("POST", "/containers/{id}/stop", status=204, id="db")
    state = at("GET", "/containers/{id}/json", id=identifier).json["State"]
    assert (state["Status"], state["ExitCode"], state["OOMKilled"]) == ("exited", 137, False)
    at("DELETE", "/containers/{id}", status=204, id="db", query={"v": "1"})
    at("GET", "/containers/{id}/json", status=404, id="db")


def test_logs(at: Caller) -> None:
    identifier = run(at, "sh", "-c", "echo out; echo err >&2")
    at("POST", "/containers/{id}/wait", id=identifier)
    answer = at("GET", "/containers/{id}/logs", id=identifier, query={"stdout": "1"})
    assert answer.body == b"\x01\0\0\0\0\0\0\x04out\n"
    framed = "multiplexed" if int(at.version.split(".")[1]) >= 42 else "raw"
    assert answer.headers["content-type"] == f"application/vnd.docker.{framed}-stream"


def test_prune(at: Caller) -> None:
    if at.version == "1.24":
        at.refused("POST", "/containers/prune", 404, "page not found")
        return
    assert at("POST", "/containers/prune").json == {"ContainersDeleted": None, "SpaceReclaimed": 0}
    identifier = create(at)
    answer = at("POST", "/containers/prune", query={"filters": {"until": ["24h"]}}).json
    assert answer["ContainersDeleted"] is None
    assert at("POST", "/containers/prune").json["ContainersDeleted"] == [identifier]
