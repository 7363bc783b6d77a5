"""Every call that needs a registry, at the versions where something changes; the registry is Debian's, beside the engine."""

import base64
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.caller import Caller, edges, minor
from tests.engine import BASE_IMAGE, Engine
from tests.images import archive, image, layer
from tests.registries.daemon import PASSWORD, USER
from tests.registries.inside import registry_inside
from tests.tars import entry

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(shutil.which("docker-registry") is None, reason="not installed: docker-registry"),
]

OPEN, CLOSED = "127.0.0.1:5000", "127.0.0.1:5001"
LOGIN = {"username": USER, "password": PASSWORD, "serveraddress": CLOSED}
HEADER = {"X-Registry-Auth": base64.urlsafe_b64encode(json.dumps(LOGIN).encode()).decode()}
STREAM = "application/json"


@pytest.fixture(scope="module", autouse=True)
def registries(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder: Path = tmp_path_factory.mktemp("registries")
    with (
        registry_inside(engine.netns, folder / "open", 5000),
        registry_inside(engine.netns, folder / "closed", 5001, htpasswd=True),
    ):
        yield


@pytest.fixture(params=edges())
def at(engine: Engine, request: pytest.FixtureRequest) -> Iterator[Caller]:
    """One version; images but the base image are removed behind a test."""
    yield Caller(engine, request.param)
    for each in engine.get("/images/json").json:
        if BASE_IMAGE not in each["RepoTags"]:
            assert engine.delete(f"/images/{each['Id']}", query={"force": "1"}).status == 200


def load(at: Caller, *names: str) -> str:
    packed = image(*names, layers=[layer(), layer(entry("salt", "".join(names).encode()))])
    at("POST", "/images/load", archive(packed), headers={"Content-Type": "application/x-tar"})
    found: str = at("GET", "/images/{name}/json", name=names[0]).json["Id"]
    return found


def test_push_and_pull(at: Caller) -> None:
    name = f"{OPEN}/at/v{minor(at.version)}"
    identifier = load(at, f"{name}:1")
    pushed = at("POST", "/images/{name}/push", name=name, query={"tag": "1"}, headers=HEADER)
    assert pushed.headers["content-type"] == STREAM
    assert pushed.lines()[0] == {"status": f"The push refers to repository [{name}]"}
    assert pushed.lines()[-2]["status"].startswith(f"1: digest: {identifier} size: ")
    assert at("DELETE", "/images/{name}", name=f"{name}:1").json[-1] == {"Deleted": identifier}
    pulled = at("POST", "/images/create", query={"fromImage": name, "tag": "1"})
    assert pulled.headers["content-type"] == STREAM
    assert all(line.endswith(b"\r\n") for line in pulled.body.splitlines(keepends=True))
    assert pulled.lines()[0] == {"status": f"Pulling from at/v{minor(at.version)}", "id": "1"}
    assert [line["status"] for line in pulled.lines()[-2:]] == [
        f"Digest: {identifier}",
        f"Status: Downloaded newer image for {name}:1",
    ]
    again = at("POST", "/images/create", query={"fromImage": f"{name}@{identifier}"})
    assert again.lines()[-1] == {"status": f"Status: Image is up to date for {name}@{identifier}"}
    assert at("GET", "/images/{name}/json", name=f"{name}:1").json["Id"] == identifier


def test_pull_of_all_tags(at: Caller) -> None:
    name = f"{OPEN}/all/v{minor(at.version)}"
    load(at, f"{name}:1", f"{name}:2")
    at("POST", "/images/{name}/push", name=name)
    at("DELETE", "/images/{name}", name=f"{name}:1")
    at("DELETE", "/images/{name}", name=f"{name}:2")
    pulled = at("POST", "/images/create", query={"fromImage": name})
    told = [line["id"] for line in pulled.lines() if line["status"].startswith("Pulling from")]
    assert sorted(told) == ["1", "2"]


def test_what_a_pull_is_refused(at: Caller) -> None:
    nothing = f"manifest for {OPEN}/no/thing:x not found: manifest unknown: manifest unknown"
    at.refused("POST", "/images/create", 404, nothing, query={"fromImage": f"{OPEN}/no/thing", "tag": "x"})
    denied = at("POST", "/images/create", status=500, query={"fromImage": f"{CLOSED}/no/thing", "tag": "x"})
    assert "no basic auth credentials" in denied.message
    at("POST", "/images/create", status=404, query={"fromImage": f"{CLOSED}/no/thing", "tag": "x"}, headers=HEADER)
    missing = "No such image: nowhere:x"
    at.refused("POST", "/containers/create", 404, missing, {"Image": "nowhere:x"})


def test_what_a_push_is_refused(at: Caller) -> None:
    answer = at("POST", "/images/{name}/push", name=f"{OPEN}/no/thing", query={"tag": "x"}, headers=HEADER)
    message = f"tag does not exist: {OPEN}/no/thing:x"
    assert answer.lines()[1] == {"errorDetail": {"message": message}, "error": message}
    load(at, f"{CLOSED}/my/thing:1")
    denied = at("POST", "/images/{name}/push", name=f"{CLOSED}/my/thing", query={"tag": "1"})
    assert "no basic auth credentials" in denied.lines()[-1]["error"]
    taken = at("POST", "/images/{name}/push", name=f"{CLOSED}/my/thing", query={"tag": "1"}, headers=HEADER)
    assert "errorDetail" not in taken.lines()[-1]
    platform = {"tag": "1", "platform": '{"os":"linux","architecture":"s390x"}'}
    asked = at("POST", "/images/{name}/push", name=f"{CLOSED}/my/thing", query=platform, headers=HEADER)
    assert ("errorDetail" in asked.lines()[-1]) is (minor(at.version) >= 46)


def test_auth(at: Caller) -> None:
    assert at("POST", "/auth", LOGIN, status=200).json == {"IdentityToken": "", "Status": "Login Succeeded"}
    refused = at.send("POST", "/auth", {**LOGIN, "password": "wrong"})
    assert refused.status == 401
    assert "401" in refused.message


def test_search(at: Caller) -> None:
    """The registry is none that can be searched, and the answer says so."""
    answer = at("GET", "/images/search", status=500, query={"term": f"{OPEN}/x"})
    assert answer.message
    limit = "limit 101 is outside the range of [1, 100]"
    at_once = at.send("GET", "/images/search", query={"term": "x", "limit": "101"})
    assert (at_once.status, at_once.message) == (400, limit)


def test_distribution(at: Caller) -> None:
    name = f"{OPEN}/dist/v{minor(at.version)}:1"
    identifier = load(at, name)
    at("POST", "/images/{name}/push", name=name)
    if minor(at.version) < 30:
        assert at.send("GET", "/distribution/{name}/json", name=name).status == 404
        return
    found = at("GET", "/distribution/{name}/json", name=name).json
    assert found["Descriptor"]["digest"] == identifier
    assert found["Platforms"] is None


def test_attestations(at: Caller) -> None:
    load(at, "app:1")
    if minor(at.version) < 55:
        assert at.send("GET", "/images/{name}/attestations", name="app:1").status == 404
        return
    assert at("GET", "/images/{name}/attestations", name="app:1").json == []
    at.refused("GET", "/images/{name}/attestations", 404, "No such image: no:latest", name="no")
