"""What a build has told so far, for readers that come at any time, at their own pace.

A log that is kept (for the history) holds at most `CLIP_BYTES` of a step's output; one that is not kept lets go of what its reader has
seen, and makes the steps wait for him (`room`).  Each piece of output counts with what holding it costs, since a step may write byte by
byte.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from wharfd.engine.build.progress import LogOutput, Update
from wharfd.model.ids import Digest

CLIP_BYTES = 2 << 20
CLIP_NOTICE = b"[output clipped, log limit 2MiB reached]\n"
UNREAD_BYTES = 4 << 20
PIECE_BYTES = 256  # what an update takes besides its data, roughly
CLIP_PIECES = 32_768  # of a step, whatever their size


class Observer(Protocol):
    def __call__(self, update: Update) -> None: ...

    async def room(self) -> None:
        """Returns when more output is welcome."""


class ProgressLog:
    """Called with each update.  An observer hears of it at once, instead of readers."""

    def __init__(self, *, is_kept: bool, observer: Observer | None = None) -> None:
        self.is_kept = is_kept
        self.observer = observer
        self.updates: list[Update] = []
        self.dropped = 0  # updates that came before `updates[0]`
        self.is_over = False
        self.output: dict[Digest, tuple[int, int]] = {}  # bytes and pieces of each step
        self.unread = 0
        self.readers = 0
        self.news = asyncio.Event()
        self.read = asyncio.Event()

    def __call__(self, update: Update) -> None:
        if self.observer is not None:
            self.observer(update)
            return
        if isinstance(update, LogOutput):
            clipped = self.clip(update) if self.is_kept else update
            if clipped is None:
                return
            update = clipped
            self.unread += cost(update)
        self.updates.append(update)
        self.wake()

    def clip(self, update: LogOutput) -> LogOutput | None:
        before, pieces = self.output.get(update.vertex, (0, 0))
        if before > CLIP_BYTES or pieces > CLIP_PIECES:
            return None
        self.output[update.vertex] = before + len(update.data), pieces + 1
        if before + len(update.data) <= CLIP_BYTES and pieces < CLIP_PIECES:
            return update
        data = update.data[: CLIP_BYTES - before] + CLIP_NOTICE
        return LogOutput(vertex=update.vertex, stream=update.stream, data=data, at_ns=update.at_ns)

    def wake(self) -> None:
        self.news.set()
        self.news = asyncio.Event()

    def close(self) -> None:
        """No more will come."""
        self.is_over = True
        self.read.set()
        self.wake()

    async def room(self) -> None:
        """For whoever produces output: returns when the reader is not too far behind."""
        if self.observer is not None:
            await self.observer.room()
        while not self.is_kept and self.readers and self.unread > UNREAD_BYTES and not self.is_over:
            self.read.clear()
            await self.read.wait()

    async def follow(self) -> AsyncIterator[Sequence[Update]]:
        """Everything, in batches, to the end."""
        at = self.dropped
        self.readers += 1
        try:
            while True:
                news = self.news
                batch = self.updates[at - self.dropped :]
                if batch:
                    at += len(batch)
                    if not self.is_kept:
                        self.let_go(at)
                    yield batch
                elif self.is_over:
                    return
                else:
                    await news.wait()
        finally:
            self.readers -= 1
            self.read.set()

    def let_go(self, at: int) -> None:
        gone = self.updates[: at - self.dropped]
        del self.updates[: at - self.dropped]
        self.dropped = at
        self.unread -= sum(cost(each) for each in gone if isinstance(each, LogOutput))
        self.read.set()


def cost(output: LogOutput) -> int:
    """Bytes that holding it takes."""
    return len(output.data) + PIECE_BYTES
