"""One request to an endpoint, with its authorisation; a refusal is an error."""

from collections.abc import Awaitable, Callable, Container, Sequence

from wharfd.drivers.registry.auth import Authority, wall_clock_of
from wharfd.drivers.registry.endpoints import Endpoint
from wharfd.drivers.registry.failures import Broken, Refused, Throttled
from wharfd.drivers.registry.message import Answer, Body, Http, Request
from wharfd.wire.authconfig import AuthConfig, parse_challenges
from wharfd.wire.distribution import TOO_MANY, parse_retry_after, read_refusal
from wharfd.wire.reference import Reference
from wharfd.wire.registryhosts import origin_of

MAX_REFUSAL = 64 << 10


class Client:
    def __init__(self, http: Callable[[], Awaitable[Http]], authority: Authority) -> None:
        self.http = http
        self.authority = authority

    async def call(
        self,
        endpoint: Endpoint,
        method: str,
        url: str,
        *,
        wanted: Container[int],
        scopes: Sequence[str] = (),
        login: AuthConfig | None = None,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes | Body | None = None,
        may_lose_tls: bool = False,
        authorization: str | None = None,
    ) -> Answer:
        """`url` is whole; to another host than the endpoint's nothing private is sent.  The caller closes the answer.

        A request that is refused for want of authorisation is made once more with what the challenge asks for; one with an
        `authorization` of the caller's is not.
        Raises Refused for a status that is not wanted, Broken, Unauthorized.
        """
        is_own = origin_of(url) == origin_of(endpoint.url)
        last = authorization is not None
        while True:
            used = authorization or ""
            if authorization is None and is_own:
                used = await self.authority.authorization(endpoint, scopes, login, method, url, is_refused=last)
            private = [(name, value) for name, values in endpoint.headers.items() for value in values]
            if used:
                private.append(("Authorization", used))
            request = Request(
                method=method,
                url=url,
                headers=headers,
                private=private if is_own else (),
                body=body,
                tls=endpoint.tls if is_own else None,
                dial_timeout_s=endpoint.dial_timeout_s,
                may_lose_tls=may_lose_tls,
            )
            try:
                answer = await (await self.http()).send(request)
            except Broken as e:
                if e.reached or not is_own:
                    raise
                # Docker: it looks at the root first, so this is where a host that cannot be reached is noticed.
                raise Broken("Get", f"{endpoint.url}/", e.reason, reached=False) from e
            if answer.status in wanted:
                return answer
            try:
                refused = await refusal_of(answer, method)
                if last or answer.status != 401 or not answer.is_own:
                    raise refused
                challenges = [c for header in answer.headers("WWW-Authenticate") for c in parse_challenges(header)]
                if not self.authority.learn(endpoint, challenges, used):
                    raise refused
            finally:
                answer.close()
            last = True


async def refusal_of(answer: Answer, method: str) -> Refused:
    challenges = [c for header in answer.headers("WWW-Authenticate") for c in parse_challenges(header)]
    try:
        body = b"" if method == "HEAD" else await some(answer)
    except Broken:
        body = b""  # a host that answers before it has read all and closes the connection
    refusal = read_refusal(answer.status, answer.reason, challenges, body, quote=answer.is_own)
    now_s = wall_clock_of(answer.header("Date"))
    kind = Throttled if refusal.code == TOO_MANY else Refused
    return kind(refusal, parse_retry_after(answer.header("Retry-After"), now_s))


async def some(answer: Answer) -> bytes:
    """The first bytes of a body that may be of any length."""
    data = b""
    async for piece in answer.pieces():
        data += piece[: MAX_REFUSAL - len(data)]
        if len(data) >= MAX_REFUSAL:
            break
    return data


def scope(ref: Reference, *actions: str) -> str:
    return f"repository:{ref.path}:{','.join(actions)}"
