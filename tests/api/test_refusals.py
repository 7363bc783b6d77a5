"""What is refused, with which status and words: those of dockerd, since clients read them."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.caller import Caller
from tests.api.raw import ask
from tests.engine import BASE_IMAGE, Engine

pytestmark = pytest.mark.root

VERSIONS = ("1.24", "1.40", "1.44", "1.52", "1.55")
UNKNOWN = "0123456789abcdef" * 4


@pytest.fixture(scope="module", autouse=True)
def containers(engine: Engine) -> Iterator[None]:
    """`created`, `running`, `paused`, `exited` (with code 3)."""
    engine.create("true", name="created")
    for name in ("running", "paused"):
        engine.run("sleep", "1000", name=name, StopSignal="SIGKILL")
    assert engine.post("/containers/paused/pause").status == 204
    engine.wait(engine.run("sh", "-c", "exit 3", name="exited"))
    yield
    engine.remove_all()


def id_of(engine: Engine, name: str) -> str:
    identifier: str = engine.inspect(name)["Id"]
    return identifier


BY_REFERENCE = (
    ("GET", "/containers/{id}/json"),
    ("GET", "/containers/{id}/top"),
    ("GET", "/containers/{id}/logs?stdout=1"),
    ("POST", "/containers/{id}/start"),
    ("POST", "/containers/{id}/stop"),
    ("POST", "/containers/{id}/restart"),
    ("POST", "/containers/{id}/kill"),
    ("POST", "/containers/{id}/pause"),
    ("POST", "/containers/{id}/unpause"),
    ("POST", "/containers/{id}/rename?name=x1"),
    ("POST", "/containers/{id}/wait"),
    ("DELETE", "/containers/{id}"),
)
REFERENCES = {
    "nope": "nope",
    UNKNOWN: UNKNOWN,
    "UPPER": "UPPER",
    "a%20b": "a b",
    "%c3%a9": "é",
    "%ff": "\ufffd",
    "%25": "%",
    "%2e%2e": "..",
    "a%00b": "a\0b",
    "a%0d%0ab": "a\r\nb",
    "-": "-",
    "x" * 5000: "x" * 5000,
}


@pytest.mark.parametrize(("method", "pattern"), BY_REFERENCE)
def test_no_such_container(engine: Engine, method: str, pattern: str) -> None:
    for sent, shown in REFERENCES.items():
        path = pattern.replace("{id}", sent)
        answer = ask(engine, f"{method} /v1.44{path} HTTP/1.1\nHost: d\nContent-Length: 0\nConnection: close")
        text = f"No such container: {shown}"
        if pattern.endswith("/kill"):
            text = f"cannot kill container: {shown}: {text}"
        assert (answer.status, answer.message) == (404, text)


def test_references_have_no_slashes(engine: Engine) -> None:
    assert engine.get("/containers/a/b/json").json == {"message": "page not found"}


# In what state which call is refused.  {id} stands for the container's id.
STATES: list[tuple[str, str, str, int, str]] = [
    ("POST", "running", "start", 304, ""),
    ("POST", "paused", "start", 409, "cannot start a paused container, try unpause instead"),
    ("POST", "created", "stop", 304, ""),
    ("POST", "exited", "stop", 304, ""),
    ("POST", "created", "kill", 409, "cannot kill container: created: container {id} is not running"),
    ("POST", "exited", "kill", 409, "cannot kill container: exited: container {id} is not running"),
    ("POST", "running", "kill?signal=NOPE", 400, "cannot kill container: running: invalid signal: NOPE"),
    ("POST", "running", "kill?signal=0", 400, "cannot kill container: running: invalid signal: 0"),
    ("POST", "running", "kill?signal=-1", 400, "cannot kill container: running: the linux daemon does not support signal -1"),
    ("POST", "running", "kill?signal=4096", 400, "cannot kill container: running: the linux daemon does not support signal 4096"),
    ("POST", "created", "pause", 409, "container {id} is not running"),
    ("POST", "paused", "pause", 409, "Container {id} is already paused"),
    ("POST", "running", "unpause", 409, "Container {id} is not paused"),
    ("POST", "exited", "unpause", 409, "Container {id} is not paused"),
    ("GET", "created", "top", 409, "container {id} is not running"),
    ("GET", "exited", "top", 409, "container {id} is not running"),
    ("GET", "running", "top?ps_args=-o%20pid%3Dx", 400, 'specifying "pid=" is not allowed'),
    ("GET", "running", "logs", 400, "Bad parameters: you must choose at least one stream"),
    ("GET", "running", "logs?follow=1", 400, "Bad parameters: you must choose at least one stream"),
    ("GET", "running", "logs?stdout=0&stderr=no", 400, "Bad parameters: you must choose at least one stream"),
    ("GET", "running", "logs?stdout=1&since=x", 400, 'failed to parse value as time or duration: "x"'),
    ("GET", "running", "logs?stdout=1&until=x", 400, 'failed to parse value as time or duration: "x"'),
    ("POST", "running", "stop?t=x", 400, 'strconv.Atoi: parsing "x": invalid syntax'),
    ("POST", "running", "stop?t=1.5", 400, 'strconv.Atoi: parsing "1.5": invalid syntax'),
    ("POST", "running", "stop?t=99999999999999999999", 400, 'strconv.Atoi: parsing "99999999999999999999": value out of range'),
    ("POST", "running", "restart?t=x", 400, 'strconv.Atoi: parsing "x": invalid syntax'),
    ("POST", "running", "rename", 400, "Neither old nor new names may be empty"),
    ("POST", "running", "rename?name=running", 400, "Renaming a container with the same name as its current name"),
    (
        "POST",
        "running",
        "rename?name=a",
        400,
        "Error when allocating new name: Invalid container name (/a), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
    ),
    (
        "POST",
        "running",
        "rename?name=a%2fb",
        400,
        "Error when allocating new name: Invalid container name (/a/b), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("method", "name", "call", "status", "message"), STATES)
def test_calls_in_the_wrong_state_or_with_the_wrong_words(
    engine: Engine, method: str, name: str, call: str, status: int, message: str
) -> None:
    identifier = id_of(engine, name)
    before = engine.inspect(name)["State"]
    for version in VERSIONS:
        path, _, query = call.partition("?")
        target = f"/v{version}/containers/{name}/{path}" + (f"?{query}" if query else "")
        answer = ask(engine, f"{method} {target} HTTP/1.1\nHost: d\nContent-Length: 0\nConnection: close")
        assert answer.status == status, answer.body
        if status == 304:
            assert answer.body == b""
        else:
            assert answer.message == message.replace("{id}", identifier)
    assert engine.inspect(name)["State"] == before


def test_removal_in_the_wrong_state(engine: Engine) -> None:
    at = Caller(engine)
    for name, words in (
        ("running", "container is running: stop the container before removing or force remove"),
        ("paused", "container is paused and must be unpaused first"),
    ):
        text = f'cannot remove container "{name}": {words}'
        at.refused("DELETE", "/containers/{id}", 409, text, id=name)
        at.refused("DELETE", "/containers/{id}", 409, text, id=name, query={"v": "1", "force": "0"})


def test_names_in_use(engine: Engine) -> None:
    holder = id_of(engine, "running")
    text = (
        f'Conflict. The container name "/running" is already in use by container "{holder}". '
        "You have to remove (or rename) that container to be able to reuse that name."
    )
    at = Caller(engine)
    body = {"Image": BASE_IMAGE, "Cmd": ["true"]}
    at.refused("POST", "/containers/create", 409, text, body, query={"name": "running"})
    at.refused("POST", "/containers/create", 409, text, body, query={"name": "/running"})
    renamed = f"Error when allocating new name: {text}"
    at.refused("POST", "/containers/{id}/rename", 409, renamed, id="created", query={"name": "running"})
    for name in ("a", "-a", "a b", "a/b", "é", "..", "a\0"):
        shown = f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
        at.refused("POST", "/containers/create", 400, shown, body, query={"name": name})


def test_prefixes(engine: Engine) -> None:
    """A prefix of any length will do, as long as it is one container's; a name goes before it."""
    identifier = id_of(engine, "running")
    for length in (12, 20, 63, 64):
        assert engine.inspect(identifier[:length])["Id"] == identifier
    assert engine.inspect("/running")["Id"] == identifier
    twins = {engine.create("true") for _ in range(40)}
    common = next(c for c in "0123456789abcdef" if sum(each.startswith(c) for each in twins) > 1)
    text = f"multiple IDs found with provided prefix: {common}"
    Caller(engine).refused("GET", "/containers/{id}/json", 400, text, id=common)
    alone = next(each for each in twins if sum(other.startswith(each[:3]) for other in twins) == 1)
    named = engine.create("true", name=alone[:12])
    assert engine.inspect(alone[:12])["Id"] == named
    for each in (*twins, named):
        assert engine.delete(f"/containers/{each}").status == 204


IMAGE_REFUSALS: list[tuple[str, str, int, str]] = [
    ("GET", "/images/nope/json", 404, "No such image: nope:latest"),
    ("GET", "/images/nope:1/json", 404, "No such image: nope:1"),
    ("GET", "/images/reg:5000/a/b/json", 404, "No such image: reg:5000/a/b:latest"),
    ("GET", "/images/docker.io/library/nope/json", 404, "No such image: nope:latest"),
    ("GET", f"/images/sha256:{UNKNOWN}/json", 404, f"No such image: sha256:{UNKNOWN}"),
    ("GET", f"/images/{UNKNOWN}/json", 404, f"No such image: sha256:{UNKNOWN}"),
    ("GET", "/images/UPPER/json", 400, "invalid reference format: repository name (library/UPPER) must be lowercase"),
    ("GET", "/images/a%20b/json", 400, "invalid reference format"),
    ("GET", "/images/a:b:c/json", 400, "invalid reference format"),
    ("GET", "/images/nope/history", 404, "No such image: nope:latest"),
    ("GET", "/images/nope/get", 404, "No such image: nope:latest"),
    ("GET", "/images/get?names=nope", 404, "No such image: nope:latest"),
    ("POST", "/images/nope/tag?repo=x", 404, "No such image: nope:latest"),
    ("POST", f"/images/{BASE_IMAGE}/tag?repo=UPPER", 400, "invalid reference format: repository name (library/UPPER) must be lowercase"),
    ("POST", f"/images/{BASE_IMAGE}/tag?repo=x&tag=a%20b", 400, "invalid tag format"),
    ("DELETE", "/images/nope", 404, "No such image: nope:latest"),
    ("GET", '/images/json?filters={"x":["y"]}', 400, "invalid filter 'x'"),
    ("GET", '/images/json?filters={"dangling":["x"]}', 400, "invalid filter 'dangling=[x]'"),
    ("GET", '/images/json?filters={"before":["nope"]}', 404, "No such image: nope:latest"),
    ("GET", "/images/json?filters=x", 400, "invalid filter"),
    ("POST", '/images/prune?filters={"x":["y"]}', 400, "invalid filter 'x'"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "target", "status", "message"), IMAGE_REFUSALS)
def test_images(engine: Engine, method: str, target: str, status: int, message: str) -> None:
    for version in VERSIONS[1:]:
        raw = target.replace('"', "%22")
        answer = ask(engine, f"{method} /v{version}{raw} HTTP/1.1\nHost: d\nContent-Length: 0\nConnection: close")
        assert (answer.status, answer.message) == (status, message)


def test_images_in_use(engine: Engine) -> None:
    image_id = engine.get(f"/images/{BASE_IMAGE}/json").json["Id"]
    answer = engine.delete(f"/images/{image_id}")
    assert answer.status == 409
    assert answer.message.startswith(
        f"conflict: unable to delete {image_id.removeprefix('sha256:')[:12]} (cannot be forced)"
    )
    answer = engine.delete(f"/images/{image_id}", query={"force": "1"})
    assert answer.status == 409
    assert "image is being used by running container" in answer.message
    answer = engine.delete(f"/images/{BASE_IMAGE}")
    assert answer.status == 409


OF_INT64 = "invalid JSON: json: cannot unmarshal string into Go struct field UpdateConfig.Memory of type int64"
UNKNOWN_POLICY = "unknown policy 'x'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'"
NO_RETRIES = "invalid restart policy: maximum retry count can only be used with 'on-failure'"
UPDATES: list[tuple[Any, int, str]] = [
    ({"Memory": 1}, 400, "Minimum memory limit allowed is 6MB"),
    ({"CpusetCpus": "999"}, 400, "Requested CPUs are not available - requested 999, available: "),
    ({"CpusetCpus": "x"}, 400, "Invalid value x for cpuset cpus"),
    ({"Memory": "1"}, 400, OF_INT64),
    ({"RestartPolicy": {"Name": "x"}}, 400, f"invalid restart policy: {UNKNOWN_POLICY}"),
    ({"RestartPolicy": {"Name": "always", "MaximumRetryCount": 3}}, 400, NO_RETRIES),
    ({"NanoCpus": -1}, 400, "range of CPUs is from 0.01 to "),
]


@pytest.mark.parametrize(("body", "status", "message"), UPDATES)
def test_updates(engine: Engine, body: Any, status: int, message: str) -> None:
    before = engine.inspect("created")["HostConfig"]
    for version in VERSIONS:
        answer = engine.post("/containers/created/update", body, version=version)
        assert answer.status == status
        assert message in answer.message
    assert engine.inspect("created")["HostConfig"] == before
