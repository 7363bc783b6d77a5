"""Tells a full close by the peer from a half-close, on sockets that nobody reads.

A half-close (the peer shut its writing side) and a full close both end the input; only poll's HUP tells them apart, and the loop's
transports stop polling at the end of input.  One private epoll set per loop watches for HUP alone and is itself watched by the loop.

# Linux: an epoll registration with no events still reports EPOLLHUP and EPOLLERR; on a UNIX socket HUP means that both directions
# are shut, RDHUP that the peer's writing side is.
"""

import asyncio
import select
from collections.abc import Callable


class HangupWatch:
    """One-shot callbacks by file descriptor.  A descriptor must be forgotten before it is closed."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[], None]] = {}
        loop.add_reader(self._epoll.fileno(), self._wake)

    def watch(self, fd: int, callback: Callable[[], None]) -> None:
        """Call `callback` once, from the loop, when the peer has closed fully (at once if it has already)."""
        self._callbacks[fd] = callback
        self._epoll.register(fd, select.EPOLLONESHOT)

    def forget(self, fd: int) -> None:
        if self._callbacks.pop(fd, None) is not None:
            self._unregister(fd)

    def close(self) -> None:
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()
        self._callbacks.clear()

    def _wake(self) -> None:
        for fd, _ in self._epoll.poll(0):
            callback = self._callbacks.pop(fd, None)
            self._unregister(fd)
            if callback is not None:
                callback()

    def _unregister(self, fd: int) -> None:
        try:
            self._epoll.unregister(fd)
        except (OSError, ValueError):
            pass  # closed meanwhile: the kernel has dropped it by itself
