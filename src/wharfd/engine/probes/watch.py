"""Watches the health of all containers that run and have a check: one task each, from the start (or the thaw) to the end (or the freeze).

What has happened to containers is heard from the event bus, like any listener hears it, so starting and stopping know nothing of health
checks.  A new status is told and written down; results that change none are kept in memory only.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec

from wharfd.engine.happenings import container_event
from wharfd.engine.health import Check, check_of, delay_ns, judged
from wharfd.engine.ledger import Ledger
from wharfd.engine.locks import KeyedLocks
from wharfd.engine.tasks import Tasks
from wharfd.model.container import ContainerRecord, HealthResult, State
from wharfd.model.event import Event
from wharfd.model.ids import ContainerId
from wharfd.ports.clock import Clock

log = logging.getLogger(__name__)

TURNS = frozenset({"start", "unpause", "pause", "die", "destroy"})

# Linux: a container's end kills its probe first, and is told of a little later; then this is no result.
KILLED = 137
SETTLE_S = 0.5

RunProbe = Callable[[ContainerRecord, Check], Awaitable[HealthResult]]
Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Watching:
    """Of one run of a container."""

    sandbox_id: str
    task: asyncio.Task[None]


class HealthWatch:
    """`sleep(seconds)` is asyncio's, or a test's."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        locks: KeyedLocks,
        clock: Clock,
        tasks: Tasks,
        probe: RunProbe,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.ledger = ledger
        self.locks = locks
        self.clock = clock
        self.tasks = tasks
        self.probe = probe
        self.sleep = sleep
        self.watched: dict[ContainerId, Watching] = {}

    def open(self) -> None:
        """Watch those that run already, and listen for others."""
        self.tasks.spawn(self.listen(), "health")

    async def listen(self) -> None:
        while True:
            subscription = self.ledger.bus.subscribe(is_turn)
            try:
                for record in list(self.ledger.containers):
                    self.look(record.id)
                while (event := await subscription.next()) is not None:
                    self.look(ContainerId(event.actor_id))
                log.warning("health: fell behind the events; all containers are looked at anew")
            finally:
                subscription.close()

    def look(self, container_id: ContainerId) -> None:
        """Begin or end watching it, as its record says."""
        record = self.ledger.containers.get(container_id)
        check = check_of(record.config) if record is not None and record.state is State.RUNNING else None
        watching = self.watched.get(container_id)
        if watching is not None and (record is None or check is None or watching.sandbox_id != record.sandbox_id):
            del self.watched[container_id]
            watching.task.cancel()
            watching = None
        if watching is None and record is not None and check is not None and record.health is not None:
            task = self.tasks.spawn(self.watch(record, check), f"health:{record.id[:12]}")
            self.watched[container_id] = Watching(record.sandbox_id, task)

    async def watch(self, record: ContainerRecord, check: Check) -> None:
        """Until its run is over, or it is paused: `look` cancels this then."""
        current: ContainerRecord | None = record
        while current is not None and current.health is not None:
            wait_ns = delay_ns(current.health, check, current.started_ns, self.clock.now_ns())
            await self.sleep(wait_ns / 1e9)
            result = await self.probe(current, check)
            if result.exit_code == KILLED:
                await self.sleep(SETTLE_S)
            current = await self.note(current, check, result)

    async def note(self, before: ContainerRecord, check: Check, result: HealthResult) -> ContainerRecord | None:
        """The record with the result in it; None if the run is over."""
        async with self.locks.hold("container", before.id):
            record = self.ledger.containers.get(before.id)
            if record is None or record.state is not State.RUNNING or record.sandbox_id != before.sandbox_id:
                return None
            if record.health is None:
                return None
            health = judged(record.health, check, result, record.started_ns)
            after = msgspec.structs.replace(record, health=health)
            if health.status == record.health.status:
                self.ledger.remember(after)
            else:
                event = container_event(after, f"health_status: {health.status}", self.clock.now_ns())
                self.ledger.post(after, events=[event])
            return after


def is_turn(event: Event) -> bool:
    return event.type == "container" and event.action in TURNS
