"""Cache mounts: directories that outlive the build, found by the id that a step gives.

`shared`: everybody has the same one.  `private`: nobody else has it at the same time; who comes while it is taken gets another one, which
stays, too.  `locked`: who comes while it is taken waits.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from wharfd.engine.build.cache import BuildCache
from wharfd.engine.build.ops import CacheMount, Sharing
from wharfd.engine.ledger import Ledger
from wharfd.model.build import CacheKind, CacheRecord
from wharfd.ports.clock import Clock
from wharfd.ports.runfiles import RunFiles

KEY = "mount:"

Fill = Callable[[str], Awaitable[None]]


class CacheMounts:
    def __init__(
        self, *, ledger: Ledger, clock: Clock, cache: BuildCache, files: RunFiles, new_id: Callable[[], str]
    ) -> None:
        self.ledger = ledger
        self.clock = clock
        self.cache = cache
        self.files = files
        self.new_id = new_id
        self.making: dict[str, asyncio.Lock] = {}
        self.locks: dict[str, asyncio.Lock] = {}

    @asynccontextmanager
    async def taken(self, mount: CacheMount, fill: Fill) -> AsyncIterator[str]:
        """The directory, on the host.  `fill` puts into a new one what it is to begin with."""
        key = KEY + mount.id
        async with self.turn(key if mount.sharing is Sharing.LOCKED else ""):
            async with self.making.setdefault(key, asyncio.Lock()):
                record = self.free_one(key) if mount.sharing is Sharing.PRIVATE else self.first(key)
                if record is None:
                    record = await self.make(key, mount, fill)
                self.cache.users[record.id] += 1
            try:
                path, _ = await self.files.shared(record.directory, uid=mount.uid, gid=mount.gid, mode=mount.mode)
                yield path
            finally:
                self.cache.users[record.id] -= 1
                await self.settle(record)

    @asynccontextmanager
    async def turn(self, key: str) -> AsyncIterator[None]:
        if not key:
            yield
            return
        async with self.locks.setdefault(key, asyncio.Lock()):
            yield

    def all_of(self, key: str) -> list[CacheRecord]:
        return [
            record
            for record in self.ledger.build_cache.values()
            if record.kind is CacheKind.MOUNT and record.key == key
        ]

    def first(self, key: str) -> CacheRecord | None:
        found = self.all_of(key)
        return found[0] if found else None

    def free_one(self, key: str) -> CacheRecord | None:
        return next((record for record in self.all_of(key) if not self.cache.users[record.id]), None)

    async def make(self, key: str, mount: CacheMount, fill: Fill) -> CacheRecord:
        record_id = self.new_id()
        name = hashlib.sha256(f"{key} {record_id}".encode()).hexdigest()[:32]
        path, _ = await self.files.shared(name, uid=mount.uid, gid=mount.gid, mode=mount.mode)
        try:
            await fill(path)
        except BaseException:
            await self.files.remove(name)
            raise
        record = CacheRecord(
            id=record_id,
            key=key,
            kind=CacheKind.MOUNT,
            description=f"cached mount {mount.destination}" + (f" with id {mount.id!r}" if mount.id else ""),
            directory=name,
            created_ns=self.clock.now_ns(),
        )
        await self.ledger.commit(record)
        return record

    async def settle(self, record: CacheRecord) -> None:
        """How large it has become, and that it was used."""
        current = self.ledger.build_cache.get(record.id)
        if current is not None:
            self.cache.touch(current, size_bytes=await self.files.size(record.directory))
