"""Networks: the predefined ones can be listed and inspected; making one's own is not built yet."""

from collections.abc import Sequence

from wharfd.api.codec.networks import encode_containers, encode_inspect, encode_summary
from wharfd.api.router import Route, not_built
from wharfd.api.transport import Request, Response, json_response
from wharfd.api.versions.behaviour import Behaviour
from wharfd.api.versions.changes import downgrade
from wharfd.engine.ledger import Ledger
from wharfd.engine.networks.list import PRUNE_ACCEPTED, inspect_network, list_networks
from wharfd.model.errors import Forbidden
from wharfd.wire.filters import parse_filters


class NetworkHandlers:
    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    def routes(self) -> Sequence[Route]:
        create = not_built("creating a network")
        return [
            Route(method="GET", pattern="/networks", handler=self.list, name="networks.list"),
            Route(method="GET", pattern="/networks/", handler=self.list, name="networks.list_slash", undocumented=True),
            Route(method="GET", pattern="/networks/{id}", handler=self.inspect, name="networks.inspect"),
            Route(method="POST", pattern="/networks/create", handler=create, name="networks.create"),
            Route(
                method="POST",
                pattern="/networks/{id}/connect",
                handler=not_built("connecting a container to a network"),
                name="networks.connect",
            ),
            Route(
                method="POST",
                pattern="/networks/{id}/disconnect",
                handler=not_built("disconnecting a container from a network"),
                name="networks.disconnect",
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

    def delete(self, request: Request) -> Response:
        network = self.ledger.network(request.params["id"])
        raise Forbidden(f"{network.name} is a pre-defined network and cannot be removed")

    def prune(self, request: Request) -> Response:
        """Only networks of one's own can be pruned, and there are none."""
        parse_filters(request.query.get("filters", "")).validate(PRUNE_ACCEPTED)
        return json_response({"NetworksDeleted": None})
