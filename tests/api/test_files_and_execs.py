"""What is inside containers, and commands run in them, at the versions where something changes."""

import base64
import io
import json
import tarfile
import time
from collections.abc import Iterator

import pytest

from tests.api.caller import Caller, edges, minor
from tests.engine import BASE_IMAGE, Engine
from tests.tars import entry, tar_of

pytestmark = pytest.mark.root


@pytest.fixture(params=edges())
def at(engine: Engine, request: pytest.FixtureRequest) -> Iterator[Caller]:
    yield Caller(engine, request.param)
    engine.remove_all()


@pytest.fixture
def web(engine: Engine) -> str:
    """A running container that has written /new and removed /etc/group."""
    identifier = engine.run(
        "sh", "-c", "echo hello > /new; rm /etc/group; touch /done; sleep 1000", StopSignal="SIGKILL"
    )
    deadline = time.monotonic() + 30
    while engine.request("HEAD", f"/containers/{identifier}/archive?path=/done").status != 200:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return identifier


def names(tar: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        return [name.rstrip("/") for name in archive.getnames()]


def test_archives(at: Caller, web: str) -> None:
    got = at("GET", "/containers/{id}/archive", id=web, query={"path": "/new"})
    assert got.headers["content-type"] == "application/x-tar"
    assert names(got.body) == ["new"]
    stat = json.loads(base64.b64decode(got.headers["x-docker-container-path-stat"]))
    assert (stat["name"], stat["size"], stat["linkTarget"]) == ("new", 6, "")
    head = at("HEAD", "/containers/{id}/archive", id=web, query={"path": "/etc"}, status=200)
    assert json.loads(base64.b64decode(head.headers["x-docker-container-path-stat"]))["mode"] & 1 << 31
    at("PUT", "/containers/{id}/archive", tar_of(entry("put", b"x")), id=web, query={"path": "/tmp"})
    assert names(at("GET", "/containers/{id}/archive", id=web, query={"path": "/tmp"}).body) == ["tmp", "tmp/put"]
    at("GET", "/containers/{id}/archive", id=web, query={"path": "/nope"}, status=404)
    at("GET", "/containers/{id}/archive", id=web, status=400)
    at("PUT", "/containers/{id}/archive", b"", id=web, query={"path": "/nope"}, status=404)


def test_changes(engine: Engine, at: Caller, web: str) -> None:
    changes = {row["Path"]: row["Kind"] for row in at("GET", "/containers/{id}/changes", id=web).json}
    assert changes == {"/new": 1, "/done": 1, "/etc": 0, "/etc/group": 2}
    assert at("GET", "/containers/{id}/changes", id=engine.create("true")).json is None


def test_export(at: Caller, web: str) -> None:
    found = names(at("GET", "/containers/{id}/export", id=web).body)
    assert "new" in found
    assert "etc/group" not in found
    assert "etc/passwd" in found


def test_commit(engine: Engine, at: Caller, web: str) -> None:
    query = {"container": web, "repo": "mine", "tag": "1", "comment": "by hand", "changes": "ENV A=1"}
    identifier = at("POST", "/commit", query=query).json["Id"]
    doc = at("GET", "/images/{name}/json", name="mine:1").json
    assert (doc["Id"], doc["Comment"]) == (identifier, "by hand")
    assert "A=1" in doc["Config"]["Env"]
    made = at("POST", "/containers/create", {"Image": "mine:1", "Cmd": ["cat", "/new"]}).json["Id"]
    at("POST", "/containers/{id}/start", status=204, id=made)
    engine.wait(made)
    assert engine.output(made) == "hello\n"
    engine.delete(f"/containers/{made}")
    assert at("DELETE", "/images/{name}", name="mine:1").json[0] == {"Untagged": "mine:1"}


def test_execs(at: Caller, web: str) -> None:
    body = {"Cmd": ["sh", "-c", "echo out; echo err >&2; exit 7"], "AttachStdout": True, "AttachStderr": True}
    identifier = at("POST", "/containers/{id}/exec", body, id=web).json["Id"]
    doc = at("GET", "/exec/{id}/json", id=identifier).json
    assert (doc["Running"], doc["ExitCode"], doc["ContainerID"]) == (False, None, web)
    answer = at("POST", "/exec/{id}/start", {"Detach": False, "Tty": False}, id=identifier)
    assert b"\x01\0\0\0\0\0\0\x04out\n" in answer.body
    assert b"\x02\0\0\0\0\0\0\x04err\n" in answer.body
    doc = at("GET", "/exec/{id}/json", id=identifier).json
    assert (doc["Running"], doc["ExitCode"]) == (False, 7)
    assert doc["ProcessConfig"]["entrypoint"] == "sh"
    told = at("POST", "/exec/{id}/start", {}, id=identifier, status=200).body
    assert told[8:].decode() == f"exec command {identifier} has already run\r\n"
    at("POST", "/exec/{id}/start", {"Detach": True}, id=identifier, status=409)
    detached = at("POST", "/containers/{id}/exec", {"Cmd": ["sleep", "1000"], "Tty": True}, id=web).json["Id"]
    assert at("POST", "/exec/{id}/start", {"Detach": True, "Tty": True}, id=detached).body == b""
    at.send("POST", "/exec/{id}/resize", id=detached, query={"h": "30", "w": "90"})
    assert at("GET", "/exec/{id}/json", id=detached).json["Running"] is True
    assert detached in at("GET", "/containers/{id}/json", id=web).json["ExecIDs"]


def test_refused_execs(engine: Engine, at: Caller, web: str) -> None:
    at.refused("POST", "/containers/{id}/exec", 404, "No such container: nope", {"Cmd": ["true"]}, id="nope")
    at.refused("POST", "/containers/{id}/exec", 400, "No exec command specified", {}, id=web)
    stopped = engine.create("true")
    text = f"container {stopped} is not running"
    at.refused("POST", "/containers/{id}/exec", 409, text, {"Cmd": ["true"]}, id=stopped)
    for method, pattern in (("GET", "/exec/{id}/json"), ("POST", "/exec/{id}/start")):
        at.refused(method, pattern, 404, "No such exec instance: nope", {} if method == "POST" else None, id="nope")


def test_resize(at: Caller, engine: Engine) -> None:
    terminal = engine.run("sleep", "1000", Tty=True, StopSignal="SIGKILL")
    at("POST", "/containers/{id}/resize", id=terminal, query={"h": "30", "w": "90"}, status=200)
    for query in ({}, {"h": "30"}, {"h": "-1", "w": "1"}, {"h": "4294967296", "w": "1"}, {"h": "x", "w": "1"}):
        assert at.send("POST", "/containers/{id}/resize", id=terminal, query=query).status == 400


def test_stats(at: Caller, engine: Engine, web: str) -> None:
    name = engine.inspect(web)["Name"]
    query = {"stream": "0", **({"one-shot": "1"} if minor(at.version) >= 41 else {})}
    doc = at("GET", "/containers/{id}/stats", id=web, query=query).json
    assert (doc["id"], doc["name"]) == (web, name)
    assert doc["memory_stats"]["usage"] > 0
    assert doc["networks"]["eth0"]["rx_bytes"] >= 0
    stopped = engine.create("true")
    assert at("GET", "/containers/{id}/stats", id=stopped, query={"stream": "0"}).json["id"] == stopped


def test_attach_to_what_has_been_written(at: Caller, engine: Engine) -> None:
    identifier = engine.run("echo", "hello")
    engine.wait(identifier)
    query = {"logs": "1", "stdout": "1"}
    answer = at("POST", "/containers/{id}/attach", id=identifier, query=query, status=200)
    assert answer.body == b"\x01\0\0\0\0\0\0\x06hello\n"
    assert answer.headers["content-type"] == "application/vnd.docker.raw-stream"


def test_the_base_image_is_still_there(at: Caller) -> None:
    assert [each["RepoTags"] for each in at("GET", "/images/json").json] == [[BASE_IMAGE]]
