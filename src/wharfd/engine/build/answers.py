"""Questions that several ask and that are answered once."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Generic, TypeVar

from wharfd.engine.tasks import Tasks

T = TypeVar("T")


class Answer(Generic[T]):
    """The outcome of work that goes on whether anybody waits or not."""

    def __init__(self, tasks: Tasks, work: Coroutine[Any, Any, T], name: str) -> None:
        self.done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self.task = tasks.spawn(self.carry_out(work), name)

    async def carry_out(self, work: Coroutine[Any, Any, T]) -> None:
        try:
            outcome = await work
        except asyncio.CancelledError:
            self.done.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - it is for whoever asked
            self.done.set_exception(error)
            self.done.exception()  # retrieved, also if nobody waits any more
        else:
            if not self.done.done():
                self.done.set_result(outcome)
