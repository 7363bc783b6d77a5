"""inotify(7) on the event loop: an async iterator of events.

The kernel's queue (16,384 events by default) is the only buffer: while nobody iterates, nothing is read.  When it runs over, the
iterator gives an event with `is_overflow`: look at the directory again.
"""

import asyncio
import ctypes
import os
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from wharfd.sys.libc import LIBC, check

IN_ACCESS = 0x1
IN_MODIFY = 0x2
IN_ATTRIB = 0x4
IN_CLOSE_WRITE = 0x8
IN_CLOSE_NOWRITE = 0x10
IN_OPEN = 0x20
IN_MOVED_FROM = 0x40
IN_MOVED_TO = 0x80
IN_CREATE = 0x100
IN_DELETE = 0x200
IN_DELETE_SELF = 0x400
IN_MOVE_SELF = 0x800
IN_Q_OVERFLOW = 0x4000
IN_IGNORED = 0x8000
IN_ONLYDIR = 0x1000000
IN_ONESHOT = 0x80000000

_HEAD = struct.Struct("=iIII")

_add_watch = LIBC.inotify_add_watch
_add_watch.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32]


@dataclass(frozen=True, slots=True)
class Event:
    """One event.  `watch` is what `add_watch` gave (-1 on overflow); `name` is the entry in a watched directory, else empty."""

    watch: int
    mask: int
    cookie: int
    name: str

    @property
    def is_overflow(self) -> bool:
        """Events were lost."""
        return bool(self.mask & IN_Q_OVERFLOW)

    @property
    def is_watch_gone(self) -> bool:
        """The watch ended: removed, or its object was deleted or unmounted."""
        return bool(self.mask & IN_IGNORED)


def parse_events(data: bytes) -> list[Event]:
    """The events of one read, which the kernel never cuts."""
    events: list[Event] = []
    at = 0
    while at < len(data):
        watch, mask, cookie, length = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        events.append(Event(watch, mask, cookie, os.fsdecode(data[at : at + length].rstrip(b"\0"))))
        at += length
    return events


class Inotify:
    """One inotify instance.  One iterator at a time, or one listener; `close` ends both."""

    def __init__(self) -> None:
        self._fd = check(LIBC.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC), "inotify_init1")
        self._events: deque[Event] = deque()
        self._readable: asyncio.Future[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def add_watch(self, path: str, mask: int) -> int:
        """Watch `path`; a second call for the same object replaces its mask and gives the same number."""
        return check(_add_watch(self._fd, os.fsencode(path), mask), "inotify_add_watch", path)

    def rm_watch(self, watch: int) -> None:
        check(LIBC.inotify_rm_watch(self._fd, watch), "inotify_rm_watch")

    def listen(self, handle: Callable[[Event], None]) -> None:
        """Call `handle` on the running loop for each event, instead of iterating."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._fd, self._deliver, handle)

    def _deliver(self, handle: Callable[[Event], None]) -> None:
        try:
            events = parse_events(os.read(self._fd, 65536))
        except BlockingIOError:
            return
        for event in events:
            handle(event)

    def close(self) -> None:
        """Release the descriptor; a waiting iterator ends.  May be called twice."""
        if self._fd >= 0:
            if self._loop is not None:
                self._loop.remove_reader(self._fd)
            if self._readable is not None:
                self._readable.get_loop().remove_reader(self._fd)
                if not self._readable.done():
                    self._readable.set_result(None)
            os.close(self._fd)
            self._fd = -1

    def __aiter__(self) -> "Inotify":
        return self

    async def __anext__(self) -> Event:
        while not self._events:
            if self._fd < 0:
                raise StopAsyncIteration
            try:
                self._events.extend(parse_events(os.read(self._fd, 65536)))
            except BlockingIOError:
                await self._wait_readable()
        return self._events.popleft()

    async def _wait_readable(self) -> None:
        loop = asyncio.get_running_loop()
        self._readable = loop.create_future()
        loop.add_reader(self._fd, self._on_readable)
        try:
            await self._readable
        finally:
            if self._fd >= 0:
                loop.remove_reader(self._fd)
            self._readable = None

    def _on_readable(self) -> None:
        if self._readable is not None and not self._readable.done():
            self._readable.set_result(None)
