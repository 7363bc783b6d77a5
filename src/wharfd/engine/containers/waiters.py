"""Who waits for a container's end.

A waiter registers without waiting, so that nothing that happens after the registration can be missed; the API registers, sends its
headers, and only then awaits the result.
"""

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum

from wharfd.model.container import ContainerRecord
from wharfd.model.ids import ContainerId


class WaitCondition(StrEnum):
    NOT_RUNNING = "not-running"
    NEXT_EXIT = "next-exit"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class WaitResult:
    """`error`: what went wrong with the run or the removal that was waited for; mostly empty."""

    exit_code: int
    error: str = ""


class Waiting:
    """One registration.  Close it when nobody wants the result any more."""

    def __init__(self, waiters: "Waiters", container_id: ContainerId, condition: WaitCondition) -> None:
        self.waiters = waiters
        self.container_id = container_id
        self.condition = condition
        self.outcome: asyncio.Future[WaitResult] = asyncio.get_running_loop().create_future()

    async def result(self) -> WaitResult:
        return await asyncio.shield(self.outcome)

    async def within(self, seconds: float | None) -> WaitResult | None:
        """The result, or None if it does not come in time; None waits for ever."""
        await asyncio.wait([self.outcome], timeout=seconds)
        return self.outcome.result() if self.outcome.done() else None

    def release(self, result: WaitResult) -> None:
        if not self.outcome.done():
            self.outcome.set_result(result)

    def close(self) -> None:
        self.waiters.forget(self)


class Waiters:
    def __init__(self) -> None:
        self.by_container: dict[ContainerId, set[Waiting]] = defaultdict(set)

    def register(self, container_id: ContainerId, condition: WaitCondition) -> Waiting:
        waiting = Waiting(self, container_id, condition)
        self.by_container[container_id].add(waiting)
        return waiting

    def next_exit(self, container_id: ContainerId) -> Waiting:
        return self.register(container_id, WaitCondition.NEXT_EXIT)

    def forget(self, waiting: Waiting) -> None:
        known = self.by_container.get(waiting.container_id)
        if known is not None:
            known.discard(waiting)
            if not known:
                del self.by_container[waiting.container_id]

    def exited(self, record: ContainerRecord) -> None:
        """It has ended, also if the restart policy starts it again."""
        self.release(record, {WaitCondition.NOT_RUNNING, WaitCondition.NEXT_EXIT}, record.error)

    def not_started(self, record: ContainerRecord) -> None:
        """It could not be started.

        Docker: dockerd leaves those hanging who wait for the next exit.  Here they get the code, but no error: who asked for the start
        has been told, and the docker command line would tell it a second time.
        """
        self.release(record, {WaitCondition.NOT_RUNNING, WaitCondition.NEXT_EXIT}, "")

    def removed(self, record: ContainerRecord, error: str = "") -> None:
        """It is gone, or its removal failed with `error`.  What went wrong in its life is no matter any more."""
        self.release(record, set(WaitCondition), error)

    def release(self, record: ContainerRecord, conditions: set[WaitCondition], error: str) -> None:
        result = WaitResult(record.exit_code, error)
        for waiting in list(self.by_container.get(record.id, ())):
            if waiting.condition in conditions:
                waiting.release(result)
                self.forget(waiting)
