"""`POST /build` in its classic form, and what belongs to the build cache.  `version=2` is handed to BuildKit's door."""

from collections.abc import Awaitable, Callable, Sequence

from wharfd.api.codec.build import SECRETS, decode_build, decode_room, encode_failure, encode_told
from wharfd.api.params import flag, form
from wharfd.api.router import Route
from wharfd.api.streams import Progress, send_progress
from wharfd.api.transport import Request, Response, json_response
from wharfd.api.versions.behaviour import Behaviour
from wharfd.engine.build.builds import Builds
from wharfd.engine.build.classic.build import ClassicBuild
from wharfd.engine.build.classic.failures import ClassicFailed
from wharfd.engine.build.classic.request import ClassicRequest, ImageMade, Told
from wharfd.engine.build.prune import PruneBuildCache, prune_request
from wharfd.model.errors import InvalidParameter
from wharfd.wire.filters import parse_filters


class BuildHandlers:
    """`over_session` serves `version=2`."""

    def __init__(
        self,
        *,
        builds: Builds,
        classic: ClassicBuild,
        prune: PruneBuildCache,
        over_session: Callable[[Request], Awaitable[None]],
    ) -> None:
        self.builds = builds
        self.classic = classic
        self.use_prune = prune
        self.over_session = over_session

    def routes(self) -> Sequence[Route]:
        return [
            Route(method="POST", pattern="/build", handler=self.build, name="build.build", cancel_on_disconnect=True),
            Route(method="POST", pattern="/build/prune", handler=self.prune, name="build.prune", since="1.31"),
            Route(method="POST", pattern="/build/cancel", handler=self.cancel, name="build.cancel", undocumented=True),
        ]

    async def build(self, request: Request) -> None:
        version = request.query.get("version", "")
        if version == "2":
            await self.over_session(request)
            return
        if version not in ("", "1"):
            raise InvalidParameter(f'invalid version "{version}"')
        behaviour = Behaviour.for_version(request.version)
        asked = decode_build(request.query, request.header("x-registry-config"), request.header(SECRETS), behaviour)
        await send_progress(request, lambda progress: self.carry_out(asked, request, progress))

    async def carry_out(self, asked: ClassicRequest, request: Request, progress: Progress) -> None:
        """Docker: with `q` only the id is told, unless the build fails."""
        behaviour = Behaviour.for_version(request.version)
        held: list[Told] = []
        made = ""

        def tell(told: Told) -> None:
            nonlocal made
            if isinstance(told, ImageMade):
                made = told.image_id
                if not behaviour.build_emits_aux:
                    return
            if asked.quiet:
                held.append(told)
            else:
                progress.put(encode_told(told), terminal=True)

        try:
            await self.classic(asked, request.pieces(), tell, progress.room)
        except ClassicFailed as error:
            for told in held:
                progress.put(encode_told(told), terminal=True)
            progress.put(encode_failure(error), terminal=True)
            return
        if asked.quiet:
            progress.put({"stream": f"{made}\n"}, terminal=True)

    async def prune(self, request: Request) -> Response:
        query = await form(request)
        room = decode_room(query, Behaviour.for_version(request.version))
        filters = parse_filters(query.get("filters", ""))
        pruned = await self.use_prune(prune_request(filters, include_all=flag(query, "all"), room=room))
        ids = [item.record.id for item in pruned.items]
        return json_response({"CachesDeleted": ids or None, "SpaceReclaimed": pruned.reclaimed_bytes})

    async def cancel(self, request: Request) -> Response:
        """Docker: a build that is not there is no error."""
        query = await form(request)
        build_id = query.get("id", "")
        if not build_id:
            raise InvalidParameter("build ID not provided")
        self.builds.cancel(build_id)
        return Response(200)
