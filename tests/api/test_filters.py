"""The filters of the list of containers."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.caller import Caller
from tests.engine import BASE_IMAGE, Engine

pytestmark = pytest.mark.root

EVERYONE = {"created", "running", "paused", "exited", "failed"}


@pytest.fixture(scope="module", autouse=True)
def containers(engine: Engine) -> Iterator[dict[str, str]]:
    """By name; created in this order."""
    bind = {"HostConfig": {"Binds": ["data:/data"]}}
    made = {
        "created": engine.create("true", name="created", Labels={"tier": "front", "a": ""}),
        "running": engine.run("sleep", "1000", name="running", StopSignal="SIGKILL", Labels={"tier": "back"}),
        "paused": engine.run("sleep", "1000", name="paused", StopSignal="SIGKILL", ExposedPorts={"80/tcp": {}}),
        "exited": engine.run("true", name="exited", **bind),
        "failed": engine.run("sh", "-c", "exit 3", name="failed", HostConfig={"NetworkMode": "none"}),
    }
    for name in ("exited", "failed"):
        engine.wait(name)
    assert engine.post("/containers/paused/pause").status == 204
    yield made
    engine.remove_all()
    assert engine.delete("/volumes/data").status == 204


def names(engine: Engine, filters: Any, all_: bool = True, **query: str) -> set[str]:
    found = Caller(engine)("GET", "/containers/json", query={"filters": filters, "all": str(int(all_)), **query})
    return {each["Names"][0][1:] for each in found.json}


CASES: list[tuple[dict[str, list[str]], set[str]]] = [
    ({}, EVERYONE),
    ({"name": ["run"]}, {"running"}),
    ({"name": ["/run"]}, {"running"}),
    ({"name": ["^/running$"]}, {"running"}),
    ({"name": ["^ed$"]}, set()),
    ({"name": ["ed$"]}, {"created", "paused", "exited", "failed"}),
    ({"name": ["running", "exited"]}, {"running", "exited"}),
    ({"name": ["["]}, set()),
    ({"label": ["tier"]}, {"created", "running"}),
    ({"label": ["tier=front"]}, {"created"}),
    ({"label": ["tier=front", "a"]}, {"created"}),
    ({"label": ["tier=front", "tier=back"]}, set()),
    ({"label": ["a="]}, {"created"}),
    ({"status": ["exited"]}, {"exited", "failed"}),
    ({"status": ["running", "paused"]}, {"running", "paused"}),
    ({"status": ["created"]}, {"created"}),
    ({"status": ["restarting"]}, set()),
    ({"exited": ["3"]}, {"failed"}),
    ({"exited": ["0"]}, {"exited"}),
    ({"exited": ["0", "3"]}, {"exited", "failed"}),
    ({"ancestor": [BASE_IMAGE]}, EVERYONE),
    ({"ancestor": ["nope"]}, set()),
    ({"before": ["paused"]}, {"created", "running"}),
    ({"since": ["paused"]}, {"exited", "failed"}),
    ({"since": ["created"], "before": ["exited"]}, {"running", "paused"}),
    ({"volume": ["data"]}, {"exited"}),
    ({"volume": ["/data"]}, {"exited"}),
    ({"volume": ["/nope"]}, set()),
    ({"network": ["bridge"]}, {"created", "running", "paused", "exited"}),
    ({"network": ["none"]}, {"failed"}),
    ({"network": ["nope"]}, set()),
    ({"expose": ["80"]}, {"paused"}),
    ({"expose": ["80/tcp"]}, {"paused"}),
    ({"expose": ["1-100/tcp"]}, {"paused"}),
    ({"expose": ["80/udp"]}, set()),
    ({"publish": ["80"]}, set()),
    ({"health": ["none"]}, EVERYONE),
    ({"health": ["healthy"]}, set()),
    ({"is-task": ["false"]}, EVERYONE),
    ({"is-task": ["true"]}, set()),
    ({"isolation": ["default"]}, EVERYONE),
    ({"status": ["exited"], "name": ["fail"]}, {"failed"}),
]


@pytest.mark.parametrize(("filters", "expected"), CASES, ids=[json.dumps(case[0]) for case in CASES])
def test_filters(engine: Engine, filters: dict[str, list[str]], expected: set[str]) -> None:
    assert names(engine, filters) == expected
    older_form = {key: dict.fromkeys(values, True) for key, values in filters.items()}
    assert names(engine, older_form) == expected


def test_ids(engine: Engine, containers: dict[str, str]) -> None:
    for name, identifier in containers.items():
        assert names(engine, {"id": [identifier]}) == {name}
        assert names(engine, {"id": [identifier[:12]]}) == {name}
    assert names(engine, {"id": ["zz"]}) == set()
    network = engine.get("/networks/none").json["Id"]
    assert names(engine, {"network": [network]}) == {"failed"}
    assert names(engine, {"network": [network[:12]]}) == {"failed"}
    image = engine.get(f"/images/{BASE_IMAGE}/json").json["Id"]
    assert names(engine, {"ancestor": [image]}) == EVERYONE
    assert names(engine, {"ancestor": [image.removeprefix("sha256:")[:12]]}) == EVERYONE


def test_only_what_runs_unless_asked(engine: Engine) -> None:
    assert names(engine, {}, all_=False) == {"running", "paused"}
    assert names(engine, {"name": ["ed"]}, all_=False) == {"paused"}
    # A status, and a limit, look at all.
    assert names(engine, {"status": ["exited"]}, all_=False) == {"exited", "failed"}
    assert names(engine, {}, all_=False, limit="2") == {"exited", "failed"}
    assert names(engine, {}, all_=False, limit="-1") == {"running", "paused"}
    assert names(engine, {}, all_=False, limit="0") == {"running", "paused"}


def test_newest_first(engine: Engine, containers: dict[str, str]) -> None:
    listed = Caller(engine)("GET", "/containers/json", query={"all": "1"}).json
    assert [each["Id"] for each in listed] == list(reversed(containers.values()))


STATES = "created, running, paused, restarting, removing, exited, dead"
HEALTHS = "none, starting, healthy, unhealthy"
REFUSED: list[tuple[Any, int, str]] = [
    ("x", 400, "invalid filter"),
    ("[]", 400, "invalid filter"),
    ({"x": ["y"]}, 400, "invalid filter 'x'"),
    ({"status": ["nope"]}, 400, f"invalid filter 'status=nope': invalid value for state (nope): must be one of {STATES}"),
    ({"health": ["nope"]}, 400, f"invalid filter 'health=nope': invalid value for health (nope): must be one of {HEALTHS}"),
    ({"exited": ["x"]}, 400, "invalid filter 'exited=x': strconv.Atoi: parsing \"x\": invalid syntax"),
    ({"is-task": ["x"]}, 400, "invalid filter 'is-task=[x]'"),
    ({"before": ["nope"]}, 404, "No such container: nope"),
    ({"since": ["nope"]}, 404, "No such container: nope"),
    ({"publish": ["a:b"]}, 400, "filter for 'publish' should not contain ':': a:b"),
]  # fmt: skip


@pytest.mark.parametrize(("filters", "status", "message"), REFUSED)
def test_refused(engine: Engine, filters: Any, status: int, message: str) -> None:
    Caller(engine).refused("GET", "/containers/json", status, message, query={"filters": filters})


def test_no_filters(engine: Engine) -> None:
    for text in ("", "{}", "null", '{"name":[]}', '{"name":{}}'):
        assert names(engine, text) == EVERYONE
