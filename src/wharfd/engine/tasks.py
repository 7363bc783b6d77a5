"""Background work with an owner: every task that outlives a request belongs to the engine's `Tasks`.

A task has a name that carries the id it works for (`exit:4f1c…`); its failure is logged and never lost; at close all are cancelled and
awaited.
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

log = logging.getLogger(__name__)


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
