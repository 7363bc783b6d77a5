"""`/containers/{id}/logs`: what a container has written."""

from collections.abc import Callable, Sequence

from wharfd.api.params import atoi, flag
from wharfd.api.router import Route
from wharfd.api.transport import Request, StreamResponse
from wharfd.api.versions.behaviour import Behaviour
from wharfd.engine.containers.logs import LogRequest, Logs
from wharfd.model.errors import InvalidParameter
from wharfd.wire.target import Query
from wharfd.wire.timestamps import parse_timestamp

RAW = "application/vnd.docker.raw-stream"
MULTIPLEXED = "application/vnd.docker.multiplexed-stream"


class LogHandlers:
    """`now_ns` is the wall clock."""

    def __init__(self, logs: Logs, now_ns: Callable[[], int]) -> None:
        self.logs = logs
        self.now_ns = now_ns

    def routes(self) -> Sequence[Route]:
        return [
            Route(
                method="GET",
                pattern="/containers/{id}/logs",
                handler=self.read,
                name="containers.logs",
                cancel_on_disconnect=True,
            )
        ]

    def read(self, request: Request) -> StreamResponse:
        wanted = self.parse(request.query)
        found = self.logs.open(request.params["id"], wanted)
        announces = Behaviour.for_version(request.version).announces_multiplexed_stream
        content_type = MULTIPLEXED if announces and not found.has_tty else RAW
        return StreamResponse(
            body=found.blocks,
            headers=[("Content-Type", content_type)],
            flush_head=True,
            endless=wanted.follow,
        )

    def parse(self, query: Query) -> LogRequest:
        stdout, stderr = flag(query, "stdout"), flag(query, "stderr")
        if not (stdout or stderr):
            raise InvalidParameter("Bad parameters: you must choose at least one stream")
        return LogRequest(
            stdout=stdout,
            stderr=stderr,
            since_ns=self.bound(query, "since"),
            until_ns=self.bound(query, "until"),
            tail=lines_of(query.get("tail", "")),
            timestamps=flag(query, "timestamps"),
            details=flag(query, "details"),
            follow=flag(query, "follow"),
        )

    def bound(self, query: Query, name: str) -> int:
        """Docker: 0 is no bound."""
        text = query.get(name, "")
        return parse_timestamp(text, self.now_ns()) if text else 0


def lines_of(text: str) -> int | None:
    """Docker: what is no number, `all` for one, and any negative number mean everything."""
    try:
        count = atoi(text)
    except InvalidParameter:
        return None
    return count if count >= 0 else None
