"""Networks: of one's own, and the predefined ones."""

from collections.abc import Sequence

from wharfd.api.codec.networks import (
    decode_connect,
    decode_create,
    decode_disconnect,
    encode_containers,
    encode_inspect,
    encode_summary,
)
from wharfd.api.jsonbody import read_json
from wharfd.api.params import form
from wharfd.api.router import Route
from wharfd.api.transport import Request, Response, json_response
from wharfd.api.versions.behaviour import Behaviour
from wharfd.api.versions.changes import downgrade
from wharfd.engine.ledger import Ledger
from wharfd.engine.networks.connect import ConnectNetwork, DisconnectNetwork
from wharfd.engine.networks.create import CreateNetwork
from wharfd.engine.networks.list import inspect_network, list_networks
from wharfd.engine.networks.prune import PruneNetworks
from wharfd.engine.networks.remove import RemoveNetwork
from wharfd.wire.filters import parse_filters

DONE = Response(200)
NO_CONTENT = Response(204)


class NetworkHandlers:
    def __init__(
        self,
        *,
        ledger: Ledger,
        create: CreateNetwork,
        remove: RemoveNetwork,
        prune: PruneNetworks,
        connect: ConnectNetwork,
        disconnect: DisconnectNetwork,
    ) -> None:
        self.ledger = ledger
        self.use_create = create
        self.use_remove = remove
        self.use_prune = prune
        self.use_connect = connect
        self.use_disconnect = disconnect

    def routes(self) -> Sequence[Route]:
        return [
            Route(method="GET", pattern="/networks", handler=self.list, name="networks.list"),
            Route(method="GET", pattern="/networks/", handler=self.list, name="networks.list_slash", undocumented=True),
            Route(method="GET", pattern="/networks/{id}", handler=self.inspect, name="networks.inspect"),
            Route(method="POST", pattern="/networks/create", handler=self.create, name="networks.create"),
            Route(method="POST", pattern="/networks/{id}/connect", handler=self.connect, name="networks.connect"),
            Route(
                method="POST", pattern="/networks/{id}/disconnect", handler=self.disconnect, name="networks.disconnect"
            ),
            Route(method="DELETE", pattern="/networks/{id}", handler=self.delete, name="networks.delete"),
            Route(method="POST", pattern="/networks/prune", handler=self.prune, name="networks.prune", since="1.25"),
        ]

    def list(self, request: Request) -> Response:
        views = list_networks(self.ledger, parse_filters(request.query.get("filters", "")))
        docs = []
        for view in views:
            doc = encode_summary(view)
            if Behaviour.for_version(request.version).network_list_is_full:
                doc["Containers"] = encode_containers(view)
            docs.append(downgrade("network.list", request.version, doc))
        return json_response(docs)

    def inspect(self, request: Request) -> Response:
        view = inspect_network(self.ledger, request.params["id"])
        return json_response(downgrade("network.inspect", request.version, encode_inspect(view)))

    async def create(self, request: Request) -> Response:
        asked = decode_create(await read_json(request), Behaviour.for_version(request.version))
        network = await self.use_create(asked)
        return json_response({"Id": network.id, "Warning": ""}, 201)

    async def connect(self, request: Request) -> Response:
        container, settings = decode_connect(await read_json(request), Behaviour.for_version(request.version))
        await self.use_connect(request.params["id"], container, settings)
        return DONE

    async def disconnect(self, request: Request) -> Response:
        container, force = decode_disconnect(await read_json(request))
        await self.use_disconnect(request.params["id"], container, force=force)
        return DONE

    async def delete(self, request: Request) -> Response:
        await self.use_remove(request.params["id"])
        return NO_CONTENT

    async def prune(self, request: Request) -> Response:
        query = await form(request)
        names = await self.use_prune(parse_filters(query.get("filters", "")))
        return json_response({"NetworksDeleted": names or None})
