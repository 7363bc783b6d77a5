"""Every field of a create request with everything that is wrong there: 201 or a refusal with words, never a fault, and nothing left."""

import pytest

from tests.api.wrong import WRONG, Place, places
from tests.engine import BASE_IMAGE, Answer, Engine, settled
from tests.spec.documents import document

pytestmark = pytest.mark.root

BASE = {"Image": BASE_IMAGE, "Cmd": ["true"]}
VERSIONS = ("1.24", "1.43", "1.51", "1.55")
# Not in any document of today, and read all the same.
MORE = [
    Place(("MacAddress",), "string"),
    Place(("HostConfig", "KernelMemory"), "integer"),
    Place(("HostConfig", "Capabilities"), "array"),
    Place(("HostConfig", "VolumesFrom", 0), "string"),
]


def all_places() -> list[Place]:
    newest = document("1.55")
    (body,) = [p for p in newest.operation("POST", "/containers/create")["parameters"] if p["in"] == "body"]
    return list(dict.fromkeys([*places(newest, body["schema"]), *MORE]))


def create(engine: Engine, version: str, body: bytes) -> Answer:
    return engine.request(
        "POST", "/containers/create", body, version=version, headers={"Content-Type": "application/json"}
    )


def check(engine: Engine, version: str, what: str, body: bytes) -> None:
    answer = create(engine, version, body)
    assert answer.status in {201, 400, 404, 409, 413, 501}, f"{what}: {answer.status} {answer.body[:300]!r}"
    if answer.status != 201:
        assert answer.message, what
        assert len(answer.message) < 4_000_000
        return
    identifier = answer.json["Id"]
    assert isinstance(answer.json["Warnings"], list)
    try:
        assert engine.get(f"/containers/{identifier}/json", version=version).status == 200, what
        listed = engine.get("/containers/json", version=version, query={"all": "1"})
        assert [each["Id"] for each in listed.json] == [identifier], what
    finally:
        assert engine.delete(f"/containers/{identifier}", query={"v": "1"}).status == 204, what


@pytest.fixture(scope="module")
def untouched(engine: Engine) -> dict[str, list[str]]:
    engine.delete(f"/containers/{engine.create('true', Volumes={'/v': {}})}?v=1")
    return engine.traces()


@pytest.mark.parametrize("place", all_places(), ids=str)
def test_wrong_values(engine: Engine, untouched: dict[str, list[str]], place: Place) -> None:
    for number, (what, value) in enumerate(WRONG.items()):
        check(engine, VERSIONS[number % len(VERSIONS)], f"{place} {what}", place.body(BASE, value))
    assert engine.get("/containers/json", query={"all": "1"}).json == []
    for volume in engine.get("/volumes").json["Volumes"]:  # those with a name stay, as they should
        assert engine.delete(f"/volumes/{volume['Name']}").status == 204


@pytest.mark.parametrize("what", WRONG)
def test_wrong_bodies(engine: Engine, what: str) -> None:
    for version in VERSIONS:
        answer = create(engine, version, WRONG[what].encode())
        assert answer.status in {400, 413}
        assert answer.message


def test_nothing_is_left(engine: Engine, untouched: dict[str, list[str]]) -> None:
    """Of all the requests before."""
    assert settled(engine, untouched) == untouched


def test_a_body_beyond_the_limit(engine: Engine) -> None:
    answer = create(engine, "1.55", b'{"Image": "' + b"x" * (5 << 20) + b'"}')
    assert answer.status == 413
    assert answer.message
    assert engine.get("/_ping").status == 200


def test_keys_of_any_case_and_twice(engine: Engine) -> None:
    body = (
        f'{{"image": "{BASE_IMAGE}", "CMD": ["true"], "hostconfig": {{"memory": 6291456, "Memory": 7340032}}, "é": 1}}'
    )
    answer = create(engine, "1.55", body.encode())
    assert answer.status == 201
    assert engine.inspect(answer.json["Id"])["HostConfig"]["Memory"] == 7340032
    engine.remove_all()
