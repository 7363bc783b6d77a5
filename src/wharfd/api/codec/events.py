"""Events in the newest shape."""

from wharfd.model.event import Event
from wharfd.model.json import JsonObject


def encode_event(event: Event) -> JsonObject:
    return {
        "Type": event.type,
        "Action": event.action,
        "Actor": {"ID": event.actor_id, "Attributes": event.attributes},
        "scope": event.scope,
        "time": event.at_ns // 10**9,
        "timeNano": event.at_ns,
    }
