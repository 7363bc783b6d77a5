"""Authorisation of requests: what a registry's challenge asks for, made from the client's login.

    Basic     user and password, as they are
    Bearer    a token from the challenge's realm, for the scopes that the request needs: by GET (user and password, or nobody), or by
              POST where the login is an identity token.  Tokens are kept until shortly before they end; one is fetched once at a time.

A challenge is learned from the first refused request of an endpoint and holds for the later ones.  Secrets are kept as hashes only.
Source: Docker's "Token Authentication Specification" and "OAuth2".
"""

import asyncio
import base64
import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec

from wharfd.drivers.registry.endpoints import Endpoint
from wharfd.drivers.registry.failures import PASSING, Refused, during, shown
from wharfd.drivers.registry.message import Http, Request
from wharfd.drivers.registry.retries import Backoff
from wharfd.model.errors import RegistryFailure, Unauthorized
from wharfd.wire.authconfig import AuthConfig, Challenge, parse_challenges
from wharfd.wire.distribution import UNAUTHORIZED, parse_retry_after, read_refusal

CLIENT_ID = "docker"  # Docker: token servers know this name
MAX_ANSWER = 1 << 20
DEFAULT_LIFE_S = 60.0
SPARE_S = 10.0  # a token is not used in the last seconds of its life
KEPT_TOKENS = 256
KEPT_CHALLENGES = 256

TokenKey = tuple[str, str, tuple[str, ...], bytes]


class TokenAnswer(msgspec.Struct, frozen=True, kw_only=True):
    token: str | None = None
    access_token: str | None = None
    expires_in: float | None = None
    refresh_token: str | None = None


_answers = msgspec.json.Decoder(TokenAnswer)


class Authority:
    """`http` gives the client to reach token servers with."""

    def __init__(self, http: Callable[[], Awaitable[Http]], backoff: Backoff) -> None:
        self.http = http
        self.backoff = backoff
        self.challenges: OrderedDict[str, Challenge] = OrderedDict()
        self.tokens: OrderedDict[TokenKey, tuple[str, float]] = OrderedDict()
        self.fetching: dict[TokenKey, asyncio.Lock] = {}

    def learn(self, endpoint: Endpoint, challenges: Sequence[Challenge], used: str) -> bool:
        """A request with the authorisation `used` was refused.  Is there something else to try?"""
        for key in [key for key, (token, _) in self.tokens.items() if used == f"Bearer {token}"]:
            del self.tokens[key]
        bearer = next((c for c in challenges if c.scheme == "bearer" and c.parameters.get("realm")), None)
        chosen = bearer or next((c for c in challenges if c.scheme == "basic"), None)
        if chosen is None:
            return False
        known = self.challenges.get(endpoint.url)
        self.challenges[endpoint.url] = Challenge(chosen.scheme, lasting(chosen))
        self.challenges.move_to_end(endpoint.url)
        while len(self.challenges) > KEPT_CHALLENGES:
            self.challenges.popitem(last=False)
        if used and chosen.parameters.get("error") == "insufficient_scope":
            return False  # a token that was good, for what it allows
        is_news = known != self.challenges[endpoint.url]
        return is_news or not used or chosen.scheme == "bearer"

    async def authorization(
        self,
        endpoint: Endpoint,
        scopes: Sequence[str],
        login: AuthConfig | None,
        method: str,
        url: str,
        *,
        is_refused: bool = True,
    ) -> str:
        """The `Authorization` of a request (`method` and `url` for messages only); empty where none is known to be needed.

        `is_refused`: the request was refused without one.  If it was not made yet, one that needs a login which nobody has given is
        to be made all the same: another registry, which needs none, may have taken the endpoint's place.

        Raises Unauthorized, RegistryFailure.
        """
        login = login if endpoint.is_own else None
        if login is not None and login.registrytoken:
            return f"Bearer {login.registrytoken}"
        challenge = self.challenges.get(endpoint.url)
        if challenge is None:
            return ""
        if challenge.scheme == "basic":
            if login is None or not (login.username or login.password):
                if not is_refused:
                    return ""
                # Docker: 500, not 401: no login was refused.
                text = during(method, shown(url), "no basic auth credentials")
                raise RegistryFailure(text, code=UNAUTHORIZED, status=401)
            return f"Basic {encoded(login)}"
        key = (
            challenge.parameters["realm"],
            challenge.parameters.get("service", ""),
            tuple(sorted(scopes)),
            who(login),
        )
        lock = self.fetching.setdefault(key, asyncio.Lock())
        try:
            async with lock:
                kept = self.tokens.get(key)
                if kept is not None and kept[1] > time.monotonic():
                    return f"Bearer {kept[0]}"
                answer = await self.fetch(endpoint, challenge, scopes, login, method, url)
                return f"Bearer {self.keep(key, answer)}"
        finally:
            if not lock.locked():
                self.fetching.pop(key, None)

    def keep(self, key: TokenKey, answer: TokenAnswer) -> str:
        token = answer.token or answer.access_token or ""
        life_s = answer.expires_in if answer.expires_in and answer.expires_in > 0 else DEFAULT_LIFE_S
        self.tokens[key] = (token, time.monotonic() + max(life_s - SPARE_S, life_s / 2))
        self.tokens.move_to_end(key)
        while len(self.tokens) > KEPT_TOKENS:
            self.tokens.popitem(last=False)
        return token

    async def identity_token(self, endpoint: Endpoint, login: AuthConfig) -> tuple[str, str]:
        """For a login that is being checked: the `Authorization` to check it with, and the identity token if the realm gives one."""
        url = f"{endpoint.url}/"
        challenge = self.challenges.get(endpoint.url)
        if challenge is None or challenge.scheme != "bearer" or login.registrytoken:
            return await self.authorization(endpoint, (), login, "Get", url), ""
        answer = await self.fetch(endpoint, challenge, (), login, "Get", url, offline=True)
        return f"Bearer {answer.token or answer.access_token}", answer.refresh_token or ""

    async def fetch(
        self,
        endpoint: Endpoint,
        challenge: Challenge,
        scopes: Sequence[str],
        login: AuthConfig | None,
        method: str,
        url: str,
        *,
        offline: bool = False,
    ) -> TokenAnswer:
        request = token_request(endpoint, challenge, scopes, login, offline=offline)

        async def ask() -> TokenAnswer:
            answer = await (await self.http()).send(request)
            try:
                body = await answer.read(MAX_ANSWER)
                if 200 <= answer.status < 300:
                    return decoded(body)
                challenges = [c for h in answer.headers("WWW-Authenticate") for c in parse_challenges(h)]
                refusal = read_refusal(answer.status, answer.reason, challenges, body, quote=answer.is_own)
                raise Refused(
                    refusal, parse_retry_after(answer.header("Retry-After"), wall_clock_of(answer.header("Date")))
                )
            finally:
                answer.close()

        try:
            return await self.backoff.persist(ask)
        except Refused as e:
            text = during(method, shown(url), str(e))
            if e.code == UNAUTHORIZED or e.status == 401:
                raise Unauthorized(text) from e
            failed = RegistryFailure(text, code=e.code, status=e.status, may_pass=e.status in PASSING)
            raise failed from e


def token_request(
    endpoint: Endpoint,
    challenge: Challenge,
    scopes: Sequence[str],
    login: AuthConfig | None,
    *,
    offline: bool,
) -> Request:
    realm = challenge.parameters["realm"]
    parts = urlsplit(realm)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise RegistryFailure(f"the registry {endpoint.host} names a token server that is no address: {shown(realm)}")
    has_secret = login is not None and bool(login.identitytoken or login.username or login.password)
    if parts.scheme == "http" and endpoint.url.startswith("https:") and endpoint.tls.verify and has_secret:
        raise RegistryFailure(f"the registry {endpoint.host} wants the login sent in the clear to {shown(realm)}")
    fields = [("service", challenge.parameters["service"])] if challenge.parameters.get("service") else []
    if login is not None and login.identitytoken:
        form = [("grant_type", "refresh_token"), *fields, ("client_id", CLIENT_ID)]
        form += [("scope", " ".join(scopes))] if scopes else []
        form.append(("refresh_token", login.identitytoken))
        return Request(
            method="POST",
            url=realm,
            headers=[("Content-Type", "application/x-www-form-urlencoded")],
            body=urlencode(form).encode(),
            tls=endpoint.tls,
            dial_timeout_s=endpoint.dial_timeout_s,
        )
    fields += [("scope", scope) for scope in scopes]
    private = []
    if login is not None and (login.username or login.password):
        fields.append(("account", login.username))
        private.append(("Authorization", f"Basic {encoded(login)}"))
        if offline:
            fields += [("client_id", CLIENT_ID), ("offline_token", "true")]
    query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), *fields])
    return Request(
        method="GET",
        url=urlunsplit((parts.scheme, parts.netloc, parts.path, query, "")),
        private=private,
        tls=endpoint.tls,
        dial_timeout_s=endpoint.dial_timeout_s,
    )


def decoded(body: bytes) -> TokenAnswer:
    try:
        answer = _answers.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as e:
        raise RegistryFailure(f"unable to decode token response: {e}") from e
    token = answer.token or answer.access_token
    if not token:
        raise RegistryFailure("authorization server did not include a token in the response")
    if not token.isascii() or not token.isprintable():
        raise RegistryFailure("unable to decode token response: the token holds control characters")
    return answer


def lasting(challenge: Challenge) -> dict[str, str]:
    """What is the same in each challenge of an endpoint; scope and error are those of one request."""
    return {key: value for key, value in challenge.parameters.items() if key in ("realm", "service")}


def encoded(login: AuthConfig) -> str:
    return base64.b64encode(f"{login.username}:{login.password}".encode()).decode()


def who(login: AuthConfig | None) -> bytes:
    if login is None:
        return b""
    secret = "\0".join((login.username, login.password, login.identitytoken))
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def wall_clock_of(date: str) -> float:
    """The answer's own clock, to which a date in `Retry-After` belongs; 0 where it tells none, which makes any date too far away."""
    return parse_retry_after(date, 0.0) or 0.0
