"""Registries: logging in, searching, asking what a name stands for, and images on their way in and out."""

from collections.abc import Callable, Sequence

from wharfd.api.codec.exchange import (
    PASSING,
    decode_limit,
    decode_pulled,
    decode_pushed,
    encode_attestation,
    encode_distribution,
    encode_exchange,
)
from wharfd.api.codec.images import decode_platform
from wharfd.api.params import flag, form
from wharfd.api.router import Route
from wharfd.api.streams import Progress, send_progress
from wharfd.api.transport import Request, Response, json_response
from wharfd.api.versions.behaviour import Behaviour
from wharfd.engine.images.exchange import ExchangeUseCases
from wharfd.engine.images.progress import BlobStep, PullBegun, PullEnded, PushBegun, PushedInstead, PushEnded
from wharfd.model.errors import InvalidParameter
from wharfd.wire.authconfig import AuthConfig, parse_login, parse_registry_auth
from wharfd.wire.filters import parse_filters
from wharfd.wire.oci import from_machine, parse_platform
from wharfd.wire.target import Query

LOGIN_LIMIT = 1 << 20


class RegistryHandlers:
    """`machine`: this host's, as `uname -m` has it."""

    def __init__(self, cases: ExchangeUseCases, *, machine: str) -> None:
        self.cases = cases
        self.machine = machine

    def routes(self) -> Sequence[Route]:
        get, post = "GET", "POST"
        return [
            Route(
                method=post,
                pattern="/images/{name:.*}/push",
                handler=self.push,
                name="images.push",
                cancel_on_disconnect=True,
            ),
            Route(
                method=get,
                pattern="/images/{name:.*}/attestations",
                handler=self.attestations,
                name="images.attestations",
                since="1.55",
            ),
            Route(method=get, pattern="/images/search", handler=self.search, name="registry.search"),
            Route(method=post, pattern="/auth", handler=self.auth, name="registry.auth"),
            Route(
                method=get,
                pattern="/distribution/{name:.*}/json",
                handler=self.distribution,
                name="registry.distribution",
                since="1.30",
            ),
        ]

    async def pull(self, request: Request, query: Query) -> None:
        """`POST /images/create?fromImage=`."""
        ref = decode_pulled(query.get("fromImage", ""), query.get("tag", ""))
        platform = query.get("platform", "") if Behaviour.for_version(request.version).pull_takes_platform else ""
        wanted = parse_platform(platform, from_machine(self.machine)) if platform else None
        login = login_of(request)
        await send_progress(
            request, lambda progress: self.cases.pull(ref, teller(progress), login=login, platform=wanted)
        )

    async def push(self, request: Request) -> None:
        query = await form(request)
        ref = decode_pushed(request.params["name"], query.get("tag", ""))
        platform = query.get("platform", "") if Behaviour.for_version(request.version).push_takes_platform else ""
        wanted = decode_platform(platform) if platform else None
        login = login_of(request)
        await send_progress(
            request, lambda progress: self.cases.push(ref, teller(progress), login=login, platform=wanted)
        )

    async def attestations(self, request: Request) -> Response:
        query = request.query
        platforms = [text for text in query.all("platform") if text]
        if len(platforms) > 1:
            raise InvalidParameter("multiple platform parameters not supported")
        found = await self.cases.attestations(
            request.params["name"],
            decode_platform(platforms[0]) if platforms else None,
            [text for text in query.all("type") if text],
            with_statements=flag(query, "statement"),
        )
        return json_response([encode_attestation(each) for each in found])

    async def search(self, request: Request) -> Response:
        query = request.query
        found = await self.cases.questions.search(
            query.get("term", ""),
            parse_filters(query.get("filters", "")),
            decode_limit(query.get("limit", "")),
            login_of(request),
        )
        return json_response(
            [
                {
                    "star_count": each.star_count,
                    "is_official": each.is_official,
                    "name": each.name,
                    "is_automated": False,
                    "description": each.description,
                }
                for each in found
            ]
        )

    async def auth(self, request: Request) -> Response:
        """Docker: a registry that wants no login takes any."""
        status = await self.cases.questions.check_login(parse_login(await request.read(LOGIN_LIMIT)))
        return json_response({"IdentityToken": status.identity_token, "Status": status.status})

    async def distribution(self, request: Request) -> Response:
        found = await self.cases.questions.distribution(request.params["name"], login_of(request))
        return json_response(encode_distribution(found))


def login_of(request: Request) -> AuthConfig | None:
    return parse_registry_auth(request.header("x-registry-auth"))


def teller(
    progress: Progress,
) -> Callable[[PullBegun | PullEnded | PushBegun | PushedInstead | PushEnded | BlobStep], None]:
    def tell(told: PullBegun | PullEnded | PushBegun | PushedInstead | PushEnded | BlobStep) -> None:
        for line in encode_exchange(told):
            progress.put(line, terminal=not isinstance(told, BlobStep) or told.step not in PASSING)

    return tell
