"""The machine goes down: every container ends as by a stop, with its own signal and time, and is left as its restart policy wants it.

Not for an engine that merely ends: its containers go on.
"""

import asyncio
import logging

from wharfd.engine import lifecycle
from wharfd.engine.containers.exits import Exits
from wharfd.engine.containers.signals import KILL, PATIENCE_S, Signals, stop_signal
from wharfd.engine.containers.stop import grace_s
from wharfd.engine.containers.waiters import Waiters
from wharfd.engine.happenings import container_event
from wharfd.engine.ledger import Ledger
from wharfd.engine.locks import KeyedLocks
from wharfd.model.container import ContainerRecord, State
from wharfd.model.errors import Conflict
from wharfd.ports.clock import Clock
from wharfd.ports.runtime import RuntimeDriver

log = logging.getLogger(__name__)

LONGEST_GRACE_S = 60.0  # the machine does not wait for ever


class Shutdown:
    def __init__(
        self,
        *,
        ledger: Ledger,
        locks: KeyedLocks,
        clock: Clock,
        runtime: RuntimeDriver,
        signals: Signals,
        waiters: Waiters,
        exits: Exits,
    ) -> None:
        self.ledger = ledger
        self.locks = locks
        self.clock = clock
        self.runtime = runtime
        self.signals = signals
        self.waiters = waiters
        self.exits = exits

    def longest_s(self) -> float:
        """How long the call may take."""
        return (
            max((grace(record) for record in self.ledger.containers if record.is_running), default=0.0) + 2 * PATIENCE_S
        )

    async def __call__(self) -> None:
        """Returns when none runs any more, or none that would end; requests have come to their end before.  Never raises."""
        self.exits.hold()
        await asyncio.gather(*map(self.end, list(self.ledger.containers)))

    async def end(self, record: ContainerRecord) -> None:
        waiting = self.waiters.next_exit(record.id)
        try:
            if not await self.send(record, stop_signal(record)):
                return
            if await waiting.within(grace(record)) is None:
                await self.send(record, KILL)
                await waiting.within(PATIENCE_S)
            # Whoever records an exit holds the lock until what the container held is taken down.
            async with self.locks.hold("container", record.id):
                pass
        except Exception as error:
            log.error("container=%s not ended: error=%s", record.id, error, exc_info=error)
        finally:
            waiting.close()

    async def send(self, record: ContainerRecord, signal: int) -> bool:
        """False: it does not run.  The signal is not a final one: nobody has said that the container is to stay away."""
        async with self.locks.hold("container", record.id):
            now = self.ledger.containers.get(record.id)
            if now is None or not now.is_running:
                return False
            try:
                await self.signals.send(now, signal, final=False)
                now = self.ledger.containers.get(record.id) or now
                if now.state is State.PAUSED:
                    await self.runtime.resume(now.id)
                    event = container_event(now, "unpause", self.clock.now_ns())
                    self.ledger.post(lifecycle.apply(now, lifecycle.UnpauseAsked()), events=[event])
            except Conflict:
                pass  # its process is gone; its exit is on the way
            return True


def grace(record: ContainerRecord) -> float:
    asked = grace_s(record, None)
    return LONGEST_GRACE_S if asked is None else min(asked, LONGEST_GRACE_S)
