"""`/events`: what happens, told as it happens, and what has happened if a bound is given."""

from collections.abc import AsyncIterator, Sequence

from wharfd.api.codec.events import encode_event
from wharfd.api.router import Route
from wharfd.api.streams import send_lines
from wharfd.api.transport import Request
from wharfd.api.versions.behaviour import Behaviour
from wharfd.api.versions.changes import downgrade
from wharfd.engine.event_filters import event_matcher
from wharfd.engine.events import EventFeed, Listening
from wharfd.model.errors import InvalidParameter
from wharfd.model.event import Event
from wharfd.model.json import Json
from wharfd.wire.accept import choose
from wharfd.wire.filters import parse_filters
from wharfd.wire.timestamps import parse_timestamp

JSON = "application/json"  # Docker: it is none, but was called so from the beginning
JSON_SEQUENCE = "application/json-seq"
LINE_TYPES = ("application/jsonl", "application/x-ndjson", JSON_SEQUENCE)
RECORD_SEPARATOR = b"\x1e"  # begins each text of a sequence (RFC 7464)


class EventHandlers:
    def __init__(self, feed: EventFeed) -> None:
        self.feed = feed

    def routes(self) -> Sequence[Route]:
        return [
            Route(method="GET", pattern="/events", handler=self.events, name="system.events", cancel_on_disconnect=True)
        ]

    async def events(self, request: Request) -> None:
        since_ns, until_ns = self.bound(request, "since"), self.bound(request, "until")
        if until_ns is not None and until_ns < (since_ns or 0):
            since, until = request.query.get("since", ""), request.query["until"]
            raise InvalidParameter(f"`since` time ({since}) cannot be after `until` time ({until})")
        matches = event_matcher(parse_filters(request.query.get("filters", "")))
        content_type = JSON
        if Behaviour.for_version(request.version).events_as_json_lines:
            content_type = choose(request.header_all("accept"), LINE_TYPES, JSON)
        # Listening begins before the head is sent: who has seen the head misses nothing.
        with self.feed.listen(matches, since_ns, until_ns) as listening:
            await send_lines(
                request,
                documents(request, listening),
                content_type=content_type,
                prefix=RECORD_SEPARATOR if content_type == JSON_SEQUENCE else b"",
                flush_head=True,
                endless=True,
            )

    def bound(self, request: Request, name: str) -> int | None:
        text = request.query.get(name, "")
        return parse_timestamp(text, self.feed.now_ns()) if text else None


async def documents(request: Request, listening: Listening) -> AsyncIterator[Json]:
    hides_image_create = Behaviour.for_version(request.version).events_hide_image_create
    async for event in listening:
        if not (hides_image_create and is_image_create(event)):
            yield downgrade("event", request.version, encode_event(event))


def is_image_create(event: Event) -> bool:
    return event.type == "image" and event.action == "create"
