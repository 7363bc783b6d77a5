"""What happened: the record behind `/events`."""

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """`type`: container, image, network, volume, daemon, …; `action` as in Docker's table; `seq` is given by the store (0 before)."""

    type: str
    action: str
    actor_id: str
    attributes: dict[str, str]
    at_ns: int
    scope: str = "local"
    seq: int = 0
