"""What is sent to whom for a challenge."""

import json
from collections.abc import AsyncIterator, Sequence
from urllib.parse import parse_qsl, urlsplit

import pytest

from wharfd.drivers.registry.auth import Authority
from wharfd.drivers.registry.endpoints import Endpoint
from wharfd.drivers.registry.message import Http, Request
from wharfd.drivers.registry.retries import Backoff
from wharfd.model.errors import RegistryFailure, Unauthorized
from wharfd.wire.authconfig import AuthConfig, Challenge

OWN = Endpoint(url="https://r.example/v2", name="r.example", is_own=True)
MIRROR = Endpoint(url="https://m.example/v2", name="r.example", is_own=False)
BASIC = Challenge("basic", {"realm": "x"})
BEARER = Challenge(
    "bearer", {"realm": "https://auth.example/token?fixed=1", "service": "s", "scope": "repository:x:pull"}
)
LOGIN = AuthConfig(username="me", password="p:w")
ME = "Basic bWU6cDp3"


class Reply:
    """An answer with a JSON body."""

    reason, url, is_own = "Reason", "https://auth.example/token", True

    def __init__(self, status: int, doc: object) -> None:
        self.status = status
        self.doc = doc

    def header(self, name: str) -> str:
        return ""

    def headers(self, name: str) -> Sequence[str]:
        return []

    async def read(self, limit: int) -> bytes:
        return json.dumps(self.doc).encode()

    async def pieces(self) -> AsyncIterator[bytes]:
        yield b""

    def close(self) -> None:
        pass


class TokenServer:
    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.replies: list[Reply] = []

    async def send(self, request: Request) -> Reply:
        self.asked.append(request)
        return self.replies.pop(0) if self.replies else Reply(200, {"token": f"t{len(self.asked)}", "expires_in": 300})

    async def close(self) -> None:
        pass


@pytest.fixture
def server() -> TokenServer:
    return TokenServer()


@pytest.fixture
def authority(server: TokenServer) -> Authority:
    async def http() -> Http:
        return server

    return Authority(http, Backoff(1))


async def asked(authority: Authority, endpoint: Endpoint, login: AuthConfig | None, *scopes: str) -> str:
    return await authority.authorization(endpoint, scopes, login, "GET", f"{endpoint.url}/x")


async def test_nothing_is_sent_before_it_is_asked_for(authority: Authority) -> None:
    assert await asked(authority, OWN, LOGIN) == ""


async def test_basic(authority: Authority) -> None:
    assert authority.learn(OWN, [BASIC], "")
    assert await asked(authority, OWN, LOGIN) == ME
    assert not authority.learn(OWN, [BASIC], ME), "a refused password is not sent again"
    with pytest.raises(RegistryFailure, match=r'Get "https://r\.example/v2/x": no basic auth credentials'):
        await asked(authority, OWN, None)
    unasked = await authority.authorization(OWN, (), None, "GET", f"{OWN.url}/x", is_refused=False)
    assert unasked == "", "an open registry may have taken its place"


async def test_a_mirror_never_sees_the_login(authority: Authority, server: TokenServer) -> None:
    authority.learn(MIRROR, [BASIC], "")
    with pytest.raises(RegistryFailure, match="no basic auth credentials"):
        await asked(authority, MIRROR, LOGIN)
    authority.learn(MIRROR, [BEARER], "")
    assert await asked(authority, MIRROR, LOGIN) == "Bearer t1"
    assert server.asked[0].private == []
    assert await asked(authority, MIRROR, AuthConfig(registrytoken="r")) == "Bearer t1"


async def test_a_token_by_password(authority: Authority, server: TokenServer) -> None:
    assert authority.learn(OWN, [BASIC, BEARER], "")
    assert await asked(authority, OWN, LOGIN, "repository:a:pull", "repository:b:pull") == "Bearer t1"
    (request,) = server.asked
    assert (request.method, request.private) == ("GET", [("Authorization", ME)])
    assert parse_qsl(urlsplit(request.url).query) == [
        ("fixed", "1"),
        ("service", "s"),
        ("scope", "repository:a:pull"),
        ("scope", "repository:b:pull"),
        ("account", "me"),
    ]


async def test_a_token_by_identity_token(authority: Authority, server: TokenServer) -> None:
    authority.learn(OWN, [BEARER], "")
    await asked(authority, OWN, AuthConfig(identitytoken="i&d"), "repository:a:pull", "repository:b:pull")
    (request,) = server.asked
    assert (request.method, request.url, request.private) == ("POST", BEARER.parameters["realm"], ())
    assert isinstance(request.body, bytes)
    assert dict(parse_qsl(request.body.decode())) == {
        "grant_type": "refresh_token",
        "service": "s",
        "client_id": "docker",
        "scope": "repository:a:pull repository:b:pull",
        "refresh_token": "i&d",
    }


async def test_tokens_are_kept_by_scope_and_by_login(authority: Authority, server: TokenServer) -> None:
    authority.learn(OWN, [BEARER], "")
    for _ in range(2):
        assert await asked(authority, OWN, None, "a", "b") == "Bearer t1"
        assert await asked(authority, OWN, None, "b", "a") == "Bearer t1"
        assert await asked(authority, OWN, None, "a") == "Bearer t2"
        assert await asked(authority, OWN, LOGIN, "a") == "Bearer t3"
        assert await asked(authority, OWN, AuthConfig(username="me", password="other"), "a") == "Bearer t4"
    assert len(server.asked) == 4
    assert authority.fetching == {}
    assert "p:w" not in repr(authority.tokens)


async def test_a_refused_token_is_fetched_anew(authority: Authority) -> None:
    authority.learn(OWN, [BEARER], "")
    used = await asked(authority, OWN, None, "a")
    assert authority.learn(OWN, [BEARER], used)
    assert await asked(authority, OWN, None, "a") == "Bearer t2"


async def test_a_token_that_allows_too_little_is_not_asked_for_twice(authority: Authority) -> None:
    authority.learn(OWN, [BEARER], "")
    used = await asked(authority, OWN, None, "a")
    denied = Challenge("bearer", {**BEARER.parameters, "error": "insufficient_scope"})
    assert not authority.learn(OWN, [denied], used)
    assert authority.learn(OWN, [denied], "")
    assert await asked(authority, OWN, None, "a") == "Bearer t2", "later it may allow more"


async def test_a_token_that_ends_soon_is_not_kept_long(authority: Authority, server: TokenServer) -> None:
    authority.learn(OWN, [BEARER], "")
    server.replies = [Reply(200, {"access_token": "a1", "expires_in": 0.000001})]
    assert await asked(authority, OWN, None, "a") == "Bearer a1"
    assert await asked(authority, OWN, None, "a") == "Bearer t2"


async def test_parallel_requests_learn_the_same(authority: Authority) -> None:
    assert authority.learn(OWN, [BEARER], "")
    assert authority.learn(OWN, [BEARER], ""), "the second of two that were sent without anything tries again, too"


@pytest.mark.parametrize("challenges", [[], [Challenge("negotiate", {})], [Challenge("bearer", {"service": "s"})]])
async def test_a_challenge_that_cannot_be_met(authority: Authority, challenges: list[Challenge]) -> None:
    assert not authority.learn(OWN, challenges, "")


async def test_the_words_of_a_token_server(authority: Authority, server: TokenServer) -> None:
    authority.learn(OWN, [BEARER], "")
    server.replies = [Reply(401, {"details": "incorrect username or password"})]
    with pytest.raises(Unauthorized) as raised:
        await asked(authority, OWN, LOGIN, "a")
    assert str(raised.value) == 'Get "https://r.example/v2/x": unauthorized: incorrect username or password'
    server.replies = [Reply(200, {"expires_in": 3})]
    with pytest.raises(RegistryFailure, match="authorization server did not include a token in the response"):
        await asked(authority, OWN, LOGIN, "a")


async def test_what_is_remembered_has_an_end(authority: Authority) -> None:
    for i in range(400):
        endpoint = Endpoint(url=f"https://r{i}.example/v2", name=f"r{i}.example", is_own=True)
        authority.learn(endpoint, [BEARER], "")
        await asked(authority, endpoint, None, f"scope-{i}")
    assert len(authority.challenges) <= 256
    assert len(authority.tokens) <= 256
