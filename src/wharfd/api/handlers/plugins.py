"""Managed plugins, as an engine that has none answers: an empty list, and 404 for any name."""

from collections.abc import Sequence

from wharfd.api.router import Route, not_built
from wharfd.api.transport import Request, Response, json_response
from wharfd.model.errors import NotFound


def list_plugins(request: Request) -> Response:
    return json_response([])


def no_such_plugin(request: Request) -> Response:
    raise NotFound(f'plugin "{request.params["name"]}" not found')


def plugin_routes() -> Sequence[Route]:
    def by_name(method: str, pattern: str, name: str) -> Route:
        return Route(method=method, pattern=pattern, handler=no_such_plugin, name=name, since="1.25")

    def unbuilt(method: str, pattern: str, name: str, what: str, since: str = "1.25") -> Route:
        return Route(method=method, pattern=pattern, handler=not_built(what), name=name, since=since)

    return [
        Route(method="GET", pattern="/plugins", handler=list_plugins, name="plugins.list"),
        by_name("GET", "/plugins/{name:.*}/json", "plugins.inspect"),
        by_name("DELETE", "/plugins/{name:.*}", "plugins.delete"),
        by_name("POST", "/plugins/{name:.*}/enable", "plugins.enable"),
        by_name("POST", "/plugins/{name:.*}/disable", "plugins.disable"),
        by_name("POST", "/plugins/{name:.*}/push", "plugins.push"),
        by_name("POST", "/plugins/{name:.*}/set", "plugins.set"),
        unbuilt("GET", "/plugins/privileges", "plugins.privileges", "installing a plugin"),
        unbuilt("POST", "/plugins/pull", "plugins.pull", "installing a plugin"),
        unbuilt("POST", "/plugins/create", "plugins.create", "creating a plugin"),
        unbuilt("POST", "/plugins/{name:.*}/upgrade", "plugins.upgrade", "upgrading a plugin", "1.26"),
    ]
