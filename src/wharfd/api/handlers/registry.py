"""What needs a registry: not built yet."""

from collections.abc import Sequence

from wharfd.api.router import Route, not_built


def registry_routes() -> Sequence[Route]:
    return [
        Route(method="POST", pattern="/auth", handler=not_built("logging in to a registry"), name="registry.auth"),
        Route(
            method="GET",
            pattern="/distribution/{name:.*}/json",
            handler=not_built("asking a registry"),
            name="registry.distribution",
            since="1.30",
        ),
        Route(
            method="GET", pattern="/images/search", handler=not_built("searching a registry"), name="registry.search"
        ),
    ]
