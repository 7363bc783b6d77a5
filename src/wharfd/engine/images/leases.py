"""Keeps blobs and layers from being collected while somebody works with them who has no record for it yet.

A key is a blob's digest or a layer's chain id (the lowest layer's chain id is a digest too; the two never contradict each other).
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class Leases:
    def __init__(self) -> None:
        self.held: Counter[str] = Counter()
        self.removing: dict[str, asyncio.Future[None]] = {}

    def open(self) -> "Lease":
        return Lease(self)

    @contextmanager
    def remove(self, key: str) -> Iterator[bool]:
        """False if the key is held.  Whoever wants it during the block waits until it is gone."""
        if self.held[key] or key in self.removing:
            yield False
            return
        gone = self.removing[key] = asyncio.get_running_loop().create_future()
        try:
            yield True
        finally:
            del self.removing[key]
            gone.set_result(None)


class Lease:
    """Ends with `release`, or with the object: a caller may just keep it as long as it needs what it holds."""

    def __init__(self, leases: Leases) -> None:
        self.leases = leases
        self.keys: list[str] = []

    async def hold(self, *keys: str) -> None:
        """What is held and exists stays.  Ask whether it exists only afterwards."""
        for key in keys:
            while (gone := self.leases.removing.get(key)) is not None:
                await asyncio.shield(gone)
            self.leases.held[key] += 1
            self.keys.append(key)

    def release(self) -> None:
        for key in self.keys:
            self.leases.held[key] -= 1
            if not self.leases.held[key]:
                del self.leases.held[key]
        self.keys = []

    def __enter__(self) -> "Lease":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def __del__(self) -> None:
        self.release()
