"""Containers: make, show, change, remove.  Their lives (start, stop, wait, …) are in `container_life`, their files in `container_files`."""

from collections.abc import Sequence

from wharfd.api.codec.containers.create import decode_create, encode_created
from wharfd.api.codec.containers.inspect import encode_inspect
from wharfd.api.codec.containers.listing import ListEncoder
from wharfd.api.codec.containers.reports import encode_pruned, encode_top
from wharfd.api.codec.containers.update import decode_update, encode_updated
from wharfd.api.jsonbody import check_content_type, read_json
from wharfd.api.params import flag, form, integer
from wharfd.api.router import Route, not_built
from wharfd.api.transport import Request, Response, json_response
from wharfd.api.versions.behaviour import Behaviour
from wharfd.engine.containers.create import CreateContainer
from wharfd.engine.containers.inspect import InspectContainer
from wharfd.engine.containers.list import ListContainers, ListQuery
from wharfd.engine.containers.prune import PruneContainers
from wharfd.engine.containers.remove import Remove
from wharfd.engine.containers.rename import RenameContainer
from wharfd.engine.containers.top import TopContainer
from wharfd.engine.containers.update import UpdateContainer
from wharfd.model.errors import InvalidParameter
from wharfd.wire.filters import parse_filters

NO_CONTENT = Response(204)
JSON_TYPE = [("Content-Type", "application/json")]

UNBUILT_UNDOCUMENTED = (
    ("GET", "/containers/{id}/checkpoints", "checkpoints.list"),
    ("POST", "/containers/{id}/checkpoints", "checkpoints.create"),
    ("DELETE", "/containers/{id}/checkpoints/{checkpoint}", "checkpoints.delete"),
)


class ContainerHandlers:
    def __init__(
        self,
        *,
        create: CreateContainer,
        list_containers: ListContainers,
        inspect: InspectContainer,
        rename: RenameContainer,
        top: TopContainer,
        update: UpdateContainer,
        remove: Remove,
        prune: PruneContainers,
    ) -> None:
        self.use_create = create
        self.use_list = list_containers
        self.use_inspect = inspect
        self.use_rename = rename
        self.use_top = top
        self.use_update = update
        self.use_remove = remove
        self.use_prune = prune
        self.list_encoder = ListEncoder()

    def routes(self) -> Sequence[Route]:
        return [
            Route(method="GET", pattern="/containers/json", handler=self.list, name="containers.list"),
            Route(method="POST", pattern="/containers/create", handler=self.create, name="containers.create"),
            Route(
                method="POST", pattern="/containers/prune", handler=self.prune, name="containers.prune", since="1.25"
            ),
            Route(method="GET", pattern="/containers/{id}/json", handler=self.inspect, name="containers.inspect"),
            Route(method="GET", pattern="/containers/{id}/top", handler=self.top, name="containers.top"),
            Route(method="POST", pattern="/containers/{id}/rename", handler=self.rename, name="containers.rename"),
            Route(method="POST", pattern="/containers/{id}/update", handler=self.update, name="containers.update"),
            Route(method="DELETE", pattern="/containers/{id}", handler=self.remove, name="containers.delete"),
            *(
                Route(
                    method=method,
                    pattern=pattern,
                    handler=not_built("checkpointing a container"),
                    name=name,
                    undocumented=True,
                )
                for method, pattern, name in UNBUILT_UNDOCUMENTED
            ),
        ]

    async def list(self, request: Request) -> Response:
        query = request.query
        listed = await self.use_list(
            ListQuery(
                all=flag(query, "all"),
                limit=integer(query, "limit") or 0,
                size=flag(query, "size"),
                filters=parse_filters(query.get("filters", "")),
            )
        )
        return Response(200, JSON_TYPE, self.list_encoder.encode(listed, request.version))

    async def create(self, request: Request) -> Response:
        query = request.query
        check_content_type(request)
        if not request.has_body:
            raise InvalidParameter("invalid JSON: got EOF while reading request body")
        asked = decode_create(
            await read_json(request),
            Behaviour.for_version(request.version),
            name=query.get("name", ""),
            platform=query.get("platform", ""),
        )
        created = await self.use_create(asked)
        return json_response(encode_created(created.id, created.warnings), 201)

    async def inspect(self, request: Request) -> Response:
        view = await self.use_inspect(request.params["id"], size=flag(request.query, "size"))
        return json_response(encode_inspect(view, Behaviour.for_version(request.version)))

    async def top(self, request: Request) -> Response:
        return json_response(encode_top(await self.use_top(request.params["id"], request.query.get("ps_args", ""))))

    async def rename(self, request: Request) -> Response:
        query = await form(request)
        await self.use_rename(request.params["id"], query.get("name", ""))
        return NO_CONTENT

    async def update(self, request: Request) -> Response:
        asked = decode_update(await read_json(request), request.version)
        return json_response(encode_updated(await self.use_update(request.params["id"], asked)))

    async def remove(self, request: Request) -> Response:
        query = request.query
        await self.use_remove(
            request.params["id"], volumes=flag(query, "v"), force=flag(query, "force"), link=flag(query, "link")
        )
        return NO_CONTENT

    async def prune(self, request: Request) -> Response:
        query = await form(request)
        return json_response(encode_pruned(await self.use_prune(parse_filters(query.get("filters", "")))))
