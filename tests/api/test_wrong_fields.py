"""Every field of the other request bodies with everything that is wrong there: done or refused with words, never a fault, nothing left."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.api.wrong import WRONG, Place, places
from tests.engine import BASE_IMAGE, Engine, settled
from tests.spec.documents import document

pytestmark = pytest.mark.root

VERSIONS = ("1.24", "1.43", "1.51", "1.55")
JSON_TYPE = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Body:
    pattern: str
    path: str
    base: dict[str, Any]


BODIES = (
    Body("/containers/{id}/update", "/containers/stopped/update", {}),
    Body("/containers/{id}/exec", "/containers/running/exec", {"Cmd": ["true"]}),
    Body("/exec/{id}/start", "/exec/nope/start", {"Detach": True}),
    Body("/networks/create", "/networks/create", {"Name": "wrong"}),
    Body("/networks/{id}/connect", "/networks/own/connect", {"Container": "stopped"}),
    Body("/networks/{id}/disconnect", "/networks/own/disconnect", {"Container": "stopped"}),
    Body("/volumes/create", "/volumes/create", {"Name": "wrong"}),
    Body("/commit", "/commit?container=stopped&repo=wrong", {}),
)


def cases() -> list[tuple[Body, Place]]:
    newest = document("1.55")
    found = []
    for body in BODIES:
        parameters = newest.operation("POST", body.pattern)["parameters"]
        (schema,) = [each["schema"] for each in parameters if each["in"] == "body"]
        found += [(body, place) for place in dict.fromkeys(places(newest, schema))]
    return found


@pytest.fixture(scope="module")
def untouched(engine: Engine) -> Iterator[dict[str, list[str]]]:
    assert (
        engine.post("/networks/create", {"Name": "own", "IPAM": {"Config": [{"Subnet": "10.99.0.0/24"}]}}).status == 201
    )
    engine.create("true", name="stopped")
    engine.run("sleep", "1000", name="running", StopSignal="SIGKILL")
    yield engine.traces()
    engine.remove_all()
    assert engine.delete("/networks/own").status == 204


def clean(engine: Engine) -> None:
    for network in engine.get("/networks", query={"filters": {"type": ["custom"]}}).json:
        if network["Name"] != "own":
            assert engine.delete(f"/networks/{network['Id']}").status == 204
    for volume in engine.get("/volumes").json["Volumes"]:
        assert engine.delete(f"/volumes/{volume['Name']}").status == 204
    for image in engine.get("/images/json").json:
        if BASE_IMAGE not in image["RepoTags"]:
            assert engine.delete(f"/images/{image['Id']}?force=1").status == 200
    engine.post("/networks/own/disconnect", {"Container": "stopped"})


@pytest.mark.parametrize(("body", "place"), cases(), ids=[f"{body.pattern} {place}" for body, place in cases()])
def test_wrong_values(engine: Engine, untouched: dict[str, list[str]], body: Body, place: Place) -> None:
    for number, (what, value) in enumerate(WRONG.items()):
        version = VERSIONS[number % len(VERSIONS)]
        answer = engine.request("POST", body.path, place.body(body.base, value), version=version, headers=JSON_TYPE)
        assert answer.status < 500 or answer.status in {501, 503}, f"{what}: {answer.status} {answer.body[:300]!r}"
        if answer.status >= 400:
            assert answer.message, what
        if answer.status == 201:
            clean(engine)
    clean(engine)


def test_nothing_is_left(engine: Engine, untouched: dict[str, list[str]]) -> None:
    """Of all the requests before."""
    assert engine.get("/_ping").status == 200
    assert engine.inspect("running")["State"]["Running"] is True
    assert settled(engine, untouched) == untouched
