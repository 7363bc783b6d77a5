"""What this engine does not have, answered as an engine without it does; what is not built yet says so."""

import re

import pytest

from tests.api.caller import NEWEST, Caller, edges, minor
from tests.engine import Engine
from tests.spec.documents import document
from wharfd.api.handlers.swarm import TABLE
from wharfd.api.router import NotBuilt, Route
from wharfd.api.versions.version import MIN

pytestmark = pytest.mark.root

MANAGER = (
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm '
    "and try again."
)


def path_of(pattern: str) -> str:
    return re.sub(r"\{[^}]*\}", "x", pattern)


@pytest.mark.parametrize(("name", "method", "pattern", "since"), [row[:4] for row in TABLE])
def test_without_a_swarm(engine: Engine, name: str, method: str, pattern: str, since: str) -> None:
    for version in edges(since):
        at = Caller(engine, version)
        body: dict[str, str] | None = {} if method in {"POST", "PUT"} else None
        answer = at.send(method, path_of(pattern), body)
        assert answer.status == 503
        message = answer.message
        if name not in {"swarm.init", "swarm.join", "swarm.leave", "swarm.unlock"}:
            assert message == MANAGER
    assert "503" in document(NEWEST).operation(method, pattern)["responses"]
    if minor(since) > 24:
        answer = engine.request(method, path_of(pattern), version=f"1.{minor(since) - 1}")
        assert (answer.status, answer.message) == (404, "page not found")


def test_without_plugins(engine: Engine) -> None:
    for version in edges("1.25"):
        at = Caller(engine, version)
        assert at("GET", "/plugins").json == []
        assert at("GET", "/plugins", query={"filters": {"enabled": ["true"]}}).json == []
        missing = 'plugin "a/b:1" not found'
        at.refused("GET", "/plugins/{name}/json", 404, missing, name="a/b:1")
        at.refused("DELETE", "/plugins/{name}", 404, missing, name="a/b:1")
        for verb in ("enable", "disable", "push"):
            at.refused("POST", f"/plugins/{{name}}/{verb}", 404, missing, name="a/b:1")
        at.refused("POST", "/plugins/{name}/set", 404, missing, ["A=1"], name="a/b:1")


def test_what_is_not_built_says_so(engine: Engine, not_built: list[Route]) -> None:
    for route in not_built:
        answer = engine.request(route.method, path_of(route.pattern), version=route.since)
        assert answer.status == 501, route.name
        if route.method != "HEAD":
            assert isinstance(route.handler, NotBuilt)
            assert answer.message == route.handler.message


@pytest.fixture(scope="module")
def not_built() -> list[Route]:
    from tests.unit.test_status import load

    return [route for route in load().table() if not route.built]


def test_the_oldest_version_is_the_first_edge() -> None:
    assert edges()[0] == str(MIN)
