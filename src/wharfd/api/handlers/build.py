"""Building, as an engine without a builder answers: there is no cache to prune; the rest is not built yet."""

from collections.abc import Sequence

from wharfd.api.router import Route, not_built
from wharfd.api.transport import Request, Response, json_response


def prune(request: Request) -> Response:
    return json_response({"CachesDeleted": None, "SpaceReclaimed": 0})


def build_routes() -> Sequence[Route]:
    build = not_built("building an image")
    return [
        Route(method="POST", pattern="/build", handler=build, name="build.build"),
        Route(method="POST", pattern="/build/prune", handler=prune, name="build.prune", since="1.31"),
        Route(method="POST", pattern="/build/cancel", handler=build, name="build.cancel", undocumented=True),
    ]
