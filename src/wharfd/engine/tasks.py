"""Background work with an owner: every task that outlives a request belongs to the engine's `Tasks`.

A task has a name that carries the id it works for (`exit:4f1c…`); its failure is logged and never lost; at close all are cancelled and
awaited.
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")


async def carried_through(work: Coroutine[Any, Any, T], name: str) -> T:
    """What has begun is brought to its end, also when the caller is cancelled; that shows only afterwards.

    For undo code, and for the step that makes a change known.
    """
    task = asyncio.get_running_loop().create_task(work, name=name)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as e:
            cancelled = e
    if cancelled is not None:
        if not task.cancelled():
            task.exception()  # nobody will ask
        raise cancelled
    return task.result()


class Tasks:
    def __init__(self) -> None:
        self.running: set[asyncio.Task[Any]] = set()
        self.closed = False

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Start `work` now.  The task is kept alive until it ends.  After `close` it is cancelled before its first step."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self.running.add(task)
        task.add_done_callback(self.ended)
        if self.closed:
            task.cancel()
        return task

    def ended(self, task: asyncio.Task[Any]) -> None:
        self.running.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            log.error("task=%s failed error=%s", task.get_name(), error, exc_info=error)

    async def settle(self) -> None:
        """Wait until nothing runs; work may start more work meanwhile."""
        while self.running:
            await asyncio.wait(self.running)

    async def close(self) -> None:
        """Cancel everything and wait for it."""
        self.closed = True
        for task in list(self.running):
            task.cancel()
        if self.running:
            await asyncio.wait(self.running)
