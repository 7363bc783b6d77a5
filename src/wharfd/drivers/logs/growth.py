"""Wakes those who follow a file when it grows, is renamed, or another one takes its place.

One inotify instance for all: the kernel allows a user 128 of them, and there may be more followers.
"""

import asyncio
import os

from wharfd.model.errors import Unavailable
from wharfd.sys import inotify
from wharfd.sys.inotify import Event, Inotify

OF_FILE = inotify.IN_MODIFY | inotify.IN_ATTRIB | inotify.IN_MOVE_SELF | inotify.IN_DELETE_SELF
OF_FOLDER = inotify.IN_CREATE | inotify.IN_MOVED_TO


class Follower:
    """Wakes at anything that happens to the file.  `close` it."""

    def __init__(self, growth: "Growth", path: str) -> None:
        self.growth = growth
        self.path = path
        self.woken = asyncio.Event()
        self.watches: set[int] = set()

    def look(self) -> None:
        """Watch the file that has the name now (another one than before?)."""
        self.growth.add(self, self.path, OF_FILE)

    def wake(self) -> None:
        self.woken.set()

    async def wait(self) -> None:
        """Returns at the first wake since the last return."""
        await self.woken.wait()
        self.woken.clear()

    def close(self) -> None:
        self.growth.remove(self)


class Growth:
    """Of one loop."""

    def __init__(self) -> None:
        self.inotify: Inotify | None = None
        self.followers: dict[int, set[Follower]] = {}  # by watch
        self.open_followers: set[Follower] = set()

    def follow(self, path: str) -> Follower:
        """Everything from now on wakes the follower.

        Raises:
            Unavailable: the kernel gives no more watches.
        """
        if self.inotify is None:
            try:
                self.inotify = Inotify()
            except OSError as e:
                raise Unavailable(f"cannot watch files: {e.strerror} (fs.inotify.max_user_instances)") from e
            self.inotify.listen(self.hear)
        follower = Follower(self, path)
        self.open_followers.add(follower)
        try:
            self.add(follower, os.path.dirname(path) or ".", OF_FOLDER)
            follower.look()
        except BaseException:
            follower.close()
            raise
        return follower

    def add(self, follower: Follower, path: str, mask: int) -> None:
        assert self.inotify is not None
        try:
            watch = self.inotify.add_watch(path, mask)
        except FileNotFoundError:
            return
        except OSError as e:
            raise Unavailable(f"cannot watch {path}: {e.strerror} (fs.inotify.max_user_watches)") from e
        follower.watches.add(watch)
        self.followers.setdefault(watch, set()).add(follower)

    def remove(self, follower: Follower) -> None:
        for watch in follower.watches:
            others = self.followers.get(watch)
            if others is None:
                continue
            others.discard(follower)
            if not others:
                del self.followers[watch]
                self.drop(watch)
        follower.watches.clear()
        self.open_followers.discard(follower)
        if not self.open_followers and self.inotify is not None:
            self.inotify.close()
            self.inotify = None

    def drop(self, watch: int) -> None:
        assert self.inotify is not None
        try:
            self.inotify.rm_watch(watch)
        except OSError:
            pass  # the file is gone, and its watch with it

    def hear(self, event: Event) -> None:
        woken = set(self.open_followers) if event.is_overflow else self.followers.get(event.watch, set())
        for follower in list(woken):
            follower.wake()
        if event.is_watch_gone:
            for follower in self.followers.pop(event.watch, set()):
                follower.watches.discard(event.watch)
