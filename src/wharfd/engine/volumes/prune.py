"""Remove all volumes that no container mounts: those without a name of their own, or all of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from wharfd.engine.happenings import prune_event
from wharfd.engine.ledger import Ledger
from wharfd.engine.volumes.list import users
from wharfd.engine.volumes.remove import RemoveVolume
from wharfd.model.errors import Conflict, EngineError, InvalidParameter, NotFound
from wharfd.model.volume import VolumeRecord
from wharfd.ports.clock import Clock
from wharfd.ports.volumes import VolumeDriver
from wharfd.wire.filters import Filters

ACCEPTED = ("all", "label", "label!")
TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})


@dataclass(slots=True)
class PrunedVolumes:
    names: list[str] = field(default_factory=list)
    reclaimed_bytes: int = 0


class PruneVolumes:
    def __init__(
        self, *, ledger: Ledger, clock: Clock, drivers: Mapping[str, VolumeDriver], remove: RemoveVolume
    ) -> None:
        self.ledger = ledger
        self.clock = clock
        self.drivers = drivers
        self.remove = remove
        self.is_running = False

    async def __call__(self, filters: Filters, *, all_volumes: bool = False) -> PrunedVolumes:
        """`all_volumes`: also those with a name.  Volumes that cannot be removed are passed over.

        Raises:
            InvalidParameter: a filter that is not known, or a value that is none.
            Conflict: another prune is under way.
        """
        filters.validate(ACCEPTED)
        every = all_volumes or wants_all(filters)
        if self.is_running:
            raise Conflict("a prune operation is already running")
        self.is_running = True
        try:
            used = users(self.ledger)
            pruned = await self.prune(
                [
                    volume
                    for volume in self.ledger.volumes.values()
                    if volume.name not in used and (every or volume.anonymous) and fits(volume, filters)
                ]
            )
        finally:
            self.is_running = False
        event = prune_event("volume", self.clock.now_ns(), pruned.reclaimed_bytes)
        await self.ledger.commit(events=[event])
        return pruned

    async def prune(self, volumes: list[VolumeRecord]) -> PrunedVolumes:
        pruned = PrunedVolumes()
        for volume in volumes:
            try:
                size = await self.drivers[volume.driver].size(volume)
            except NotFound:
                size = 0
            try:
                await self.remove(volume.name)
            except EngineError:
                continue
            pruned.names.append(volume.name)
            pruned.reclaimed_bytes += size
        return pruned


def wants_all(filters: Filters) -> bool:
    values = filters.get("all")
    if not values:
        return False
    for value in values:
        if value not in TRUE | FALSE:
            raise InvalidParameter(f"invalid filter 'all': strconv.ParseBool: parsing \"{value}\": invalid syntax")
    return values[0] in TRUE


def fits(volume: VolumeRecord, filters: Filters) -> bool:
    labels = volume.labels or {}
    excluded = filters.get("label!")
    return filters.labels("label", labels) and not (excluded and filters.labels("label!", labels))
