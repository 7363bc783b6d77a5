"""Children by posix_spawn: descriptors, signals, statuses, short tools.  Needs no root."""

import asyncio
import os
import signal
import sys

import pytest

from wharfd.sys import memfd, pidfd
from wharfd.sys.posix_spawn import posix_spawn
from wharfd.sys.spawn import children, reap_strays, run, spawn, watch_exit

SH = "/bin/sh"


async def test_exit_code_and_signal() -> None:
    assert await spawn([SH, "-c", "exit 7"]).wait() == 7
    process = spawn([SH, "-c", "kill -TERM $$; sleep 60"])
    assert await process.wait() == -signal.SIGTERM
    assert process.pidfd == -1
    assert process.status == -signal.SIGTERM


async def test_kill_reaches_a_running_process_and_no_later_one() -> None:
    process = spawn(["/bin/sleep", "60"])
    assert process.status is None
    process.kill(signal.SIGKILL)
    assert await process.wait() == -signal.SIGKILL
    with pytest.raises(ProcessLookupError):
        process.kill()


async def test_several_may_wait_and_one_may_leave() -> None:
    process = spawn(["/bin/sleep", "60"])
    async with asyncio.TaskGroup() as group:
        leaving = group.create_task(process.wait())
        staying = group.create_task(process.wait())
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.wait([leaving])
        process.kill()
    assert leaving.cancelled()
    assert staying.result() == -signal.SIGKILL


async def test_missing_program_and_missing_directory() -> None:
    with pytest.raises(FileNotFoundError, match="/no/such/program"):
        spawn(["/no/such/program"])
    with pytest.raises(FileNotFoundError):
        spawn(["/bin/true"], cwd="/no/such/directory")
    with pytest.raises(ValueError, match="NUL"):
        spawn(["/bin/true", "a\0b"])


async def test_working_directory_and_environment() -> None:
    done = await run([SH, "-c", 'pwd; echo "$A"; env | wc -l'], timeout_s=10, env={"A": "b c"}, cwd="/proc/self/fd")
    lines = done.stdout.decode().split("\n")
    assert lines[0].startswith("/proc/")
    assert lines[1] == "b c"


async def test_child_has_the_descriptors_it_was_given_and_no_others() -> None:
    leaked = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(leaked, True)
    given = memfd.create("given", b"text")
    try:
        done = await run([SH, "-c", "ls /proc/$$/fd; cat <&7"], timeout_s=10, pass_fds={7: given}, env={})
    finally:
        os.close(leaked)
        os.close(given)
    # dash keeps a descriptor of its own for nothing here: 0, 1, 2 and the one passed.
    assert done.stdout.decode().split() == ["0", "1", "2", "7", "text"]


async def test_descriptors_may_trade_places() -> None:
    a, b = memfd.create("a", b"A"), memfd.create("b", b"B")
    try:
        done = await run(
            [SH, "-c", f"cat /proc/$$/fd/{b} /proc/$$/fd/{a}"], timeout_s=10, pass_fds={a: b, b: a, a + 100: a}
        )
        assert done.stdout == b"AB"
        same = await run([SH, "-c", f"cat /proc/$$/fd/{a}"], timeout_s=10, pass_fds={a: a})
        assert same.stdout == b"A"
        assert not os.get_inheritable(a)
    finally:
        os.close(a)
        os.close(b)


async def test_signal_dispositions_are_the_default_ones() -> None:
    # The interpreter ignores SIGPIPE; a child that kept that would see EPIPE where others die.
    # grep looks at itself: a shell that waits for its child blocks signals for a moment.
    done = await run(["/bin/grep", "-E", "^Sig(Ign|Blk)", "/proc/self/status"], timeout_s=10)
    assert [int(line.split()[1], 16) for line in done.stdout.splitlines()] == [0, 0]


async def test_new_session() -> None:
    done = await run([SH, "-c", "cut -d' ' -f6 /proc/self/stat"], timeout_s=10)
    assert int(done.stdout) == os.getsid(0)
    process = spawn(["/bin/sleep", "60"], new_session=True)
    assert os.getsid(process.pid) == process.pid
    process.kill()
    await process.wait()


async def test_run_collects_both_streams_or_merges_them() -> None:
    script = "cat; echo err >&2; exit 3"
    done = await run([SH, "-c", script], timeout_s=10, stdin=b"in\n")
    assert (done.returncode, done.stdout, done.stderr) == (3, b"in\n", b"err\n")
    merged = await run([SH, "-c", script], timeout_s=10, stdin=b"in\n", merge_stderr=True)
    assert (merged.stdout, merged.stderr) == (b"in\nerr\n", b"")


async def test_run_moves_much_and_stops_at_its_limit() -> None:
    data = os.urandom(3 << 20)
    assert (await run(["/bin/cat"], timeout_s=30, stdin=data)).stdout == data
    assert (await run(["/bin/cat"], timeout_s=30, stdin=data, output_limit_bytes=1000)).stdout == data[:1000]


async def test_run_does_not_wait_for_a_daemon_left_behind() -> None:
    done = await run([SH, "-c", "sleep 60 & echo $!"], timeout_s=10)
    os.kill(int(done.stdout), signal.SIGKILL)


async def test_run_kills_a_tool_that_takes_too_long() -> None:
    before = set(children())
    with pytest.raises(TimeoutError):
        await run(["/bin/sleep", "60"], timeout_s=0.05)
    assert set(children()) - before == set()


async def test_watch_exit_tells_a_recycled_pid() -> None:
    process = spawn(["/bin/sleep", "60"])
    started = pidfd.process_start_time(process.pid)
    assert started is not None
    with pytest.raises(ProcessLookupError):
        watch_exit(process.pid, start_time=started - 1)
    watch_exit(process.pid, start_time=started).close()
    process.kill()
    await process.wait()
    with pytest.raises(ProcessLookupError):
        watch_exit(process.pid)
    assert pidfd.process_start_time(process.pid) is None


def wait_until_dead(pid: int) -> None:
    """Blocks the loop on purpose: nobody is to reap meanwhile."""
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


async def test_reap_strays_leaves_watched_children_alone() -> None:
    watched = spawn([SH, "-c", "exit 5"])
    # one that no Watch knows of
    stray = posix_spawn([SH, "-c", "exit 9"], {}, {})
    for pid in (stray, watched.pid):
        wait_until_dead(pid)
    reaped = reap_strays()
    assert reaped[stray] == 9
    assert watched.pid not in reaped
    assert await watched.wait() == 5


SUBREAPER = """
import asyncio, sys
from wharfd.sys.posix_spawn import posix_spawn
from wharfd.sys.spawn import run, set_child_subreaper, watch_exit
async def main():
    set_child_subreaper()
    # a daemon as conmon makes one: its parent ends at once
    done = await run(["/bin/sh", "-c", "(read x <&3; exit 42) & echo $!"], timeout_s=10, pass_fds={3: int(sys.argv[1])})
    watch = watch_exit(int(done.stdout))
    sys.stdout.write("up\\n"); sys.stdout.flush()
    assert await watch.wait_status() == 42
asyncio.run(main())
"""


async def test_subreaper_gets_the_status_of_a_daemon() -> None:
    read_end, write_end = os.pipe()
    out_read, out_write = os.pipe()
    try:
        argv = [sys.executable, "-c", SUBREAPER, "7"]
        env = {"PYTHONPATH": os.pathsep.join(sys.path)}
        process = spawn(argv, env=env, pass_fds={7: read_end}, stdout=out_write, stderr=2)
        os.close(out_write)
        out_write = -1
        assert await asyncio.to_thread(os.read, out_read, 10) == b"up\n"
        os.write(write_end, b"go\n")
        assert await process.wait() == 0
    finally:
        for fd in (read_end, write_end, out_read, out_write):
            if fd >= 0:
                os.close(fd)


async def test_watch_of_a_process_that_is_not_our_child() -> None:
    # A grandchild: its status is not ours to have, its end is.
    done = await run([SH, "-c", "sleep 60 & echo $!"], timeout_s=10)
    pid = int(done.stdout)
    watch = watch_exit(pid)
    watch.kill(signal.SIGKILL)
    assert await watch.wait_status() is None
    assert watch.has_exited
