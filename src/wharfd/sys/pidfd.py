"""Processes by file descriptor, and the start time that tells a recorded pid from a recycled one."""

import errno
import os
import signal

from wharfd.sys.libc import os_error


def open_pidfd(pid: int) -> int:
    """A close-on-exec pidfd; ProcessLookupError when there is no such process."""
    try:
        return os.pidfd_open(pid)
    except OSError as e:
        # Linux: before 6.15, of a process that is gone while its pid is still the name of a session or process group.
        if e.errno != errno.EINVAL or pid <= 0:
            raise
        raise os_error(errno.ESRCH, "pidfd_open", str(pid)) from e


def open_verified(pid: int, start_time: int) -> int | None:
    """A pidfd for the process that had `pid` and began at `start_time` (of `process_start_time`); None when it is gone."""
    try:
        fd = open_pidfd(pid)
    except ProcessLookupError:
        return None
    # Compared after the open: the descriptor is bound to one process, and what /proc shows now is that one or a later one.
    if process_start_time(pid) != start_time:
        os.close(fd)
        return None
    return fd


def send_signal(pidfd: int, number: int) -> None:
    """ProcessLookupError when the process has been reaped."""
    signal.pidfd_send_signal(pidfd, number)


def process_start_time(pid: int) -> int | None:
    """Clock ticks between boot and the start of process `pid`; None when there is none.  Unique together with the pid in a boot."""
    fields = _stat_fields(pid)
    return int(fields[19]) if fields else None


def process_state(pid: int) -> str | None:
    """The state letter of /proc/PID/stat ("R", "S", "Z" …); None when there is no such process."""
    fields = _stat_fields(pid)
    return fields[0].decode() if fields else None


def parent_pid(pid: int) -> int | None:
    """The parent's pid; None when there is no such process."""
    fields = _stat_fields(pid)
    return int(fields[1]) if fields else None


def _stat_fields(pid: int) -> list[bytes] | None:
    """The fields of /proc/PID/stat from the third (state) on."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as f:
            text = f.read()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the command in brackets and may itself hold brackets and spaces.
    return text[text.rindex(b")") + 2 :].split()
