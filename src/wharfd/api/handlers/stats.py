"""`/containers/{id}/stats`: one sample, or one per second."""

from collections.abc import AsyncIterator, Sequence

import msgspec

from wharfd.api.codec.containers.stats import encode_stats
from wharfd.api.params import flag
from wharfd.api.router import Route
from wharfd.api.transport import Request, Response, StreamResponse, json_response
from wharfd.api.versions.behaviour import Behaviour
from wharfd.api.versions.changes import downgrade
from wharfd.api.versions.version import Version
from wharfd.engine.containers.stats import Sample, StatsContainer

JSON_TYPE = [("Content-Type", "application/json")]


class StatsHandlers:
    def __init__(self, stats: StatsContainer) -> None:
        self.use_stats = stats

    def routes(self) -> Sequence[Route]:
        return [
            Route(
                method="GET",
                pattern="/containers/{id}/stats",
                handler=self.stats,
                name="containers.stats",
                cancel_on_disconnect=True,
            )
        ]

    async def stats(self, request: Request) -> Response | StreamResponse:
        query, version = request.query, request.version
        if not flag(query, "stream", default=True):
            one_shot = Behaviour.for_version(version).stats_takes_one_shot and flag(query, "one-shot")
            sample = await self.use_stats.once(request.params["id"], one_shot=one_shot)
            return json_response(downgrade("container.stats", version, encode_stats(sample)))
        samples = self.use_stats.stream(request.params["id"])
        return StreamResponse(body=lines(samples, version), headers=JSON_TYPE, flush_head=True, endless=True)


async def lines(samples: AsyncIterator[Sample], version: Version) -> AsyncIterator[bytes]:
    async for sample in samples:
        yield msgspec.json.encode(downgrade("container.stats", version, encode_stats(sample))) + b"\n"
