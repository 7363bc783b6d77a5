"""Processes by descriptor and start time."""

import os
import signal
import subprocess

import pytest

from wharfd.sys import pidfd


def test_start_time_is_that_of_proc_whatever_the_command_is_called() -> None:
    process = subprocess.Popen(
        ["/bin/sh", "-c", 'printf "a) S 1 (b" > /proc/$$/comm; echo; read x'], stdin=-1, stdout=-1
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        started = pidfd.process_start_time(process.pid)
        assert started is not None
        assert started >= (pidfd.process_start_time(os.getpid()) or 0)
        assert pidfd.parent_pid(process.pid) == os.getpid()
        assert pidfd.process_state(process.pid) in ("S", "R")
        fd = pidfd.open_verified(process.pid, started)
        assert fd is not None
        assert not os.get_inheritable(fd)
        assert pidfd.open_verified(process.pid, started + 1) is None
        pidfd.send_signal(fd, signal.SIGKILL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert pidfd.process_state(process.pid) == "Z"
        process.communicate()
        with pytest.raises(ProcessLookupError):
            pidfd.send_signal(fd, signal.SIGKILL)
        os.close(fd)
        assert pidfd.process_start_time(process.pid) is None
        assert pidfd.process_state(process.pid) is None
        assert pidfd.open_verified(process.pid, started) is None
        with pytest.raises(ProcessLookupError):
            pidfd.open_pidfd(process.pid)
    finally:
        process.kill()
        process.wait()


def test_a_dead_process_whose_session_lives_on_is_gone() -> None:
    # The child of a session leader keeps the leader's pid in use as the session's name.
    leader = subprocess.Popen(
        ["/bin/sh", "-c", "sleep 1000 & echo $!"], stdout=subprocess.PIPE, start_new_session=True, text=True
    )
    assert leader.stdout is not None
    child = int(leader.stdout.readline())
    try:
        leader.wait()
        assert pidfd.open_verified(leader.pid, 1) is None
        with pytest.raises(ProcessLookupError):
            pidfd.open_pidfd(leader.pid)
    finally:
        os.kill(child, signal.SIGKILL)
        leader.stdout.close()
