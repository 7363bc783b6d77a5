"""Remove all containers that do not run."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from wharfd.engine.containers.sizes import size_of
from wharfd.engine.happenings import prune_event
from wharfd.engine.ledger import Ledger
from wharfd.model.container import ContainerRecord, State
from wharfd.model.errors import Conflict, EngineError, InvalidParameter, NotFound
from wharfd.ports.clock import Clock
from wharfd.ports.storage import LayerStore, RootfsStore
from wharfd.wire.filters import Filters
from wharfd.wire.timestamps import parse_timestamp

ACCEPTED = ("label", "label!", "until")
AT_REST = frozenset({State.CREATED, State.EXITED, State.DEAD})

Remove = Callable[[str], Awaitable[None]]
"""Removes a container at rest, without its volumes; raises Conflict if it is not at rest any more."""


@dataclass(slots=True)
class Pruned:
    ids: list[str] = field(default_factory=list)
    reclaimed_bytes: int = 0


class PruneContainers:
    def __init__(
        self, *, ledger: Ledger, clock: Clock, rootfs: RootfsStore, layers: LayerStore, remove: Remove
    ) -> None:
        self.ledger = ledger
        self.clock = clock
        self.rootfs = rootfs
        self.layers = layers
        self.remove = remove
        self.is_running = False

    async def __call__(self, filters: Filters) -> Pruned:
        """Containers that cannot be removed are passed over.

        Raises:
            InvalidParameter: a filter that is not known, or a bad time.
            Conflict: another prune is under way.
        """
        filters.validate(ACCEPTED)
        until_ns = self.until(filters)
        if self.is_running:
            raise Conflict("a prune operation is already running")
        self.is_running = True
        try:
            pruned = await self.prune([each for each in self.ledger.containers if fits(each, filters, until_ns)])
        finally:
            self.is_running = False
        event = prune_event("container", self.clock.now_ns(), pruned.reclaimed_bytes)
        await self.ledger.commit(events=[event])
        return pruned

    def until(self, filters: Filters) -> int:
        """0: no bound."""
        values = filters.get("until")
        if not values:
            return 0
        if len(values) > 1:
            raise InvalidParameter("more than one until filter specified")
        return parse_timestamp(values[0], self.clock.now_ns())

    async def prune(self, records: list[ContainerRecord]) -> Pruned:
        pruned = Pruned()
        for record in records:
            size = await size_of(record, self.rootfs, self.layers)
            try:
                await self.remove(record.id)
            except (Conflict, NotFound):
                continue
            except EngineError:
                if record.id in self.ledger.containers:
                    continue
            pruned.ids.append(record.id)
            pruned.reclaimed_bytes += size.rw
        return pruned


def fits(record: ContainerRecord, filters: Filters, until_ns: int) -> bool:
    labels = record.config.labels or {}
    if record.state not in AT_REST or (until_ns and record.created_ns > until_ns):
        return False
    excluded = filters.get("label!")
    return filters.labels("label", labels) and not (excluded and filters.labels("label!", labels))
