"""Every call on images at the versions where something changes."""

import json
from collections.abc import Iterator

import pytest

from tests.api.caller import Caller, edges, minor
from tests.engine import BASE_IMAGE, Engine
from tests.images import archive, image, layer
from tests.tars import entry

pytestmark = pytest.mark.root

TAR = {"Content-Type": "application/x-tar"}


@pytest.fixture(params=edges())
def at(engine: Engine, request: pytest.FixtureRequest) -> Iterator[Caller]:
    """One version; images but the base image are removed behind a test."""
    yield Caller(engine, request.param)
    engine.remove_all()
    for each in engine.get("/images/json").json:
        if BASE_IMAGE not in each["RepoTags"]:
            assert engine.delete(f"/images/{each['Id']}", query={"force": "1"}).status == 200


def load(at: Caller, *names: str, salt: str = "") -> str:
    packed = image(*names, layers=[layer(), layer(entry("salt", salt.encode()))], labels={"salt": salt})
    answer = at("POST", "/images/load", archive(packed), headers=TAR)
    last = json.loads(answer.body.splitlines()[-1])
    assert last == {"stream": f"Loaded image: {names[-1]}\n"} if names else "ID" in last["stream"]
    found: str = at("GET", "/images/{name}/json", name=names[0]).json["Id"] if names else last["stream"].split()[-1]
    return found


def test_load_tells_of_layers_and_images(at: Caller) -> None:
    answer = at("POST", "/images/load", archive(image("a/b:1", "a/b:2")), headers=TAR)
    assert answer.headers["content-type"] == "application/json"
    assert all(line.endswith(b"\r\n") for line in answer.body.splitlines(keepends=True))
    assert [line["stream"] for line in answer.lines() if "stream" in line] == [
        "Loaded image: a/b:1\n",
        "Loaded image: a/b:2\n",
    ]
    quiet = at("POST", "/images/load", archive(image("a/b:1")), headers=TAR, query={"quiet": "1"})
    assert [set(line) for line in quiet.lines()] == [{"stream"}]


def test_list(at: Caller) -> None:
    identifier = load(at, "one:1", "two/three:latest")
    (found,) = at("GET", "/images/json", query={"filters": {"reference": ["one"]}}).json
    assert found["Id"] == identifier
    assert found["RepoTags"] == ["one:1"]
    (found,) = [each for each in at("GET", "/images/json").json if each["Id"] == identifier]
    assert found["RepoTags"] == ["one:1", "two/three:latest"]
    assert found["RepoDigests"] == [f"one@{identifier}", f"two/three@{identifier}"]
    assert found["Labels"] == {"salt": ""}
    assert found["ParentId"] == ""
    assert found["Containers"] == (0 if minor(at.version) >= 51 else -1)
    assert found["SharedSize"] == -1
    assert found.get("VirtualSize") == (found["Size"] if minor(at.version) < 44 else None)
    assert ("Descriptor" in found) is (minor(at.version) >= 48)
    shared = at("GET", "/images/json", query={"shared-size": "1"}).json
    assert all((each["SharedSize"] >= 0) is (minor(at.version) >= 42) for each in shared)


def test_images_without_a_name(at: Caller) -> None:
    identifier = load(at)
    (found,) = at("GET", "/images/json", query={"filters": {"dangling": ["true"]}}).json
    assert found["Id"] == identifier
    if minor(at.version) >= 43:
        assert (found["RepoTags"], found["RepoDigests"]) == ([], [])
    else:
        assert (found["RepoTags"], found["RepoDigests"]) == (["<none>:<none>"], ["<none>@<none>"])


def test_inspect(at: Caller) -> None:
    identifier = load(at, "example.org/one:1")
    for name in (
        "example.org/one:1",
        identifier,
        identifier.removeprefix("sha256:")[:12],
        f"example.org/one@{identifier}",
    ):
        assert at("GET", "/images/{name}/json", name=name).json["Id"] == identifier
    doc = at("GET", "/images/{name}/json", name=identifier).json
    assert (doc["Os"], doc["Architecture"]) == ("linux", "amd64")
    assert doc["Created"] == "2024-01-02T03:04:05.678Z"
    assert doc["RootFS"]["Type"] == "layers"
    assert len(doc["RootFS"]["Layers"]) == 2
    assert doc["Config"]["Cmd"] == ["sh"]
    assert doc["Metadata"]["LastTagTime"].startswith("20")
    assert ("VirtualSize" in doc) is (minor(at.version) < 44)
    assert ("ContainerConfig" in doc) is (minor(at.version) < 45)
    assert ("Hostname" in doc["Config"]) is (minor(at.version) < 50)
    assert ("Entrypoint" in doc["Config"]) is (minor(at.version) < 52)
    assert ("Parent" in doc) is (minor(at.version) < 52)
    assert ("GraphDriver" in doc) is (minor(at.version) < 52)
    assert ("Descriptor" in doc) is (minor(at.version) >= 48)


def test_manifests(at: Caller) -> None:
    identifier = load(at, "one:1")
    (listed,) = at("GET", "/images/json", query={"manifests": "1", "filters": {"reference": ["one"]}}).json
    assert ("Manifests" in listed) is (minor(at.version) >= 47)
    doc = at("GET", "/images/{name}/json", name="one:1", query={"manifests": "1"}).json
    assert ("Manifests" in doc) is (minor(at.version) >= 48)
    if "Manifests" in doc:
        assert [(row["ID"], row["Kind"], row["Available"]) for row in doc["Manifests"]] == [(identifier, "image", True)]


def test_history(at: Caller) -> None:
    identifier = load(at, "one:1")
    rows = at("GET", "/images/{name}/history", name="one:1").json
    assert [row["CreatedBy"] for row in rows] == ['CMD ["sh"]', "RUN step 1", "ADD rootfs.tar /"]
    assert [row["Id"] for row in rows] == [identifier, "<missing>", "<missing>"]
    assert rows[0]["Tags"] == ["one:1"]
    assert rows[1]["Tags"] is None
    assert rows[0]["Size"] == 0
    assert rows[2]["Size"] > 0


def test_tag_and_delete(at: Caller) -> None:
    identifier = load(at, "one:1")
    assert at("POST", "/images/{name}/tag", name="one:1", query={"repo": "reg:5000/a/b", "tag": "x"}).body == b""
    assert at("DELETE", "/images/{name}", name="one:1").json == [{"Untagged": "one:1"}]
    steps = at("DELETE", "/images/{name}", name="reg:5000/a/b:x").json
    assert steps[0] == {"Untagged": "reg:5000/a/b:x"}
    assert steps[-1] == {"Deleted": identifier}
    at("GET", "/images/{name}/json", name=identifier, status=404)


def test_prune(at: Caller) -> None:
    if at.version == "1.24":
        at.refused("POST", "/images/prune", 404, "page not found")
        return
    kept, dangling = load(at, "one:1"), load(at, salt="x")
    answer = at("POST", "/images/prune").json
    assert {"Deleted": dangling} in answer["ImagesDeleted"]
    assert answer["SpaceReclaimed"] > 0
    assert at("POST", "/images/prune", query={"filters": {"dangling": ["true"]}}).json == {
        "ImagesDeleted": None,
        "SpaceReclaimed": 0,
    }
    label = {"dangling": ["false"], "label": ["salt="]}
    assert {"Deleted": kept} in at("POST", "/images/prune", query={"filters": label}).json["ImagesDeleted"]
    assert at("GET", "/images/{name}/json", name=BASE_IMAGE).status == 200


def test_import(at: Caller) -> None:
    query = {"fromSrc": "-", "repo": "mine", "tag": "1", "message": "by hand"}
    answer = at("POST", "/images/create", layer(), headers=TAR, query=query)
    (line,) = answer.lines()
    assert at("GET", "/images/{name}/json", name="mine:1").json["Id"] == line["status"]
    assert at("GET", "/images/{name}/history", name="mine:1").json[0]["Comment"] == "by hand"


def test_save_and_load_again(at: Caller) -> None:
    identifier = load(at, "one:1")
    saved = at("GET", "/images/{name}/get", name="one:1")
    assert saved.headers["content-type"] == "application/x-tar"
    both = at("GET", "/images/get", query={"names": "one:1"})
    at("DELETE", "/images/{name}", name="one:1")
    for answer in (saved, both):
        loaded = at("POST", "/images/load", answer.body, headers=TAR)
        assert loaded.lines()[-1] == {"stream": "Loaded image: one:1\n"}
        assert at("GET", "/images/{name}/json", name="one:1").json["Id"] == identifier


def test_below_1_25_filter_is_a_reference(engine: Engine, at: Caller) -> None:
    load(at, "one:1")
    found = at("GET", "/images/json", query={"filter": "one"}).json
    assert len(found) == (1 if minor(at.version) < 25 else 2)
