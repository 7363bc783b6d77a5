"""Every call on builds at the versions where something changes.  What is built is held by tests/integration/build and buildkit."""

from collections.abc import Iterator

import pytest

from tests.api.caller import NEWEST, Caller, minor
from tests.api.raw import ask
from tests.engine import BASE_IMAGE, Engine
from tests.spec.documents import check_answer
from tests.tars import entry, tar_of

pytestmark = pytest.mark.root

EDGES = ("1.24", "1.29", "1.30", "1.32", "1.47", "1.48", NEWEST)


@pytest.fixture(params=EDGES)
def at(engine: Engine, request: pytest.FixtureRequest) -> Iterator[Caller]:
    """One version; images but the base image are removed behind a test."""
    yield Caller(engine, request.param)
    for each in engine.get("/images/json").json:
        if BASE_IMAGE not in each["RepoTags"]:
            assert engine.delete(f"/images/{each['Id']}", query={"force": "1"}).status == 200


def context(*lines: str) -> bytes:
    return tar_of(entry("Dockerfile", "\n".join((f"FROM {BASE_IMAGE}", *lines)).encode()))


def test_build(at: Caller) -> None:
    answer = at("POST", "/build", context("LABEL a=b"), query={"t": "built:1"})
    assert answer.headers["content-type"] == "application/json"
    identifier = at("GET", "/images/{name}/json", name="built:1").json["Id"]
    lines = answer.lines()
    assert [line["aux"] for line in lines if "aux" in line] == ([{"ID": identifier}] if minor(at.version) >= 30 else [])
    short = identifier.removeprefix("sha256:")[:12]
    assert "".join(line.get("stream", "") for line in lines[-3:]).endswith(
        f"Successfully built {short}\nSuccessfully tagged built:1\n"
    )
    quiet = at("POST", "/build", context("LABEL a=b"), query={"q": "1"})
    assert quiet.lines()[-1] == {"stream": f"{identifier}\n"}


def test_a_platform_is_heard(at: Caller) -> None:
    answer = at.send("POST", "/build", context("LABEL a=c"), query={"platform": "no/such/thing/at/all"})
    assert (b"Successfully built" in answer.body) is (minor(at.version) < 32)


def test_a_step_that_fails_is_told_in_the_stream(at: Caller) -> None:
    last = at("POST", "/build", context("RUN exit 7")).lines()[-1]
    message = "The command '/bin/sh -c exit 7' returned a non-zero code: 7"
    assert last == {"errorDetail": {"code": 7, "message": message}, "error": message}


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"version": "3"}, 'invalid version "3"'),
        ({"squash": "1"}, "squash is only supported with experimental mode"),
        ({"isolation": "hyperv"}, 'unsupported isolation: "hyperv"'),
        ({"securityopt": "x"}, "security options are not supported on linux"),
    ],
)
def test_what_a_build_is_refused(at: Caller, query: dict[str, str], message: str) -> None:
    at.refused("POST", "/build", 400, message, context(), query=query)


def test_build_cancel(at: Caller) -> None:
    assert at.send("POST", "/build/cancel", query={"id": "none"}).status == 200
    at.refused("POST", "/build/cancel", 400, "build ID not provided")


def test_prune(at: Caller) -> None:
    if minor(at.version) < 31:
        at.refused("POST", "/build/prune", 404, "page not found")
        return
    at("POST", "/build", context("RUN true"))
    pruned = at("POST", "/build/prune", query={"all": "1"}, status=200).json
    assert pruned["CachesDeleted"]
    assert at("POST", "/build/prune", query={"all": "1"}, status=200).json["CachesDeleted"] is None
    known = "reserved-space" if minor(at.version) >= 48 else "keep-storage"
    message = f'{known} is in bytes and expects an integer, got x: strconv.Atoi: parsing "x": invalid syntax'
    at.refused("POST", "/build/prune", 400, message, query={known: "x"})
    assert at.send("POST", "/build/prune", query={"max-used-space": "x"}).status == (
        400 if minor(at.version) >= 48 else 200
    )


def test_session(at: Caller) -> None:
    """The connection becomes HTTP/2: a client's session is there until it goes away."""
    if minor(at.version) < 31:
        at.refused("POST", "/session", 404, "page not found")
        return
    at.refused("POST", "/session", 400, "no upgrade proto in request")
    at.refused("POST", "/session", 400, "protocol tcp not supported", headers={"Upgrade": "tcp"})
    answer = ask(
        at.engine,
        f"POST /v{at.version}/session HTTP/1.1\nHost: x\nConnection: Upgrade\nUpgrade: h2c\n",
        b"not HTTP/2 at all",
    )
    assert answer.status == 101
    assert answer.headers["upgrade"] == "h2c"
    check_answer(at.version, "POST", "/session", 101, None, has_body=False)
