"""Has a monitor begin a new log file, after the old one was renamed: `2 0 0` on its fifo `ctl`.

conmon then makes a new file and renames it to the log's path, over whatever is there.  So the message must never be sent twice for one
renaming, since what was written in between would be lost; not even by an engine whose forerunner may have sent it and died.  Such a
one sends it only when it has seen that no message is on its way: the path is missing, the fifo is empty, and after that

- the monitor sleeps (while it obeys a message it does not: that takes three calls of the kernel), or
- the old file has grown (what comes behind a message goes to the new one).
"""

import asyncio
import errno
import fcntl
import os
import select
import struct
import termios

from wharfd.drivers.runtime.placement import Placement
from wharfd.model.errors import Conflict, Internal
from wharfd.sys import pidfd

CONTROL_FIFO = "ctl"
REOPEN = b"2 0 0\n"
FIRST_TURN_S = 0.001
LONGEST_TURN_S = 0.05
PATIENCE_S = 5.0


async def reopen_log(placement: Placement, path: str, renamed_to: str, *, is_told: bool | None) -> bool:
    """True when the monitor writes a new file at `path`; False if it is too busy (it blocks on a client): to be asked again later.

    `is_told`: whether the message was sent already; None: that is not known.

    Raises:
        Conflict: the monitor is gone.
        Internal: its fifo cannot be written.
    """
    if os.path.exists(path):
        return True
    fifo = _open(placement)
    try:
        return await _reopen(placement, path, renamed_to, fifo, is_told)
    finally:
        os.close(fifo)


async def _reopen(placement: Placement, path: str, renamed_to: str, fifo: int, is_told: bool | None) -> bool:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE_S
    turn_s = FIRST_TURN_S
    size = -1  # of the old file, at a time when no message was on its way
    while True:
        if is_told is None and unread(fifo) == 0:
            # In this order.
            is_idle = pidfd.process_state(placement.monitor_pid) == "S" or -1 < size < _size(renamed_to)
            if is_idle and not os.path.exists(path):
                is_told = False
            elif size < 0:
                size = _size(renamed_to)
        if os.path.exists(path):
            return True
        if not is_read(fifo):
            raise Conflict(f"container {placement.container_id} is not running")
        if is_told is False:
            try:
                os.write(fifo, REOPEN)
            except BrokenPipeError as e:
                raise Conflict(f"container {placement.container_id} is not running") from e
            is_told = True
        elif loop.time() > deadline:
            return False
        await asyncio.sleep(turn_s)
        turn_s = min(2 * turn_s, LONGEST_TURN_S)


def _size(path: str) -> int:
    """-1: it is not there."""
    try:
        return os.stat(path).st_size
    except OSError:
        return -1


def _open(placement: Placement) -> int:
    try:
        return os.open(f"{placement.bundle}/{CONTROL_FIFO}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as e:
        if e.errno in (errno.ENXIO, errno.ENOENT, errno.ENOTDIR):
            raise Conflict(f"container {placement.container_id} is not running") from e
        raise Internal(f"the monitor of container {placement.container_id} cannot be told: {e}") from e


def is_read(fifo: int) -> bool:
    """Somebody has its reading end open."""
    # Linux: poll(2), POLLERR on a writing end whose readers are gone.
    poll = select.poll()
    poll.register(fifo, 0)
    return not poll.poll(0)


def unread(fifo: int) -> int:
    """Bytes in it."""
    count: int = struct.unpack("i", fcntl.ioctl(fifo, termios.FIONREAD, bytes(4)))[0]
    return count
