"""A container's files by way of worker processes: the `FileArchiver` port."""

from collections.abc import AsyncIterator, Sequence
from types import NoneType

from wharfd.drivers.workers.pool import Outflow, WorkerPool
from wharfd.model.archive import IngestedLayer
from wharfd.model.container import Rootfs
from wharfd.model.files import Change, Extraction, FileView, PathStat
from wharfd.workers.protocol import ExportRoot, ListChanges, PackChanges, ReadPath, StatPath, WritePath


class WorkerArchiver:
    def __init__(self, pool: WorkerPool) -> None:
        self.pool = pool

    async def stat(self, view: FileView, path: bytes) -> PathStat:
        async with self.pool.heavy:
            return await self.pool.run(StatPath(view, path), PathStat)

    async def read(self, view: FileView, path: bytes, encoding: str) -> tuple[PathStat, Outflow]:
        return await self.pool.produce(ReadPath(view, path, encoding), PathStat)

    async def write(self, view: FileView, path: bytes, archive: AsyncIterator[bytes], how: Extraction) -> None:
        async with self.pool.streams:
            await self.pool.feed(WritePath(view, path, how), NoneType, archive)

    async def export(self, view: FileView) -> Outflow:
        _, flow = await self.pool.produce(ExportRoot(view), NoneType)
        return flow

    async def changes(self, rootfs: Rootfs) -> Sequence[Change]:
        async with self.pool.heavy:
            return await self.pool.run(ListChanges(rootfs), list[Change])

    async def pack(self, rootfs: Rootfs, spool: str) -> IngestedLayer | None:
        async with self.pool.heavy:
            return await self.pool.run(PackChanges(rootfs, spool), IngestedLayer | None)  # type: ignore[arg-type]
