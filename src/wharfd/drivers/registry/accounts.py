"""Logins and search.

# Docker: search is the first version of the registry protocol (`/v1/search`), which hardly anybody but the Hub answers.
"""

from collections.abc import Sequence
from http import HTTPStatus
from urllib.parse import urlencode

import msgspec

from wharfd.drivers.registry.auth import Authority, encoded
from wharfd.drivers.registry.client import Client
from wharfd.drivers.registry.endpoints import Endpoint, Endpoints
from wharfd.drivers.registry.failures import Broken, Refused
from wharfd.model.errors import EngineError, InvalidParameter, RegistryFailure, Unauthorized
from wharfd.ports.registry import LoginStatus, SearchResult
from wharfd.wire.authconfig import AuthConfig, parse_challenges
from wharfd.wire.hosts_toml import PULL
from wharfd.wire.registryhosts import HUB, HUB_INDEX, registry_of, split_search_term

DEFAULT_LIMIT = 25
MAX_ANSWER = 4 << 20
SEARCH_SCOPE = "registry:catalog:search"


class FoundRepository(msgspec.Struct, frozen=True):
    name: str
    description: str | None = None
    star_count: int | None = None
    is_official: bool | None = None
    is_automated: bool | None = None

    def result(self) -> SearchResult:
        return SearchResult(
            name=self.name,
            description=self.description or "",
            star_count=self.star_count or 0,
            is_official=bool(self.is_official),
            is_automated=bool(self.is_automated),
        )


class SearchAnswer(msgspec.Struct, frozen=True):
    results: list[FoundRepository] | None = None


_found = msgspec.json.Decoder(SearchAnswer)


class Accounts:
    def __init__(self, client: Client, authority: Authority, endpoints: Endpoints) -> None:
        self.client = client
        self.authority = authority
        self.endpoints = endpoints

    async def check_login(self, login: AuthConfig) -> LoginStatus:
        name = registry_of(login.serveraddress)
        failure: EngineError = RegistryFailure(f"no host of {name} can be asked")
        for endpoint in await self.endpoints.of(name):
            if not endpoint.is_own:
                continue
            try:
                return await self.log_in(endpoint, login)
            except Broken as e:
                failure = e
                if e.reached:
                    break
        raise failure

    async def log_in(self, endpoint: Endpoint, login: AuthConfig) -> LoginStatus:
        url = f"{endpoint.url}/"
        done = LoginStatus(status="Login Succeeded")
        answer = await self.client.call(endpoint, "GET", url, wanted=range(600), authorization="")
        answer.close()
        challenges = [c for header in answer.headers("WWW-Authenticate") for c in parse_challenges(header)]
        if answer.status == HTTPStatus.OK:
            return done  # Docker: whoever asks for no login takes any
        if answer.status != HTTPStatus.UNAUTHORIZED or not challenges:
            raise failed(url, answer.status)
        self.authority.learn(endpoint, challenges, "")
        authorization, identity = await self.authority.identity_token(endpoint, login)
        checked = await self.client.call(endpoint, "GET", url, wanted=range(600), authorization=authorization)
        checked.close()
        if checked.status == HTTPStatus.UNAUTHORIZED:
            raise Unauthorized(str(failed(url, checked.status)))
        if checked.status != HTTPStatus.OK:
            raise failed(url, checked.status)
        return LoginStatus(status=done.status, identity_token=identity)

    async def search(self, term: str, limit: int, login: AuthConfig | None) -> list[SearchResult]:
        name, what = split_search_term(term)
        query = urlencode([("q", what), ("n", str(limit or DEFAULT_LIMIT))])
        failures: list[Broken] = []
        for endpoint in await self.searched(name):
            try:
                return await self.search_at(endpoint, f"search?{query}", login)
            except Broken as e:
                if e.reached or name == HUB:
                    raise
                failures.append(e)
        raise unsearchable(name, failures)

    async def search_at(self, endpoint: Endpoint, what: str, login: AuthConfig | None) -> list[SearchResult]:
        authorization, scopes = await self.with_login(endpoint, login)
        try:
            answer = await self.client.call(
                endpoint,
                "GET",
                f"{first_version(endpoint)}{what}",
                wanted=(200,),
                scopes=scopes,
                login=login if scopes else None,
                headers=[("X-Docker-Token", "true")],
                authorization=authorization,
            )
        except Refused as e:
            raise RegistryFailure(f"unexpected status code {e.status}", status=e.status) from e
        try:
            return [one.result() for one in _found.decode(await answer.read(MAX_ANSWER)).results or []]
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as e:
            raise RegistryFailure(f"error decoding registry search results: {e}") from e
        finally:
            answer.close()

    async def searched(self, name: str) -> Sequence[Endpoint]:
        if name != HUB:
            return [one for one in await self.endpoints.of(name) if one.is_own and PULL in one.capabilities]
        tls = self.endpoints.tls_of(HUB_INDEX)
        return [Endpoint(url=f"https://{HUB_INDEX}/v2", name=HUB, is_own=True, tls=tls)]

    async def with_login(self, endpoint: Endpoint, login: AuthConfig | None) -> tuple[str | None, list[str]]:
        """`Authorization` (None: as the host's challenge says) and scopes of a search with this login."""
        if login is None or login.is_empty:
            return "", []
        if login.identitytoken:
            try:
                answer = await self.client.call(
                    endpoint, "GET", f"{endpoint.url}/", wanted=range(600), scopes=[SEARCH_SCOPE], login=login
                )
                answer.close()
                challenges = [c for header in answer.headers("WWW-Authenticate") for c in parse_challenges(header)]
                self.authority.learn(endpoint, challenges, "")
            except (RegistryFailure, Unauthorized):
                return "", []
            return None, [SEARCH_SCOPE]
        return f"Basic {encoded(login)}", []


def failed(url: str, status: int) -> RegistryFailure:
    reason = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else ""
    return RegistryFailure(f"login attempt to {url} failed with status: {status} {reason}".rstrip(), status=status)


def first_version(endpoint: Endpoint) -> str:
    return f"{endpoint.url.removesuffix('/v2')}/v1/"


def unsearchable(name: str, failures: Sequence[Broken]) -> EngineError:
    """Docker: its words, with its advice."""
    if not failures:
        return RegistryFailure(f"no host of {name} can be asked")
    if len(failures) > 1:
        return InvalidParameter(
            f'invalid registry endpoint "http://{name}/v1/". HTTPS attempt: {failures[0]}. HTTP attempt: {failures[-1]}'
        )
    return InvalidParameter(
        f"invalid registry endpoint https://{name}/v1/: {failures[0]}. If this private registry supports only HTTP or HTTPS with "
        f"an unknown CA certificate, add `--insecure-registry {name}` to the daemon's arguments. In the case of HTTPS, if you have "
        f"access to the registry's CA certificate, no need for the flag; place the CA certificate at /etc/docker/certs.d/{name}/ca.crt"
    )
