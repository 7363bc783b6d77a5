"""Child processes of the engine: started by posix_spawn, watched by pidfd, reaped one by one.

`spawn` starts a program, `run` runs a short tool to its end, `watch_exit` watches a process that something else started (conmon forks
twice; with `set_child_subreaper` it then becomes our child).  Nothing here calls waitpid(-1), which would steal others' statuses;
`reap_strays` takes only zombies that nobody watches.

All functions are for the thread of the running event loop.
"""

import asyncio
import ctypes
import os
import signal
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from wharfd.sys import memfd, pidfd
from wharfd.sys.libc import LIBC, check
from wharfd.sys.posix_spawn import posix_spawn

_PR_SET_CHILD_SUBREAPER = 36

_watched: set[int] = set()


class Watch:
    """A process whose end is awaited.  Made by `watch_exit`; `close` it when the end no longer matters."""

    def __init__(self, pid: int, fd: int) -> None:
        self.pid = pid
        self._fd = fd
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[int | None] = self._loop.create_future()
        _watched.add(pid)
        self._loop.add_reader(fd, self._on_exit)

    @property
    def pidfd(self) -> int:
        """The pidfd; -1 once the exit has been seen."""
        return self._fd

    @property
    def has_exited(self) -> bool:
        return self._ended.done()

    @property
    def status(self) -> int | None:
        """The exit code or the negative signal number; None while running, and when another process reaped it."""
        return self._ended.result() if self._ended.done() and not self._ended.cancelled() else None

    async def wait_status(self) -> int | None:
        """As `status`, after the exit.  May be awaited by several; cancelling one leaves the others alone."""
        return await asyncio.shield(self._ended)

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal; ProcessLookupError when the exit has been seen already."""
        if self._fd < 0:
            raise ProcessLookupError(f"process {self.pid} has exited")
        pidfd.send_signal(self._fd, number)

    def close(self) -> None:
        """Stop watching; the process goes on.  Waiters are cancelled.  A no-op after the exit."""
        self._release()
        self._ended.cancel()

    def _on_exit(self) -> None:
        try:
            result = os.waitid(os.P_PIDFD, self._fd, os.WEXITED | os.WNOHANG)
        except ChildProcessError:
            status = None  # not our child, or reaped elsewhere: only the fact is known
        else:
            if result is None:
                return
            status = result.si_status if result.si_code == os.CLD_EXITED else -result.si_status
        self._release()
        if not self._ended.done():
            self._ended.set_result(status)

    def _release(self) -> None:
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1
            _watched.discard(self.pid)


class Process(Watch):
    """A child made by `spawn`."""

    async def wait(self) -> int:
        """The exit code, or the negative number of the signal that ended it."""
        status = await self.wait_status()
        if status is None:
            # Somebody set SIGCHLD to be ignored, or reaped our child behind our back.
            raise ChildProcessError(f"the exit status of process {self.pid} was taken by someone else")
        return status


@dataclass(frozen=True, slots=True)
class Completed:
    """A tool that has ended.  `stderr` is empty when it was merged into `stdout`."""

    returncode: int
    stdout: bytes
    stderr: bytes


def spawn(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: str | None = None,
    stdin: int | None = None,
    stdout: int | None = None,
    stderr: int | None = None,
    pass_fds: Mapping[int, int] | None = None,
    new_session: bool = False,
) -> Process:
    """Start a program; blocks for its exec only (0.3 to 1 ms).

    `argv[0]` is a path: PATH is not searched.  `env` None gives our own environment.  `stdin`, `stdout`, `stderr` are descriptors of
    ours (None: /dev/null), `pass_fds` maps further descriptors of the child to ours.  Everything else is closed in the child.

    Raises:
        OSError: the program could not be started (errno of the exec or of `cwd`).
    """
    fds: dict[int, int | None] = {0: stdin, 1: stdout, 2: stderr}
    if pass_fds:
        fds.update(pass_fds)
    pid = posix_spawn(argv, os.environ if env is None else env, fds, cwd=cwd, new_session=new_session)
    # An unreaped child keeps its pid, so this cannot meet another process.
    return Process(pid, os.pidfd_open(pid))


async def run(
    argv: Sequence[str],
    *,
    timeout_s: float,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    cwd: str | None = None,
    merge_stderr: bool = False,
    pass_fds: Mapping[int, int] | None = None,
    output_limit_bytes: int = 16 << 20,
) -> Completed:
    """Run a short tool to its end and collect what it wrote, at most `output_limit_bytes` of each stream.

    Input and output are memory files and not pipes: nothing is to be pumped, and a daemon that the tool leaves behind with its
    stderr (crun's container init does so) does not hold the caller up.

    Raises:
        TimeoutError: it was killed after `timeout_s`.  A cancelled call kills it too.
        OSError: it could not be started.
    """
    opened: list[int] = []
    try:
        source = None
        if stdin:
            source = memfd.create("stdin", stdin)
            opened.append(source)
        out = memfd.create("stdout")
        opened.append(out)
        err = out
        if not merge_stderr:
            err = memfd.create("stderr")
            opened.append(err)
        process = spawn(argv, env=env, cwd=cwd, stdin=source, stdout=out, stderr=err, pass_fds=pass_fds)
        try:
            async with asyncio.timeout(timeout_s):
                returncode = await process.wait()
        except BaseException:
            await _kill_and_reap(process)
            raise
        output = memfd.read_all(out, output_limit_bytes)
        errors = b"" if merge_stderr else memfd.read_all(err, output_limit_bytes)
        return Completed(returncode, output, errors)
    finally:
        for fd in opened:
            os.close(fd)


async def _kill_and_reap(process: Process) -> None:
    if process.has_exited:
        return
    process.kill()
    while not process.has_exited:
        try:
            await process.wait_status()
        except asyncio.CancelledError:
            continue  # a killed process ends at once; leaving now would leave a zombie


def watch_exit(pid: int, *, start_time: int | None = None) -> Watch:
    """Watch a process that we did not spawn; its status is known only if it is our child (see `set_child_subreaper`).

    With `start_time` (of `pidfd.process_start_time`) a recycled pid is told from the recorded process.

    Raises:
        ProcessLookupError: there is no such process, or it is another one.
    """
    fd = pidfd.open_pidfd(pid) if start_time is None else pidfd.open_verified(pid, start_time)
    if fd is None:
        raise ProcessLookupError(f"process {pid} is no longer the one recorded")
    return Watch(pid, fd)


def set_child_subreaper(*, wanted: bool = True) -> None:
    """Make orphaned descendants our children instead of init's (or leave them to it again).  Main thread only.

    SIGCHLD is set back to its default in case it was inherited as ignored: the kernel would drop the statuses.
    """
    if signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    unsigned = ctypes.c_ulong
    check(
        LIBC.prctl(_PR_SET_CHILD_SUBREAPER, unsigned(wanted), unsigned(0), unsigned(0), unsigned(0)), "prctl subreaper"
    )


def children(pid: int | None = None) -> list[int]:
    """The pids of the children of a process (ours by default), zombies included."""
    name = "self" if pid is None else str(pid)
    found: list[int] = []
    for task in os.listdir(f"/proc/{name}/task"):
        try:
            with open(f"/proc/{name}/task/{task}/children", "rb") as f:
                found += map(int, f.read().split())
        except (FileNotFoundError, ProcessLookupError):
            continue  # the thread ended meanwhile
    return found


def unwatched(pids: Iterable[int]) -> list[int]:
    """Those that no `Watch` is for."""
    return [pid for pid in pids if pid not in _watched]


def reap_strays() -> dict[int, int]:
    """Reap the dead children that nobody watches (daemonised helpers' leftovers); pid -> status.  Cheap; call it now and then."""
    reaped: dict[int, int] = {}
    for pid in children():
        if pid in _watched:
            continue
        try:
            result = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG)
        except ChildProcessError:
            continue
        if result is not None:
            reaped[pid] = result.si_status if result.si_code == os.CLD_EXITED else -result.si_status
    return reaped
