"""Lock files: one holder, named to the others, gone with its process."""

import os
import signal
import sys
from pathlib import Path

import pytest

from wharfd.sys.lockfile import AlreadyLocked, LockFile, NetworkLock, is_locked
from wharfd.sys.spawn import spawn


def test_second_holder_is_told_the_first(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    with LockFile.acquire(path) as lock:
        assert Path(path).read_text() == f"{os.getpid()}\n"
        with pytest.raises(AlreadyLocked, match=f"is locked by process {os.getpid()}") as held:
            LockFile.acquire(path)
        assert held.value.pid == os.getpid()
        lock.release()
        assert not Path(path).exists()
    LockFile.acquire(path).release()


def test_left_over_file_is_no_obstacle(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.write_text("999999999 and more than the new pid takes\n")
    with LockFile.acquire(str(path)):
        assert path.read_text() == f"{os.getpid()}\n"


def test_missing_directory(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        LockFile.acquire(str(tmp_path / "absent" / "lock"))


def test_refused_attempts_hold_no_descriptors(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    with LockFile.acquire(path):
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            with pytest.raises(AlreadyLocked):
                LockFile.acquire(path)
        assert len(os.listdir("/proc/self/fd")) == before


HOLDER = """
import sys
from wharfd.sys.lockfile import LockFile
lock = LockFile.acquire(sys.argv[1])
sys.stdout.write("held"); sys.stdout.flush()
sys.stdin.read()
"""


async def test_lock_ends_with_a_killed_process(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    in_read, in_write = os.pipe()
    out_read, out_write = os.pipe()
    process = spawn(
        [sys.executable, "-c", HOLDER, path],
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=in_read,
        stdout=out_write,
    )
    try:
        assert os.read(out_read, 4) == b"held"
        with pytest.raises(AlreadyLocked, match=f"process {process.pid}"):
            LockFile.acquire(path)
        process.kill(signal.SIGKILL)
        await process.wait()
        assert Path(path).exists()
        LockFile.acquire(path).release()
    finally:
        for fd in (in_read, in_write, out_read, out_write):
            os.close(fd)


def test_name_of_a_network_namespace_has_one_holder() -> None:
    name = f"wharfd/test/{os.getpid()}"
    lock = NetworkLock(name)
    with pytest.raises(AlreadyLocked, match=f"{name} is locked by another process"):
        NetworkLock(name)
    lock.release()
    NetworkLock(name).release()


def test_it_is_seen_from_outside_whether_a_file_is_locked(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    assert not is_locked(path)
    Path(path).touch()
    assert not is_locked(path)
    lock = LockFile.acquire(path)
    assert is_locked(path)
    lock.release()
    Path(path).touch()
    assert not is_locked(path)
