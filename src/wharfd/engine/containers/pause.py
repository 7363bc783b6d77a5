"""Freeze a container's processes, and thaw them."""

from wharfd.engine import lifecycle
from wharfd.engine.happenings import container_event
from wharfd.engine.ledger import Ledger
from wharfd.engine.locks import KeyedLocks
from wharfd.model.errors import EngineError
from wharfd.ports.clock import Clock
from wharfd.ports.runtime import RuntimeDriver


class Pause:
    def __init__(self, *, ledger: Ledger, locks: KeyedLocks, clock: Clock, runtime: RuntimeDriver) -> None:
        self.ledger = ledger
        self.locks = locks
        self.clock = clock
        self.runtime = runtime

    async def __call__(self, ref: str) -> None:
        """Returns when it is frozen.

        Raises:
            Conflict: it does not run, or is paused already.
        """
        container_id = self.ledger.container(ref).id
        async with self.locks.hold("container", container_id):
            record = self.ledger.container(container_id)
            after = lifecycle.apply(record, lifecycle.PauseAsked())
            try:
                await self.runtime.pause(container_id)
            except EngineError as error:
                raise error.prefixed(f"cannot pause container {container_id}: ") from error
            await self.ledger.commit(after, events=[container_event(after, "pause", self.clock.now_ns())])


class Unpause:
    def __init__(self, *, ledger: Ledger, locks: KeyedLocks, clock: Clock, runtime: RuntimeDriver) -> None:
        self.ledger = ledger
        self.locks = locks
        self.clock = clock
        self.runtime = runtime

    async def __call__(self, ref: str) -> None:
        """Returns when it runs again.

        Raises:
            Conflict: it is not paused (dockerd answers 500; this is kinder).
        """
        container_id = self.ledger.container(ref).id
        async with self.locks.hold("container", container_id):
            record = self.ledger.container(container_id)
            after = lifecycle.apply(record, lifecycle.UnpauseAsked())
            try:
                await self.runtime.resume(container_id)
            except EngineError as error:
                raise error.prefixed(f"cannot unpause container {container_id}: ") from error
            await self.ledger.commit(after, events=[container_event(after, "unpause", self.clock.now_ns())])
