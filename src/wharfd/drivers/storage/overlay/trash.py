"""Deleting trees without making anybody wait for it.

A tree leaves its place by one rename.  A small one is deleted at once; of a large one the rest goes to a worker in the background, and
what that does not finish is found at the next start.
"""

import asyncio
import logging
import os
import secrets
from collections.abc import Coroutine
from typing import Any

from wharfd.drivers.storage.overlay.layout import Layout
from wharfd.model.errors import EngineError, Internal
from wharfd.ports.workers import TreeRemover
from wharfd.sys.blocking import Pool

log = logging.getLogger(__name__)

AT_ONCE = 200  # files and directories that are deleted before the caller goes on


class Trash:
    def __init__(self, layout: Layout, pool: Pool, remover: TreeRemover) -> None:
        self.layout = layout
        self.pool = pool
        self.remover = remover
        self.tasks: set[asyncio.Task[None]] = set()

    async def discard(self, path: str) -> None:
        """Gone from its place when this returns, also when the caller is cancelled meanwhile.  Nothing there: nothing to do."""
        try:
            is_more = await self.pool.run_through(self.throw, path)
        except asyncio.CancelledError:
            self.start(self.empty(), "emptying")
            raise
        if is_more:
            await self.empty()

    def throw(self, path: str) -> bool:
        """The first half of `discard`, for other threads: moved away, deleted if it is small.  True if something is left to `empty`."""
        name = secrets.token_hex(8)
        try:
            os.rename(path, f"{self.layout.trash}/{name}")
            folder = os.open(self.layout.trash, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                return not remove_some(name, folder, [AT_ONCE])
            finally:
                os.close(folder)
        except FileNotFoundError:
            return False
        except OSError as e:
            raise Internal(f"removing {path}: {e}") from e

    async def empty(self) -> None:
        """Hand what lies in the trash to workers."""
        busy = {task.get_name() for task in self.tasks}
        for name in await self.pool.run(os.listdir, self.layout.trash):
            if name not in busy:
                self.start(self.finish(f"{self.layout.trash}/{name}"), name)

    def start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def finish(self, path: str) -> None:
        try:
            await self.remover.remove_tree(path)
        except EngineError as e:
            log.warning("path=%s could not be removed now: %s", path, e)

    async def settle(self) -> None:
        """Wait until nothing is being deleted."""
        while self.tasks:
            await asyncio.wait(self.tasks)


def remove_some(name: str, folder: int, budget: list[int]) -> bool:
    """Delete a tree as far as the budget goes.  True if nothing is left of it."""
    fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        with os.scandir(fd) as entries:
            found = list(entries)
        for entry in found:
            budget[0] -= 1
            if budget[0] < 0:
                return False
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.name, dir_fd=fd)
            elif not remove_some(entry.name, fd, budget):
                return False
    finally:
        os.close(fd)
    os.rmdir(name, dir_fd=folder)
    return True
