"""Which version a request speaks, what every answer carries, and how paths are read."""

import pytest

from tests.api.caller import EDGES, NEWEST, Caller, check_heads
from tests.api.raw import ask
from tests.engine import Engine

pytestmark = pytest.mark.root

TOO_OLD = (
    "client version {} is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version"
)
TOO_NEW = "client version {} is too new. Maximum supported API version is 1.55"


@pytest.mark.parametrize("version", ["1.23", "1.2", "1.9", "0.99", "1", "1.0.1"])
def test_older_clients_are_told_to_upgrade_in_plain_text(engine: Engine, version: str) -> None:
    answer = engine.get("/containers/json", version=version)
    assert answer.status == 400
    assert answer.body.decode() == TOO_OLD.format(version) + "\n"
    assert answer.headers["content-type"].startswith("text/plain")
    check_heads(answer)


@pytest.mark.parametrize("version", ["1.56", "1.100", "2.0", "10.1"])
def test_newer_clients_are_told_what_there_is(engine: Engine, version: str) -> None:
    answer = engine.get("/_ping", version=version)
    assert (answer.status, answer.message) == (400, TOO_NEW.format(version))
    check_heads(answer)


def test_a_version_that_no_route_has_does_not_hide_that_a_path_is_unknown(engine: Engine) -> None:
    assert engine.get("/nothing", version="9.9").status == 404


@pytest.mark.parametrize("version", ["", *EDGES])
def test_ping(engine: Engine, version: str) -> None:
    answer = Caller(engine, version)("GET", "/_ping")
    assert answer.body == b"OK"
    check_ping(answer.headers)
    assert answer.headers["content-length"] == "2"


@pytest.mark.parametrize("version", ["", *EDGES])
def test_ping_by_head_is_served_to_every_version(engine: Engine, version: str) -> None:
    answer = Caller(engine, version).send("HEAD", "/_ping")
    assert (answer.status, answer.body) == (200, b"")
    check_heads(answer)
    check_ping(answer.headers)
    assert answer.headers["content-length"] == "0"


def check_ping(headers: dict[str, str]) -> None:
    assert headers["builder-version"] in {"1", "2"}
    assert headers["swarm"] == "inactive"
    assert headers["cache-control"] == "no-cache, no-store, must-revalidate"
    assert headers["pragma"] == "no-cache"
    assert headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("path", ["/", "/containers/json", "/nothing/here", "/_ping"])
@pytest.mark.parametrize("version", ["", "1.24", NEWEST])
def test_options_is_answered_for_any_path(engine: Engine, path: str, version: str) -> None:
    answer = engine.request("OPTIONS", path, version=version)
    assert (answer.status, answer.body) == (200, b"")
    check_heads(answer)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/nothing"),
        ("GET", "/containers"),
        ("GET", "/containers/create"),
        ("POST", "/containers/json"),
        ("PUT", "/_ping"),
        ("DELETE", "/version"),
        ("PATCH", "/info"),
        ("HEAD", "/version"),
        ("HEAD", "/containers/json"),
        ("BREW", "/_ping"),
        ("GET", "/v1.40"),
        ("GET", "/v1.40/"),
        ("GET", "/v1.40/v1.40/_ping"),
        ("GET", "/vx/_ping"),
        ("GET", "/containers/json/"),
    ],
)
def test_what_is_not_there_is_a_page_not_found(engine: Engine, method: str, path: str) -> None:
    """Docker: a wrong method too; there is no 405."""
    answer = engine.request(method, path)
    assert answer.status == 404
    if method != "HEAD":
        assert answer.json == {"message": "page not found"}
    check_heads(answer)


@pytest.mark.parametrize(
    ("path", "since"),
    [
        ("GET /system/df", 25),
        ("POST /containers/prune", 25),
        ("POST /images/prune", 25),
        ("POST /networks/prune", 25),
        ("POST /volumes/prune", 25),
        ("GET /secrets", 25),
        ("GET /tasks/x/logs", 29),
        ("GET /distribution/x/json", 30),
        ("GET /configs", 30),
        ("POST /session", 31),
        ("POST /build/prune", 31),
        ("PUT /volumes/x", 42),
        ("GET /images/x/attestations", 55),
    ],
)
def test_routes_are_there_from_their_version_on(engine: Engine, path: str, since: int) -> None:
    method, path = path.split()
    before = engine.request(method, path, version=f"1.{since - 1}")
    assert (before.status, before.message) == (404, "page not found")
    answer = engine.request(method, path, version=f"1.{since}")
    assert b"page not found" not in answer.body


@pytest.mark.parametrize(
    "path",
    [
        "//version",
        "/v1.40//version",
        "//v1.40/version",
        "///v1.40///version",
        "/v1.40/%76ersion",
    ],
)
def test_paths_are_cleaned_without_a_redirect(engine: Engine, path: str) -> None:
    """Docker: 301, which turns a POST into a GET."""
    answer = ask(engine, f"GET {path} HTTP/1.1\nHost: x\nConnection: close")
    assert answer.status == 200
    assert b'"ApiVersion":"1.55"' in answer.body


@pytest.mark.parametrize("path", ["/v1.40/./version", "/v1.40/containers/../version", "/containers/%2e%2e/version"])
def test_dots_lead_nowhere(engine: Engine, path: str) -> None:
    answer = ask(engine, f"GET {path} HTTP/1.1\nHost: x\nConnection: close")
    assert (answer.status, answer.body) == (404, b'{"message":"page not found"}\n')


def test_a_doubled_slash_is_no_other_method(engine: Engine) -> None:
    answer = ask(
        engine, "POST /v1.40//containers/339e9914b446/start HTTP/1.1\nHost: v1.40\nContent-Length: 0\nConnection: close"
    )
    assert (answer.status, answer.body) == (404, b'{"message":"No such container: 339e9914b446"}\n')


@pytest.mark.parametrize(
    "host",
    ["v1.40", "localhost", "docker", "api.moby.localhost", "d", "%2Fvar%2Frun%2Fdocker.sock", "", "[::1]:2375", "a b"],
)
def test_any_host_will_do(engine: Engine, host: str) -> None:
    assert ask(engine, f"GET /_ping HTTP/1.1\nHost: {host}\nConnection: close").body == b"OK"


@pytest.mark.parametrize(
    "target", ["http://localhost/v1.40/_ping", "http://v1.40/_ping", "http://d:2375/_ping", "HTTP://d//v1.55//_ping"]
)
def test_absolute_targets(engine: Engine, target: str) -> None:
    assert ask(engine, f"GET {target} HTTP/1.1\nHost: other\nConnection: close").body == b"OK"


def test_http_1_0_is_answered_and_closed(engine: Engine) -> None:
    answer = ask(engine, "GET /_ping HTTP/1.0")
    assert (answer.status, answer.body) == (200, b"OK")


@pytest.mark.parametrize("version", ["", "1.24", NEWEST])
def test_names_with_escaped_slashes_reach_their_handler(engine: Engine, version: str) -> None:
    prefix = f"/v{version}" if version else ""
    answer = ask(engine, f"GET {prefix}/images/no%2Fsuch%2Fthing:1/json HTTP/1.1\nHost: d\nConnection: close")
    assert (answer.status, answer.body) == (404, b'{"message":"No such image: no/such/thing:1"}\n')


def test_bodies_must_say_that_they_are_json(engine: Engine) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonx"):
        answer = engine.request("POST", "/containers/create", b"{}", headers={"Content-Type": kind})
        assert (answer.status, answer.message) == (
            400,
            f"unsupported Content-Type header ({kind}): must be 'application/json'",
        )
    for kind in ("application/json", "application/json; charset=utf-8", "Application/JSON"):
        answer = engine.request("POST", "/containers/create", b"{}", headers={"Content-Type": kind})
        assert answer.message == "config cannot be empty in order to create a container"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "invalid JSON: got EOF while reading request body"),
        (b"{}{}", "unexpected content after JSON"),
        (b"{} x", "unexpected content after JSON"),
        (b"{", "invalid JSON: unexpected EOF"),
        (b"{'a':1}", "invalid JSON: invalid character '\\'' looking for beginning of object key string"),
        (b"nul", "invalid JSON: unexpected EOF"),
        (b"[]", "invalid JSON: json: cannot unmarshal array into Go value of type container.CreateRequest"),
    ],
)
def test_broken_json(engine: Engine, body: bytes, message: str) -> None:
    answer = engine.request("POST", "/containers/create", body, headers={"Content-Type": "application/json"})
    assert (answer.status, answer.message) == (400, message)
