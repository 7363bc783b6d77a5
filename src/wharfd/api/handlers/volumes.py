"""Volumes.  Those of a swarm (`PUT /volumes/{name}`) are answered with the other swarm routes."""

from collections.abc import Sequence

from wharfd.api.codec.volumes import (
    asks_for_cluster,
    decode_create,
    encode_pruned,
    encode_view,
    encode_volume,
    encode_volumes,
)
from wharfd.api.jsonbody import read_json
from wharfd.api.params import flag, form
from wharfd.api.router import Route
from wharfd.api.transport import Request, Response, json_response
from wharfd.api.versions.behaviour import Behaviour
from wharfd.engine.ledger import Ledger
from wharfd.engine.volumes.create import CreateVolume
from wharfd.engine.volumes.list import list_volumes
from wharfd.engine.volumes.prune import PruneVolumes
from wharfd.engine.volumes.remove import RemoveVolume
from wharfd.engine.volumes.shared import SharedListing
from wharfd.model.errors import Unavailable
from wharfd.wire.filters import parse_filters

NO_CONTENT = Response(204)
NO_MANAGER = (
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm '
    "and try again."
)


class VolumeHandlers:
    def __init__(
        self, *, ledger: Ledger, shared: SharedListing, create: CreateVolume, remove: RemoveVolume, prune: PruneVolumes
    ) -> None:
        self.shared = shared
        self.ledger = ledger
        self.use_create = create
        self.use_remove = remove
        self.use_prune = prune

    def routes(self) -> Sequence[Route]:
        return [
            Route(method="GET", pattern="/volumes", handler=self.list, name="volumes.list"),
            Route(method="POST", pattern="/volumes/create", handler=self.create, name="volumes.create"),
            Route(method="POST", pattern="/volumes/prune", handler=self.prune, name="volumes.prune", since="1.25"),
            Route(method="GET", pattern="/volumes/{name}", handler=self.inspect, name="volumes.inspect"),
            Route(method="DELETE", pattern="/volumes/{name}", handler=self.remove, name="volumes.delete"),
        ]

    async def list(self, request: Request) -> Response:
        filters = parse_filters(request.query.get("filters", ""))
        warnings = await self.shared.refresh()
        return json_response(encode_volumes(list_volumes(self.ledger, filters), warnings))

    async def inspect(self, request: Request) -> Response:
        return json_response(encode_view(await self.shared.inspect(request.params["name"])))

    async def create(self, request: Request) -> Response:
        doc = await read_json(request)
        asked = decode_create(doc)
        if asks_for_cluster(doc):
            raise Unavailable(NO_MANAGER)
        volume = await self.use_create(asked.name, asked.driver, labels=asked.labels, options=asked.driver_opts)
        return json_response(encode_volume(volume), 201)

    async def remove(self, request: Request) -> Response:
        await self.use_remove(request.params["name"], force=flag(request.query, "force"))
        return NO_CONTENT

    async def prune(self, request: Request) -> Response:
        query = await form(request)
        behaviour = Behaviour.for_version(request.version)
        pruned = await self.use_prune(
            parse_filters(query.get("filters", "")), all_volumes=behaviour.volume_prune_takes_all
        )
        return json_response(encode_pruned(pruned))
