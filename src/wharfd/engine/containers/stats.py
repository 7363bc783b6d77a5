"""What a container uses: samples of its cgroup and interfaces, one per second for as long as somebody reads.

Docker: the first sample of a stream has nothing before it; a single one waits for two, so that shares of CPU can be told, unless one is
enough (`one_shot`).  A container that does not run gives zeros once, or, to a stream, nothing until it runs.
"""

import asyncio
from collections.abc import AsyncIterator

import msgspec

from wharfd.engine.ledger import Ledger
from wharfd.model.container import ContainerRecord
from wharfd.model.errors import EngineError
from wharfd.ports.network import SandboxDriver
from wharfd.ports.runtime import RuntimeDriver, Stats

INTERVAL_S = 1.0


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """`now` None: it does not run; `before` None: nothing was measured before."""

    record: ContainerRecord
    now: Stats | None = None
    before: Stats | None = None


class StatsContainer:
    def __init__(self, *, ledger: Ledger, runtime: RuntimeDriver, sandboxes: SandboxDriver) -> None:
        self.ledger = ledger
        self.runtime = runtime
        self.sandboxes = sandboxes

    async def once(self, ref: str, *, one_shot: bool = False) -> Sample:
        """Raises ContainerNotFound."""
        record = self.ledger.container(ref)
        first = await self.measure(record)
        if first is None or one_shot:
            return Sample(record=record, now=first)
        await asyncio.sleep(INTERVAL_S)
        second = await self.measure(record)
        return Sample(record=record, now=second, before=first if second is not None else None)

    def stream(self, ref: str) -> AsyncIterator[Sample]:
        """Ends when the container is removed.  Raises ContainerNotFound, before the first sample is asked for."""
        return self.follow(self.ledger.container(ref))

    async def follow(self, record: ContainerRecord) -> AsyncIterator[Sample]:
        before: Stats | None = None
        while True:
            current = self.ledger.containers.get(record.id)
            if current is None:
                return
            now = await self.measure(current)
            if now is not None:
                yield Sample(record=current, now=now, before=before)
            before = now
            await asyncio.sleep(INTERVAL_S)

    async def measure(self, record: ContainerRecord) -> Stats | None:
        """None if it does not run, also if it ended in this very moment."""
        current = self.ledger.containers.get(record.id)
        if current is None or not current.is_running:
            return None
        try:
            found = await self.runtime.stats(current.id, current.pid)
        except EngineError:
            return None
        if not current.endpoints:
            return found
        return msgspec.structs.replace(found, networks=await self.sandboxes.interface_stats(current.pid))
