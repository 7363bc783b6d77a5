"""One run of a container, and the clients that are attached to it.

The hub alone reads from the monitor, as long as anybody is attached, and spreads what it reads.  What a client has not taken yet waits in
a window that all share, so the memory is that of the slowest, not the sum.

A client that is slow, and one that has stopped reading:

- Output waits for clients as a pipe does.  When the window is full (`LIMIT_BYTES`) nothing is read from the monitor, and in the end the
  container's writes block until the slowest has taken half of it.  So a client that reads loses nothing, however slow it is.
- A client that takes nothing for `PATIENCE_S` while the window is full is cut off: its connection is closed, the others go on.
- But for one that was attached before the start and is alone (`docker run IMAGE dump | gzip`): the container is its pipeline, and waits
  for it as long as it likes.  It is cut off when another one joins and has to wait.
- When the container's process has ended, all that is left is read at once, whoever is behind: the monitor tells of the exit only then.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

from wharfd.engine.streams.window import Window
from wharfd.ports.streams import AttachedStdio, Output

log = logging.getLogger(__name__)

LIMIT_BYTES = 4 << 20
DRAIN_BYTES = 4 << 20  # more, for what a process that has ended leaves in its pipes
PATIENCE_S = 3.0
TAKEN_BYTES = 64 * 1024  # by one client at a time


class Viewer:
    """A client's place: before the container runs, while it runs, and until everything was taken.

    `streams`: the numbers of those it wants.  `is_foreground`: it was there before the start.
    """

    def __init__(self, streams: frozenset[int], *, is_foreground: bool = False) -> None:
        self.streams = streams
        self.is_foreground = is_foreground
        self.hub: Hub | None = None
        self.is_over = False  # nothing will come any more
        self.was_cut = False
        self.on_cut: Callable[[], None] | None = None
        self.position = 0
        self.since = 0.0  # the loop's time when it last took something, or fell behind
        self._waiter: asyncio.Future[None] | None = None
        self._joined = asyncio.Event()

    async def read(self) -> Sequence[Output]:
        """Waits; empty when no more will come."""
        while True:
            outputs = self.hub.take(self) if self.hub is not None and not self.was_cut else ()
            if outputs:
                chosen = [output for output in outputs if output.stream in self.streams]
                if chosen:
                    return chosen
            elif self.is_over:
                return ()
            else:
                await self._wait()

    async def write(self, data: bytes) -> bool:
        """To the container's stdin, when it runs.  False: nobody will read it."""
        await self._joined.wait()
        return self.hub is not None and await self.hub.write(data)

    async def close_stdin(self) -> None:
        """When it runs."""
        await self._joined.wait()
        if self.hub is not None:
            self.hub.close_stdin()

    def join(self, hub: "Hub") -> None:
        """The container is there."""
        self.hub = hub
        self._joined.set()
        self.wake()

    def end(self) -> None:
        """What is in the window may still be taken."""
        self.is_over = True
        self._joined.set()
        self.wake()

    def cut(self) -> None:
        """It gets no more, and must not be waited for by whoever sends to it."""
        self.was_cut = True
        self.leave()
        if self.on_cut is not None:
            self.on_cut()

    def leave(self) -> None:
        """The client is gone.  Idempotent."""
        self.end()
        if self.hub is not None:
            self.hub.leave(self)

    def wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None


class Hub:
    """Made when the container is there; `run` reads until its end.

    `name` is for the log.  `keeps`: letting go of the monitor would close the container's stdin, so that is not done while somebody
    might still attach to it.  `on_idle` is called when the last client has left, and the monitor may be let go.
    """

    def __init__(
        self,
        stdio: AttachedStdio,
        *,
        name: str,
        keeps: bool,
        on_idle: Callable[[], None],
        patience_s: float = PATIENCE_S,
        limit_bytes: int = LIMIT_BYTES,
    ) -> None:
        self.stdio = stdio
        self.name = name
        self.keeps = keeps
        self.on_idle = on_idle
        self.patience_s = patience_s
        self.limit_bytes = limit_bytes
        self.viewers: set[Viewer] = set()
        self.window = Window()
        self.task: asyncio.Task[None] | None = None  # that runs it
        self.is_over = False
        self.has_ended = False  # the process
        self._loop = asyncio.get_running_loop()
        self._room = asyncio.Event()
        self._writing = asyncio.Lock()

    # clients

    def add(self, viewer: Viewer) -> None:
        """It gets all that is read from now on."""
        viewer.position = self.window.end
        viewer.since = self._loop.time()
        if len(self.viewers) == 1:
            (alone,) = self.viewers
            if alone.is_foreground:
                alone.since = (
                    viewer.since
                )  # the container has waited for it; now that it is not alone it has some time to catch up
        self.viewers.add(viewer)
        viewer.join(self)
        if self.is_over:
            viewer.end()
        self._room.set()

    def leave(self, viewer: Viewer) -> None:
        if viewer in self.viewers:
            self.viewers.discard(viewer)
            self.window.leave(viewer.position)
            self._room.set()
            if not self.viewers and not self.keeps and not self.is_over:
                self.on_idle()

    def take(self, viewer: Viewer) -> Sequence[Output]:
        if viewer not in self.viewers or viewer.position == self.window.end:
            return ()
        taken, viewer.position = self.window.take(viewer.position, TAKEN_BYTES)
        viewer.since = self._loop.time()
        if self.has_room():
            self._room.set()
        return taken

    async def write(self, data: bytes) -> bool:
        async with self._writing:
            return not self.is_over and await self.stdio.write(data)

    def close_stdin(self) -> None:
        """For good; nothing keeps the monitor then but those who look on."""
        self.stdio.close_stdin()
        self.keeps = False
        if not self.viewers and not self.is_over:
            self.on_idle()

    def stop(self) -> None:
        """Let go of the monitor, though the container goes on."""
        self.is_over = True
        if self.task is not None:
            self.task.cancel()

    # output

    async def run(self) -> None:
        """Returns at the end of the container's run."""
        try:
            while outputs := await self.stdio.read():
                self.spread(outputs)
                if self.window.size > self.limit_bytes:
                    await self.make_room()
                else:
                    await asyncio.sleep(0)  # a container that writes without a pause is not to have the loop for itself
        finally:
            self.is_over = True
            self.stdio.close()
            for viewer in self.viewers:
                viewer.end()

    def spread(self, outputs: Sequence[Output]) -> None:
        if not self.viewers:
            return
        now = self._loop.time()
        for viewer in self.viewers:
            if viewer.position == self.window.end:
                viewer.since = now
        for output in outputs:
            self.window.append(output, len(self.viewers))
        for viewer in self.viewers:
            viewer.wake()

    async def make_room(self) -> None:
        """Returns when more may be read."""
        ending = None
        if not self.has_ended:
            ending = self._loop.create_task(self.stdio.wait_process_end(), name="attach-process-end")
            ending.add_done_callback(self._process_ended)
        try:
            while not self.has_room():
                self._room.clear()
                waits_s = self.cut_stalled()
                if not self.has_room():
                    try:
                        async with asyncio.timeout(waits_s):
                            await self._room.wait()
                    except TimeoutError:
                        continue
        finally:
            if ending is not None:
                ending.cancel()

    def has_room(self) -> bool:
        """After the window was full."""
        return self.window.size <= (self.limit_bytes + DRAIN_BYTES if self.has_ended else self.limit_bytes // 2)

    def _process_ended(self, ending: "asyncio.Task[None]") -> None:
        if not ending.cancelled():
            self.has_ended = True
            self._room.set()

    def cut_stalled(self) -> float | None:
        """Cut off who holds the others up for too long; seconds until the next one's patience ends, None if none does."""
        now = self._loop.time()
        waits_s = None
        for viewer in [each for each in self.viewers if each.position == self.window.first]:
            if viewer.is_foreground and len(self.viewers) == 1 and not self.has_ended:
                continue
            left_s = 0.0 if self.has_ended else viewer.since + self.patience_s - now
            if left_s <= 0:
                log.warning("container=%s a client that has stopped reading is cut off", self.name)
                viewer.cut()
            else:
                waits_s = left_s if waits_s is None else min(waits_s, left_s)
        return waits_s
