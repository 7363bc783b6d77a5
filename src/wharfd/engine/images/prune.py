"""`docker image prune`: images without a name, or (dangling=false) all that no container uses; and what unfinished pulls have left."""

from dataclasses import dataclass, field

from wharfd.engine.happenings import prune_event
from wharfd.engine.images.delete import DeleteImage, Outcome, Step
from wharfd.engine.images.garbage import Garbage
from wharfd.engine.images.names import is_dangling
from wharfd.engine.images.publish import STORE_LOCK
from wharfd.engine.images.select import PRUNE_ACCEPTED, selection
from wharfd.engine.ledger import Ledger
from wharfd.engine.locks import KeyedLocks
from wharfd.model.errors import Conflict
from wharfd.ports.clock import Clock
from wharfd.wire.filters import Filters


@dataclass(slots=True)
class Pruned:
    steps: list[Step] = field(default_factory=list)
    reclaimed_bytes: int = 0


class PruneImages:
    def __init__(
        self, *, ledger: Ledger, locks: KeyedLocks, clock: Clock, garbage: Garbage, delete: DeleteImage
    ) -> None:
        self.ledger = ledger
        self.locks = locks
        self.clock = clock
        self.garbage = garbage
        self.delete = delete
        self.is_running = False

    async def __call__(self, filters: Filters) -> Pruned:
        """Raises Conflict while another one runs, InvalidParameter."""
        if self.is_running:
            raise Conflict("a prune operation is already running")
        self.is_running = True
        try:
            return await self.prune(filters)
        finally:
            self.is_running = False

    async def prune(self, filters: Filters) -> Pruned:
        filters.validate(PRUNE_ACCEPTED)
        dangling_only = filters.boolean("dangling", True)
        selected = selection(filters, self.ledger, self.clock.now_ns())
        outcome = Outcome()
        async with self.locks.hold(*STORE_LOCK):
            used = {container.image_id for container in self.ledger.containers}
            for record in list(self.ledger.images.values()):
                if record.id in used or record.id in outcome.deleted:
                    continue
                if (is_dangling(record) or not dangling_only) and selected(record):
                    self.delete.remove(record, outcome, prune_parents=True)
            await self.ledger.commit(*outcome.changes, events=outcome.events, durable=True)
        freed = await self.garbage.collect(outcome.garbage)
        if not any(each in filters for each in ("label", "label!", "until")):
            freed += await self.garbage.abandon()
        await self.ledger.commit(events=[prune_event("image", self.clock.now_ns(), freed)])
        return Pruned(outcome.steps, freed)
