"""Tells when a file that lay still is written again: one notice, and no cost while it is written or lies still.

One inotify instance for all logs; not that of `growth`, since an instance has one watch a file.
"""

import asyncio
from collections import defaultdict

from wharfd.model.errors import Unavailable
from wharfd.sys import inotify
from wharfd.sys.inotify import Event, Inotify

ONCE = inotify.IN_MODIFY | inotify.IN_ATTRIB | inotify.IN_MOVE_SELF | inotify.IN_ONESHOT


class Stirring:
    """Of one loop."""

    def __init__(self) -> None:
        self.inotify: Inotify | None = None
        self.waiting: dict[int, set[asyncio.Event]] = defaultdict(set)  # by watch
        self.places = 0  # kept by those who wait: without any the instance is closed

    def open(self) -> None:
        if self.inotify is None:
            try:
                self.inotify = Inotify()
            except OSError as e:
                raise Unavailable(f"cannot watch files: {e.strerror} (fs.inotify.max_user_instances)") from e
            self.inotify.listen(self.hear)
        self.places += 1

    def close(self) -> None:
        self.places -= 1
        if self.places == 0 and self.inotify is not None:
            self.inotify.close()
            self.inotify = None
            self.waiting.clear()

    def arm(self, path: str, woken: asyncio.Event) -> bool:
        """Set `woken` at the next thing that happens to the file.  False: it is not there, or cannot be watched."""
        assert self.inotify is not None
        try:
            watch = self.inotify.add_watch(path, ONCE)
        except OSError:
            return False
        self.waiting[watch].add(woken)
        return True

    def disarm(self, woken: asyncio.Event) -> None:
        for watch in [watch for watch, waiting in self.waiting.items() if woken in waiting]:
            self.waiting[watch].discard(woken)
            if not self.waiting[watch]:
                del self.waiting[watch]
                if self.inotify is not None:
                    try:
                        self.inotify.rm_watch(watch)
                    except OSError:
                        pass  # it has just gone off

    def hear(self, event: Event) -> None:
        watches = list(self.waiting) if event.is_overflow else [event.watch]
        for watch in watches:
            for woken in self.waiting.pop(watch, ()):
                woken.set()
