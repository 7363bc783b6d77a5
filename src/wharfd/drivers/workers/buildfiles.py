"""What build steps do with files, by way of worker processes: the `BuildFiles` port."""

from collections.abc import AsyncIterator, Sequence
from types import NoneType

from wharfd.drivers.workers.pool import Outflow, WorkerPool
from wharfd.drivers.workers.served import ServedRoot
from wharfd.model.archive import IngestedLayer
from wharfd.model.fileactions import AnyAction
from wharfd.model.ids import Digest
from wharfd.model.tree import DigestedEntry, RootView, Selection, TreeEntry
from wharfd.workers.protocol import (
    ApplyActions,
    DigestSelections,
    ExportTree,
    FinishRun,
    ListDirectory,
    ListTree,
    PackLayer,
    ReadRange,
    ReceiveContext,
    ResolvePath,
    StatEntry,
)


class WorkerBuildFiles:
    def __init__(self, pool: WorkerPool) -> None:
        self.pool = pool

    async def apply(self, target: RootView, roots: Sequence[RootView], actions: Sequence[AnyAction]) -> int:
        async with self.pool.heavy:
            return await self.pool.run(ApplyActions(target, list(roots), list(actions)), int)

    async def digests(self, view: RootView, selections: Sequence[Selection]) -> Sequence[Digest]:
        async with self.pool.heavy:
            found = await self.pool.run(DigestSelections(view, list(selections)), list[str])
        return [Digest(each) for each in found]

    async def read(self, view: RootView, path: str, offset: int, length: int) -> bytes:
        async with self.pool.heavy:
            return await self.pool.run(ReadRange(view, path, offset, length), bytes)

    async def stat(self, view: RootView, path: str) -> TreeEntry:
        async with self.pool.heavy:
            return await self.pool.run(StatEntry(view, path), TreeEntry)

    async def resolve(self, view: RootView, path: str) -> TreeEntry:
        async with self.pool.heavy:
            return await self.pool.run(ResolvePath(view, path), TreeEntry)

    async def list(self, view: RootView, path: str) -> Sequence[TreeEntry]:
        async with self.pool.heavy:
            return await self.pool.run(ListDirectory(view, path), list[TreeEntry])

    async def reader(self, view: RootView) -> ServedRoot:
        served = ServedRoot(self.pool)
        await served.begin(view)
        return served

    async def tree(self, view: RootView) -> Sequence[TreeEntry]:
        async with self.pool.heavy:
            return await self.pool.run(ListTree(view), list[TreeEntry])

    async def archive(self, view: RootView, clamp_ns: int | None = None) -> Outflow:
        _, flow = await self.pool.produce(ExportTree(view, clamp_ns), NoneType)
        return flow

    async def receive(self, archive: AsyncIterator[bytes], into: str) -> Sequence[DigestedEntry]:
        async with self.pool.streams:
            return await self.pool.feed(ReceiveContext(into), list[DigestedEntry], archive)

    async def finish_run(self, view: RootView, stubs: Sequence[str]) -> int:
        async with self.pool.heavy:
            return await self.pool.run(FinishRun(view, list(stubs)), int)

    async def pack(
        self, upper: str, lower: Sequence[str], spool: str, compression: str, clamp_ns: int | None = None
    ) -> IngestedLayer:
        async with self.pool.heavy:
            job = PackLayer(upper, list(lower), spool, compression, clamp_ns=clamp_ns)
            return await self.pool.run(job, IngestedLayer)
