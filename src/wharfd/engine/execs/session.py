"""A running exec, and the one client that may be attached to it.

The client's pace is the process's pace: it is the client's own process.  When the client leaves, the process goes on, and what it writes
from then on is read and thrown away.
"""

import asyncio
from collections.abc import Callable, Sequence

from wharfd.engine.execs.registry import Exec
from wharfd.ports.streams import ExecProcess, Output
from wharfd.wire.detachkeys import KeyWatch

LINGER_S = 2.0  # Docker: how long output of its children is awaited after its end


class ExecSession:
    """Use: `read` until it gives nothing, and beside it `feed` and `input_over`; then `leave`.

    `on_leave` is called when the client does not read to the end, `on_detach` when it has sent the detach keys.
    """

    def __init__(
        self,
        each: Exec,
        process: ExecProcess,
        keys: KeyWatch,
        *,
        on_leave: Callable[["ExecSession"], None],
        on_detach: Callable[[Exec], None],
    ) -> None:
        self.exec = each
        self.process = process
        self.keys = keys
        self.on_leave = on_leave
        self.on_detach = on_detach
        self.exited = asyncio.Event()
        self.is_over = False
        self.is_left = False
        self.was_cut = False
        self._limit: asyncio.Timeout | None = None  # of the read under way

    def when_cut(self, call: Callable[[], None]) -> None:
        """Never: nobody else waits for its client."""

    @property
    def takes_input(self) -> bool:
        return self.exec.config.attach_stdin

    async def read(self) -> Sequence[Output]:
        """Waits; empty when no more will come, and then its exit code is known."""
        outputs = await self._next()
        if not outputs:
            await self.exited.wait()
            self.finish()
        return outputs

    async def _next(self) -> Sequence[Output]:
        if self.is_over:
            return ()
        try:
            async with asyncio.timeout(LINGER_S if self.exited.is_set() else None) as self._limit:
                return await self.process.read()
        except TimeoutError:
            return ()  # somebody has inherited its streams and keeps them
        finally:
            self._limit = None

    def exit(self) -> None:
        """The process has ended; what it has written may still be in its pipes."""
        self.exited.set()
        if self._limit is not None:
            self._limit.reschedule(asyncio.get_running_loop().time() + LINGER_S)

    def finish(self) -> None:
        if not self.is_over:
            self.is_over = True
            self.process.close()

    async def feed(self, data: bytes) -> bool:
        """The client's input; waits until the process takes it.  True: it was the detach keys that came."""
        passed, is_detached = self.keys.feed(data)
        if passed:
            await self.process.write(passed)
        if is_detached:
            self.on_detach(self.exec)
        return is_detached

    async def input_over(self) -> bool:
        """The client sends no more.  True: the session is over (Docker: with a terminal, whose input has no end)."""
        rest = self.keys.rest()
        if rest:
            await self.process.write(rest)
        if self.exec.config.tty:
            return True
        self.process.close_stdin()
        return False

    def leave(self) -> None:
        """The client reads no more.  Idempotent."""
        if not self.is_over and not self.is_left:
            self.is_left = True
            if self.takes_input and not self.exec.config.tty:
                self.process.close_stdin()
            self.on_leave(self)

    async def drain(self) -> None:
        """Read to the end for nobody."""
        while True:
            if not await self.read():
                return
            await asyncio.sleep(0)
