"""Lets threads come to their turn while the loop is busy.

A thread that wants the interpreter's lock waits until it is given up.  A busy loop gives it up often, around its system calls, but for
microseconds: less than the waiting thread needs to wake, which finds the lock taken again.  Since the lock *was* free, the interpreter
does not ask the loop to step aside either (it does so only after 5 ms without any change).  Measured with callbacks of 200 µs one after
the other: a thread's job of 0.1 ms took up to several seconds.

So while jobs are under way the loop sleeps for a moment every few milliseconds.  An idle loop never comes to that.
"""

import asyncio
import time
import weakref

EVERY_S = 0.001
NAP_S = 0.00005  # long enough for a thread to wake and take the lock


class Breather:
    """Of one loop (`breather_of`).  `begin` when a job is given to a thread, `end` when the loop has heard of its end."""

    def __init__(self) -> None:
        self.jobs = 0
        self.timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        self.jobs += 1
        if self.timer is None:
            self.timer = asyncio.get_running_loop().call_later(EVERY_S, self.breathe)

    def end(self) -> None:
        self.jobs -= 1

    def breathe(self) -> None:
        self.timer = None
        if self.jobs > 0:
            time.sleep(NAP_S)
            self.timer = asyncio.get_running_loop().call_later(EVERY_S, self.breathe)


# A breather does not hold its loop: it would keep it alive.
breathers: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Breather]" = weakref.WeakKeyDictionary()


def breather_of(loop: asyncio.AbstractEventLoop) -> Breather:
    """The one of this loop, for all that give it threads' work to wait for."""
    breather = breathers.get(loop)
    if breather is None:
        breather = breathers[loop] = Breather()
    return breather
