"""Shares runs of syncfs: one that begins after a caller has finished writing covers him, however many others it covers too."""

import asyncio

from wharfd.sys import filesystem
from wharfd.sys.blocking import Pool


class SharedSync:
    def __init__(self, path: str, pool: Pool) -> None:
        self.path = path
        self.pool = pool
        self.turn = asyncio.Lock()
        self.begun = 0

    async def run(self) -> None:
        """Durable when it returns is everything written to the file system before the call."""
        wanted = self.begun + 1
        async with self.turn:
            if self.begun >= wanted:
                return  # one began while we waited, hence after our writes
            self.begun += 1
            await self.pool.run(filesystem.sync, self.path)
