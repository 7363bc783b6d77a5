"""A limit to the room that images take: what was used longest ago goes first.

Counted are blobs and unpacked layers of images, each once, as `docker system df` does.  An image is used when it is pulled, loaded or
built, and when a container is made from it or started.  Never removed: what a container stands on or has mounted, what the builder needs,
what others were made from, what somebody works with, and what was used in the last ten minutes.  So the limit may be passed for a while,
and for as long as containers need more.

Each removal is told by the usual events (`untag`, `delete`) with the attribute `reason`, and by a line in the log.
"""

import asyncio
import logging
from collections.abc import Iterator

import msgspec

from wharfd.engine.events import Subscription
from wharfd.engine.images.delete import DeleteImage, Outcome
from wharfd.engine.images.garbage import Garbage
from wharfd.engine.images.leases import Leases
from wharfd.engine.images.names import entries, familiar
from wharfd.engine.images.publish import STORE_LOCK
from wharfd.engine.images.sizes import images_usage
from wharfd.engine.ledger import Ledger
from wharfd.engine.locks import KeyedLocks
from wharfd.model.errors import EngineError
from wharfd.model.event import Event
from wharfd.model.ids import ContainerId
from wharfd.model.image import ImageRecord
from wharfd.ports.clock import Clock

log = logging.getLogger(__name__)

REASON = "image-budget"
GRACE_NS = 10 * 60 * 10**9
NOTED_NS = 60 * 10**9  # a use is written down if the last one is longer ago
LOOK_EVERY_S = 60.0  # also without an event: builds tell of none, and the grace of some ends
USES = ("create", "start")  # of containers
SHRINKS = ("untag", "delete", "push", "save", "prune")  # of images; all others may be new ones


class ImageBudget:
    def __init__(
        self,
        *,
        ledger: Ledger,
        locks: KeyedLocks,
        clock: Clock,
        garbage: Garbage,
        leases: Leases,
        delete: DeleteImage,
        limit_bytes: int,
    ) -> None:
        self.ledger = ledger
        self.locks = locks
        self.clock = clock
        self.garbage = garbage
        self.leases = leases
        self.delete = delete
        self.limit_bytes = limit_bytes

    async def follow(self) -> None:
        """Background work, from the engine's start to its end."""
        while True:
            subscription = self.ledger.bus.subscribe(is_of_interest)
            try:
                await self.attend(subscription)
            finally:
                subscription.close()

    async def attend(self, subscription: Subscription) -> None:
        """Returns when it has missed events."""
        await self.tried()
        while True:
            try:
                async with asyncio.timeout(LOOK_EVERY_S):
                    event = await subscription.next()
            except TimeoutError:
                await self.tried()
                continue
            if event is None:
                return
            if event.type == "container" and event.action in USES:
                await self.note_use(ContainerId(event.actor_id))
            else:
                await self.tried()

    async def tried(self) -> None:
        """As `enforce`; what fails is tried again later."""
        try:
            await self.enforce()
        except EngineError as e:
            log.error("images could not be removed: %s", e)

    async def note_use(self, container_id: ContainerId) -> None:
        container = self.ledger.containers.get(container_id)
        if container is None:
            return
        async with self.locks.hold(*STORE_LOCK):
            record = self.ledger.images.get(container.image_id)
            now_ns = self.clock.now_ns()
            if record is not None and now_ns - last_use_ns(record) > NOTED_NS:
                await self.ledger.commit(msgspec.structs.replace(record, used_ns=now_ns))

    async def enforce(self) -> bool:
        """Remove until the limit is kept.  False if it is not: the rest may not go, or not yet."""
        while (total := images_usage(self.ledger).total_bytes) > self.limit_bytes:
            if not await self.remove_one(total):
                return False
        return True

    async def remove_one(self, total: int) -> bool:
        """False if none may go."""
        async with self.locks.hold(*STORE_LOCK):
            record = min(self.candidates(), key=last_use_ns, default=None)
            if record is None:
                return False
            outcome = Outcome()
            self.delete.remove(record, outcome, prune_parents=True)
            events = [with_reason(event) for event in outcome.events]
            await self.ledger.commit(*outcome.changes, events=events, durable=True)
        freed = await self.garbage.collect(outcome.garbage)
        log.info(
            "image=%s names=%s removed reason=%s used=%d limit=%d freed=%d last_use_s=%d",
            record.id,
            ",".join(map(familiar, entries(record))),
            REASON,
            total,
            self.limit_bytes,
            freed,
            last_use_ns(record) // 10**9,
        )
        return True

    def candidates(self) -> Iterator[ImageRecord]:
        now_ns = self.clock.now_ns()
        used = {container.image_id for container in self.ledger.containers}
        standing = {
            layer
            for container in self.ledger.containers
            for layers in (
                container.rootfs.layers if container.rootfs else (),
                *(p.layers for p in container.parts.values()),
            )
            for layer in layers
        }
        for record in self.ledger.images.values():
            keys = [record.id, *self.garbage.of(record)]
            if record.id in used or now_ns - last_use_ns(record) < GRACE_NS:
                continue
            if self.delete.has_children(record, Outcome()) or not standing.isdisjoint(keys):
                continue
            if any(self.leases.held[key] or self.garbage.is_kept(key) for key in keys):
                continue
            yield record


def is_of_interest(event: Event) -> bool:
    if event.type == "container":
        return event.action in (*USES, "destroy", "commit")
    return event.type == "image" and event.action not in SHRINKS


def last_use_ns(record: ImageRecord) -> int:
    return max(record.used_ns, record.stored_ns, record.tagged_ns)


def with_reason(event: Event) -> Event:
    return msgspec.structs.replace(event, attributes={**event.attributes, "reason": REASON})
