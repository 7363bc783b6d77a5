"""Tells of exit files as they appear: one inotify watch on the directory that all monitors write to."""

import asyncio
import os
from collections.abc import Callable

from wharfd.sys.inotify import IN_MOVED_TO, IN_ONLYDIR, Inotify


class ExitWatch:
    """Calls `seen(container_id)` on the loop for every exit file that is moved into `directory` while this is open.

    If the kernel's queue runs over, it is called for every file that lies there: `seen` must bear repetition.
    """

    def __init__(self, directory: str, seen: Callable[[str], None]) -> None:
        self.directory = directory
        self.seen = seen
        self.inotify: Inotify | None = None
        self.task: asyncio.Task[None] | None = None

    def open(self) -> None:
        self.inotify = Inotify()
        # The monitor writes a temporary file and renames it.
        self.inotify.add_watch(self.directory, IN_MOVED_TO | IN_ONLYDIR)
        self.task = asyncio.get_running_loop().create_task(self._follow(self.inotify), name="exit-files")

    async def close(self) -> None:
        if self.inotify is None or self.task is None:
            return
        self.inotify.close()
        await self.task
        self.inotify = self.task = None

    async def _follow(self, inotify: Inotify) -> None:
        async for event in inotify:
            for name in os.listdir(self.directory) if event.is_overflow else [event.name]:
                self.seen(name)
