"""A blob's file while it is written, told to those who read behind the writer."""

import asyncio
from collections.abc import AsyncIterator

from wharfd.model.errors import Unavailable


class Growth:
    """A `GrowingBlob`: one attempt to bring a blob.  Readers who are late hear of the newest state alone."""

    def __init__(self, path: str, written: int = 0) -> None:
        self.path = path
        self.written = written
        self.is_whole = False
        self.is_over = False
        self.changed = asyncio.Event()

    def note(self, written: int) -> None:
        if written > self.written:
            self.written = written
            self.wake()

    def end(self, size: int | None = None) -> None:
        """`size`: the blob is whole, and its digest is right.  None: this attempt comes to nothing.  Once only."""
        if self.is_over:
            return
        self.is_over = True
        if size is not None:
            self.written, self.is_whole = size, True
        self.wake()

    def wake(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()

    async def offsets(self) -> AsyncIterator[int]:
        told = 0
        while True:
            if self.is_over and not self.is_whole:
                raise Unavailable("the transfer has broken off")
            if self.written > told:
                told = self.written
                yield told
            elif self.is_over:
                return
            else:
                await self.changed.wait()
