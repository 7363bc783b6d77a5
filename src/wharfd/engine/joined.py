"""Work that several callers ask for at once and that is done once: later callers get the answer of the run that is under way."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from wharfd.engine.tasks import Tasks

T = TypeVar("T")


class Joined(Generic[T]):
    """`work` has at most one run at a time.  A caller that is cancelled leaves the others theirs; with the last one the run ends."""

    def __init__(self, tasks: Tasks, work: Callable[[], Coroutine[Any, Any, T]], name: str) -> None:
        self.tasks = tasks
        self.work = work
        self.name = name
        self.run: asyncio.Future[T] | None = None
        self.waiting = 0

    async def __call__(self) -> T:
        """Raises what the work raises, to each of its callers."""
        if self.run is None:
            self.run = asyncio.get_running_loop().create_future()
            self.waiting = 0
            task = self.tasks.spawn(self.carry_out(self.run), self.name)
            self.run.add_done_callback(lambda run: task.cancel() if run.cancelled() else None)
        run = self.run
        self.waiting += 1
        try:
            return await asyncio.shield(run)
        except asyncio.CancelledError:
            if self.run is run and self.waiting == 1:
                self.run = None
                run.cancel()
            raise
        finally:
            if self.run is run:
                self.waiting -= 1

    async def carry_out(self, run: asyncio.Future[T]) -> None:
        try:
            result = await self.work()
        except Exception as error:  # noqa: BLE001  it is the callers' to handle
            if not run.done():
                run.set_exception(error)
        except asyncio.CancelledError:
            run.cancel()
            raise
        else:
            if not run.done():
                run.set_result(result)
        finally:
            if self.run is run:
                self.run = None
