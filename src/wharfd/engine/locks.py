"""Keyed locks and their order.

Use cases take them, drivers never do.  Order: names → containers (ascending id) → networks → volumes → images; `KeyedLocks` checks it
within a task.  A lock may be held across bounded local driver work, never while waiting for an exit, a client, a registry or a timer.
Readers take none: they read immutable records.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar

ORDER = ("container", "network", "volume", "image")

Held = tuple[tuple[int, str], ...]

# With the task that holds them: a task that is started meanwhile inherits the variable, but not the locks.
held_now: ContextVar[tuple[asyncio.Task[object] | None, Held]] = ContextVar("held_locks", default=(None, ()))


class LockOrderError(RuntimeError):
    """A bug of ours: taken against the order, which could deadlock."""


class KeyedLocks:
    """One `asyncio.Lock` per (kind, key), made on demand and dropped when nobody holds or awaits it."""

    def __init__(self) -> None:
        self.locks: dict[tuple[str, str], tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def hold(self, kind: str, key: str) -> AsyncIterator[None]:
        rank = (ORDER.index(kind), key)
        task = asyncio.current_task()
        holder, before = held_now.get()
        if holder is not task:
            before = ()
        if before and rank <= before[-1]:
            raise LockOrderError(f"{kind} {key} asked for while {before} are held")
        lock, users = self.locks.get((kind, key), (None, 0))
        if lock is None:
            lock = asyncio.Lock()
        self.locks[kind, key] = (lock, users + 1)
        try:
            async with lock:
                token = held_now.set((task, (*before, rank)))
                try:
                    yield
                finally:
                    held_now.reset(token)
        finally:
            lock, users = self.locks[kind, key]
            if users == 1:
                del self.locks[kind, key]
            else:
                self.locks[kind, key] = (lock, users - 1)

    def is_held(self, kind: str, key: str) -> bool:
        entry = self.locks.get((kind, key))
        return entry is not None and entry[0].locked()
