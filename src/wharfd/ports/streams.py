"""Ports: a container's standard streams while it runs, its terminal's size, and further processes in it (exec).

Bytes come in the order in which they were written to each stream; nothing is said of the order between stdout and stderr.  A terminal's
output is all stdout.  Who does not read holds up whoever writes, as with a pipe: it is for the engine to see that nobody waits for long.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec

from wharfd.model.ids import ContainerId
from wharfd.wire.userdb import ResolvedUser


class Output(NamedTuple):
    """`stream` 1 is stdout, 2 stderr (`wire.stdcopy.Stream`)."""

    stream: int
    data: bytes


class Stdio(Protocol):
    """Both ends of a process's streams."""

    async def read(self) -> Sequence[Output]:
        """What has been written; empty when no more will come.  One reader at a time; a cancelled read loses nothing."""

    async def write(self, data: bytes) -> bool:
        """To its standard input; waits while the process does not read.  False: nobody will read it.  One writer at a time."""

    def close_stdin(self) -> None:
        """The process reads to the end of input.  Of a terminal, and of a stdin that is to stay open: nothing happens."""

    def close(self) -> None:
        """Let go; the process goes on.  Idempotent."""


class AttachedStdio(Stdio, Protocol):
    """Of a container's first process, by way of its monitor, which goes on writing the log meanwhile."""

    async def wait_process_end(self) -> None:
        """Returns when the process has ended.

        The monitor, too, waits for a reader: it tells of the exit only after everything was taken that the process wrote.
        """


class StdioDriver(Protocol):
    async def attach(self, container_id: ContainerId) -> AttachedStdio:
        """To a container that is created or runs; all that it writes from now on is read.  Raises Conflict if it does not run.

        Of a container with `stdin_once` and without a terminal, the standard input is closed by `close`, too.
        """

    async def resize(self, container_id: ContainerId, *, height: int, width: int) -> None:
        """Set its terminal's size in characters.  Raises Conflict if it does not run.  Only for containers with a terminal."""


class ExecRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A process to be run in a container.

    Limits, profiles, labels and capabilities are those of the container's first process; `capabilities`, if not None, take the latter's
    place.  `user` None and `cwd` empty: as the first process.  Streams that are not asked for lead nowhere.
    """

    args: list[str]
    env: list[str]
    cwd: str = ""
    user: ResolvedUser | None = None
    capabilities: list[str] | None = None
    terminal: bool = False
    console_size: tuple[int, int] | None = None  # height, width
    stdin: bool = False
    stdout: bool = False
    stderr: bool = False


class ExecProcess(Stdio, Protocol):
    """A process that runs, or has run."""

    @property
    def pid(self) -> int: ...

    async def wait(self) -> int:
        """Its exit code (128 and the number of the signal that ended it).  May be awaited by several."""

    def resize(self, *, height: int, width: int) -> None:
        """Its terminal's size in characters; without a terminal nothing happens."""

    def kill(self) -> None:
        """End it, and what it has started, as far as that is still in its process group.  It is over already: nothing happens."""

    async def wait_output_end(self) -> None:
        """Returns when all of its output was read, and nobody is left who could write more."""


class ExecDriver(Protocol):
    async def exec(self, container_id: ContainerId, request: ExecRequest) -> ExecProcess:
        """Run a process in the container's namespaces and cgroup.  It goes on when the engine ends.

        Raises:
            Conflict: the container does not run.
            StartFailed: with Docker's text (`OCI runtime exec failed: …`) and exit code (126, 127, 128); nothing runs then.
        """
