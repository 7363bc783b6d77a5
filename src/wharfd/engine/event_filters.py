"""Which events a listener wants, by the `filters` of `/events`.

Docker: a key that is not known is ignored here, unlike in lists.  The keys named after a type (`container`, `network`, …) look at the id
and the name of *any* event's actor and accept a beginning of either, so that `container=web` also lets a network `webnet` through unless
`type` is given too.  `image` wants the whole id or name, its tag optional, and also finds the containers made from that image.
"""

from wharfd.engine.events import EventMatcher, everything
from wharfd.model.errors import InvalidParameter
from wharfd.model.event import Event
from wharfd.wire.filters import Filters
from wharfd.wire.reference import parse_normalised

NAMED = ("daemon", "container", "plugin", "volume", "network", "node", "service", "secret", "config")
# Their action goes on behind a colon ("exec_create: ls -l"); asked for without it, any such action is meant.
OPEN_ENDED = frozenset({"health_status", "exec_create", "exec_start"})


def event_matcher(filters: Filters) -> EventMatcher:
    """Every key of `filters` must hold; values under one key are alternatives, save labels."""
    if not filters:
        return everything
    named = tuple(key for key in NAMED if key in filters)
    is_action = filters.exact if OPEN_ENDED.isdisjoint(filters.get("event")) else filters.fuzzy
    wants_image = "image" in filters

    def matches(event: Event) -> bool:
        return (
            is_action("event", event.action)
            and filters.exact("type", event.type)
            and filters.exact("scope", event.scope)
            and filters.labels("label", event.attributes)
            and all(matches_actor(filters, key, event) for key in named)
            and (not wants_image or matches_image(filters, event))
        )

    return matches


def matches_actor(filters: Filters, key: str, event: Event) -> bool:
    return filters.fuzzy(key, event.actor_id) or filters.fuzzy(key, event.attributes.get("name", ""))


def matches_image(filters: Filters, event: Event) -> bool:
    name = event.attributes.get("name" if event.type == "image" else "image", "")
    return any(
        filters.exact("image", candidate)
        for candidate in (event.actor_id, name, without_tag(event.actor_id), without_tag(name))
    )


def without_tag(image: str) -> str:
    """The familiar repository of a reference; what is none stays."""
    try:
        return parse_normalised(image).familiar_name
    except InvalidParameter:
        return image
