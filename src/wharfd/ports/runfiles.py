"""Port: what a step that runs a process needs beside its root: secrets, sockets, directories that steps share.

Secrets lie on a file system in memory that a reboot empties, for as long as the step runs.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol


class Connection(Protocol):
    """One that a process has made to a socket of the step."""

    async def read(self) -> bytes:
        """Empty at the end."""

    async def write(self, data: bytes) -> None: ...

    async def close(self) -> None: ...


Serve = Callable[[Connection], Awaitable[None]]


class RunFiles(Protocol):
    async def open(self, kept: Sequence[str]) -> None:
        """Drop everything of steps that an engine before this one began, and shared directories other than `kept`."""

    def secret(self, run_id: str, name: str, data: bytes, *, uid: int, gid: int, mode: int) -> str:
        """A file with it, on the host.  Takes less than a millisecond."""

    async def listen(self, run_id: str, name: str, serve: Serve, *, uid: int, gid: int, mode: int) -> str:
        """A socket, on the host.  `serve` is run for each connection, until `drop`."""

    async def drop(self, run_id: str) -> None:
        """Secrets and sockets of a step go.  Idempotent."""

    async def shared(self, name: str, *, uid: int, gid: int, mode: int) -> tuple[str, bool]:
        """A directory that steps share, on the host, and whether it is new."""

    async def size(self, name: str) -> int:
        """Bytes of the files in a shared directory; 0 if there is none."""

    async def remove(self, name: str) -> None:
        """A shared directory goes.  Idempotent."""
