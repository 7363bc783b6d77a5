import json
from typing import cast

import pytest

from wharfd.api.errors import error_response
from wharfd.api.router import Route, RouteHandler, Router, RouteTable, not_built
from wharfd.api.transport import Outcome, Request, Response, json_response
from wharfd.api.transport.channel import Channel
from wharfd.api.versions.version import MAX, MIN, Version
from wharfd.model.errors import NotFound, NotImplementedHere
from wharfd.wire.http1 import parse_head

TABLE = [
    ("GET", "/_ping"),
    ("HEAD", "/_ping"),
    ("GET", "/containers/json"),
    ("POST", "/containers/create"),
    ("GET", "/containers/{id}/json"),
    ("POST", "/containers/{id}/attach"),
    ("GET", "/containers/{id}/attach/ws"),
    ("DELETE", "/containers/{id}"),
    ("DELETE", "/containers/{id}/checkpoints/{checkpoint}"),
    ("GET", "/images/json"),
    ("GET", "/images/get"),
    ("GET", "/images/{name:.*}/json"),
    ("GET", "/images/{name:.*}/get"),
    ("POST", "/images/{name:.*}/tag"),
    ("DELETE", "/images/{name:.*}"),
    ("GET", "/networks"),
    ("GET", "/networks/"),
    ("GET", "/networks/{id}"),
    ("POST", "/networks/create"),
    ("POST", "/networks/{id}/connect"),
]


def echo(name: str) -> RouteHandler:
    def handler(request: Request) -> Outcome:
        return json_response([name, dict(request.params), str(request.version), request.path])

    return handler


def route(method: str, pattern: str, **more: object) -> Route:
    name = str(more.pop("name", f"{method} {pattern}"))
    return Route(method=method, pattern=pattern, name=name, **{"handler": echo(name), **more})  # type: ignore[arg-type]


@pytest.fixture
def router() -> Router:
    ranged = [
        route("POST", "/containers/prune", since="1.25"),
        route("GET", "/old", until="1.43", name="old"),
        route("GET", "/old", since="1.44", name="new"),
        route("POST", "/session", since="1.31", handler=not_built("a session"), cancel_on_disconnect=True),
    ]
    return Router(RouteTable([route(method, pattern) for method, pattern in TABLE] + ranged))


def request(text: str) -> Request:
    return Request(cast("Channel", None), parse_head(f"{text} HTTP/1.1\r\n\r\n".encode()))


def ask(router: Router, text: str) -> tuple[str, dict[str, str], str, str]:
    """Name of the route, parameters, version, path."""
    first, cached = router(request(text)), router(request(text))
    assert isinstance(first, Response)
    assert first == cached
    name, params, version, path = json.loads(first.body)
    return name, params, version, path


@pytest.mark.parametrize(
    ("text", "name", "params"),
    [
        ("GET /_ping", "GET /_ping", {}),
        ("HEAD /_ping", "HEAD /_ping", {}),
        ("GET /containers/json", "GET /containers/json", {}),
        ("GET /containers/json/json", "GET /containers/{id}/json", {"id": "json"}),
        ("GET //containers//a/json", "GET /containers/{id}/json", {"id": "a"}),
        ("GET /containers/%2Fweb/json", "GET /containers/{id}/json", {"id": "web"}),
        ("GET /containers/a/attach/ws", "GET /containers/{id}/attach/ws", {"id": "a"}),
        ("DELETE /containers/a", "DELETE /containers/{id}", {"id": "a"}),
        (
            "DELETE /containers/a/checkpoints/b",
            "DELETE /containers/{id}/checkpoints/{checkpoint}",
            {"id": "a", "checkpoint": "b"},
        ),
        ("GET /images/json", "GET /images/json", {}),
        ("GET /images/get", "GET /images/get", {}),
        ("GET /images/get/get", "GET /images/{name:.*}/get", {"name": "get"}),
        ("GET /images/json/json", "GET /images/{name:.*}/json", {"name": "json"}),
        ("GET /images/host:5000/a/b:tag/json", "GET /images/{name:.*}/json", {"name": "host:5000/a/b:tag"}),
        ("GET /images/a%2Fb/json", "GET /images/{name:.*}/json", {"name": "a/b"}),
        ("GET /images/a/json/get", "GET /images/{name:.*}/get", {"name": "a/json"}),
        ("DELETE /images/a/b", "DELETE /images/{name:.*}", {"name": "a/b"}),
        ("DELETE /images/sha256:00", "DELETE /images/{name:.*}", {"name": "sha256:00"}),
        ("GET /networks", "GET /networks", {}),
        ("GET /networks/", "GET /networks/", {}),
        ("GET /networks/create", "GET /networks/{id}", {"id": "create"}),
        ("POST /networks/create", "POST /networks/create", {}),
        ("GET /containers/%0A/json", "GET /containers/{id}/json", {"id": "\n"}),
    ],
)
def test_paths(router: Router, text: str, name: str, params: dict[str, str]) -> None:
    assert ask(router, text)[:2] == (name, params)


@pytest.mark.parametrize(
    "text",
    [
        "GET /",
        "GET /nope",
        "POST /_ping",
        "HEAD /containers/json",  # Docker: GET alone is registered
        "GET /containers/a/b/json",
        "GET /containers//json/x",
        "GET /images//json/",
        "GET /containers/../images/json",
        "GET /v1.40",
        "GET /v1.40/nope",
        "GET /v1.10/nope",
        "GET /v/_ping",
        "GET /vx/_ping",
        "GET *",
        "POST /v1.24/containers/prune",
        "get /_ping",
    ],
)
def test_not_found(router: Router, text: str) -> None:
    with pytest.raises(NotFound) as caught:
        router(request(text))
    assert str(caught.value) == "page not found"


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("GET /_ping", "1.55"),
        ("GET /v1.24/_ping", "1.24"),
        ("GET /v1.40//_ping", "1.40"),
        ("GET //v1.55/_ping", "1.55"),
        ("GET /v1.41.3/_ping", "1.41"),
    ],
)
def test_versions(router: Router, text: str, version: str) -> None:
    assert ask(router, text)[2:] == (version, "/_ping")


TOO_OLD = (
    "client version {} is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version"
)
TOO_NEW = "client version {} is too new. Maximum supported API version is 1.55"


@pytest.mark.parametrize(
    ("version", "text"),
    [
        ("1.23", TOO_OLD),
        ("1.9", TOO_OLD),
        ("1", TOO_OLD),
        ("0.99", TOO_OLD),
        ("1..40", TOO_OLD),
        (".", TOO_OLD),
        ("1.56", TOO_NEW),
        ("1.100", TOO_NEW),
        ("2", TOO_NEW),
        ("99999.1", TOO_NEW),
    ],
)
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_versions_out_of_range(router: Router, version: str, text: str, method: str) -> None:
    asked = request(f"{method} /v{version}/_ping")
    with pytest.raises(Exception, match="client version") as caught:
        router(asked)
    response = error_response(asked, caught.value)
    message = text.format(version)
    assert response.status == 400
    if text is TOO_OLD:  # Docker: plain text below 1.24
        assert dict(response.headers)["Content-Type"] == "text/plain; charset=utf-8"
        assert response.body.decode() == message + "\n"
    else:
        assert response.body.decode() == f'{{"message":"{message}"}}\n'


def test_configured_range() -> None:
    router = Router(RouteTable([route("GET", "/_ping")]), min_version=Version(1, 40), max_version=Version(1, 44))
    assert ask(router, "GET /_ping")[2] == "1.44"
    with pytest.raises(Exception, match=r"client version 1\.39 is too old\. Minimum supported API version is 1\.40"):
        router(request("GET /v1.39/_ping"))
    with pytest.raises(Exception, match=r"client version 1\.45 is too new"):
        router(request("GET /v1.45/_ping"))


def test_routes_of_a_range_of_versions(router: Router) -> None:
    assert ask(router, "POST /v1.25/containers/prune")[0] == "POST /containers/prune"
    assert ask(router, "GET /v1.43/old")[0] == "old"
    assert ask(router, "GET /v1.44/old")[0] == "new"
    assert ask(router, "GET /old")[0] == "new"


@pytest.mark.parametrize("path", ["/", "/v1.40/containers/a", "/anything/at/all", "*"])
def test_options(router: Router, path: str) -> None:
    response = router(request(f"OPTIONS {path}"))
    assert isinstance(response, Response)
    assert (response.status, response.body) == (200, b"")


def test_what_is_set_on_the_request(router: Router) -> None:
    asked = request("POST /v1.31/session")
    with pytest.raises(NotImplementedHere, match="a session is not implemented by this engine"):
        router(asked)
    assert asked.cancel_on_disconnect
    assert (asked.path, asked.raw_path) == ("/session", "/v1.31/session")
    asked = request("GET /_ping")
    router(asked)
    assert not asked.cancel_on_disconnect


def test_the_cache_is_bounded(router: Router) -> None:
    for number in range(5000):
        assert ask(router, f"GET /containers/{number}/json")[1] == {"id": str(number)}
    assert len(router._cache) <= 2048


def test_table_for_the_documentation(router: Router) -> None:
    built = {found.name: found.built for found in router.table}
    assert len(built) == len(router.table) == len(TABLE) + 4
    assert [name for name, is_built in built.items() if not is_built] == ["POST /session"]


@pytest.mark.parametrize("pattern", ["x", "/{id}", "/a/{", "/a/{Id}"])
def test_patterns_that_cannot_be_served(pattern: str) -> None:
    with pytest.raises(ValueError, match="pattern"):
        RouteTable([route("GET", pattern)])


@pytest.mark.parametrize("reverse", [False, True])
def test_fixed_words_win_over_names_and_names_over_greedy_ones_in_any_order(reverse: bool) -> None:
    patterns = ["/a/b/c", "/a/b/{x}", "/a/{x}/{y}", "/a/{x:.*}"]
    router = Router(RouteTable([route("GET", pattern) for pattern in (reversed(patterns) if reverse else patterns)]))
    for path, pattern in [("/a/b/c", 0), ("/a/b/d", 1), ("/a/c/d", 2), ("/a/b", 3), ("/a/b/c/d", 3)]:
        assert ask(router, f"GET {path}")[0] == f"GET {patterns[pattern]}"


def test_names_are_unique() -> None:
    with pytest.raises(ValueError, match="two routes"):
        RouteTable([route("GET", "/a", name="x"), route("GET", "/b", name="x")])


def test_defaults_are_the_whole_range() -> None:
    found = route("GET", "/a")
    assert (found.since, found.until) == (str(MIN), None)
    assert ask(Router(RouteTable([found])), f"GET /v{MAX}/a")[2] == str(MAX)
