"""Which volumes there are, and who uses them.  Reads records only."""

from collections.abc import Mapping

from wharfd.engine.ledger import Ledger
from wharfd.model.volume import VolumeRecord
from wharfd.wire.filters import Filters, InvalidFilter

ACCEPTED = ("dangling", "driver", "label", "name")


def list_volumes(ledger: Ledger, filters: Filters) -> list[VolumeRecord]:
    """Raises InvalidParameter for a filter that is not known, or a value that is none."""
    filters.validate(ACCEPTED)
    wanted = wants_dangling(filters)
    used = users(ledger) if wanted is not None else {}
    return [
        volume
        for volume in ledger.volumes.values()
        if (wanted is None or (volume.name not in used) is wanted)
        and filters.exact("driver", volume.driver)
        and filters.match("name", volume.name)
        and filters.labels("label", volume.labels or {})
    ]


def wants_dangling(filters: Filters) -> bool | None:
    """None: both kinds."""
    values = filters.get("dangling")
    if not values:
        return None
    if filters.exact("dangling", "true") or filters.exact("dangling", "1"):
        return True
    if filters.exact("dangling", "false") or filters.exact("dangling", "0"):
        return False
    raise InvalidFilter("dangling", values)


def users(ledger: Ledger) -> Mapping[str, list[str]]:
    """Volume name -> ids of the containers that mount it, running or not."""
    found: dict[str, list[str]] = {}
    for container in ledger.containers:
        for name in {mount.name for mount in container.mounts if mount.type == "volume" and mount.name}:
            found.setdefault(name, []).append(container.id)
    return found
