"""`/system/df`: how much room everything takes."""

from collections.abc import Sequence

from wharfd.api.codec.usage import UsageEncoder
from wharfd.api.router import Route
from wharfd.api.transport import Request, Response, json_response
from wharfd.api.versions.behaviour import Behaviour
from wharfd.engine.usage import DiskUsage, Kind
from wharfd.model.errors import InvalidParameter
from wharfd.model.json import JsonObject
from wharfd.wire.target import Query

TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})


class UsageHandlers:
    def __init__(self, usage: DiskUsage) -> None:
        self.usage = usage
        self.encoder = UsageEncoder()

    def routes(self) -> Sequence[Route]:
        return [
            Route(
                method="GET",
                pattern="/system/df",
                handler=self.usage_of,
                name="system.df",
                since="1.25",
                cancel_on_disconnect=True,
            )
        ]

    async def usage_of(self, request: Request) -> Response:
        behaviour, version = Behaviour.for_version(request.version), request.version
        kinds = kinds_of(request.query) if behaviour.df_takes_type else list(Kind)
        verbose = verbose_of(request.query) if behaviour.df_takes_verbose else None
        found = await self.usage(kinds)
        if not behaviour.df_takes_verbose:
            return json_response(self.encoder.lists(found, version))
        doc: JsonObject = {}
        if verbose is None:  # Docker: a client that does not say which shape it wants gets both
            doc = {key: value for key, value in self.encoder.lists(found, version).items() if value not in (None, 0)}
        doc |= self.encoder.sums(found, version, with_items=bool(verbose))
        return json_response(doc)


def kinds_of(query: Query) -> Sequence[Kind]:
    """Raises InvalidParameter."""
    if "type" not in query:
        return list(Kind)
    kinds = []
    for word in query.all("type"):
        if word not in list(Kind):
            raise InvalidParameter(f"unknown object type: {word}")
        kinds.append(Kind(word))
    return kinds


def verbose_of(query: Query) -> bool | None:
    """None: not given.  Raises InvalidParameter."""
    word = query.get("verbose", "")
    if word and word not in TRUE | FALSE:
        raise InvalidParameter(f"invalid value for verbose: {word}")
    return word in TRUE if word else None
