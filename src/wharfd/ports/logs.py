"""Port: reads what a container has written.  The monitor writes; this only reads (and follows)."""

from collections.abc import AsyncIterator
from typing import Protocol

import msgspec


class LogQuery(msgspec.Struct, frozen=True, kw_only=True):
    """`since_ns`/`until_ns` 0: no bound.  `tail` None: everything.  `framed`: 8-byte stream frames (no tty), else raw bytes.

    `prefix` is put before every line (the `details` of its attributes, already encoded, with its space).
    """

    stdout: bool
    stderr: bool
    since_ns: int = 0
    until_ns: int = 0
    tail: int | None = None
    timestamps: bool = False
    follow: bool = False
    framed: bool = True
    prefix: bytes = b""


class ContainerEnd(Protocol):
    """Tells a follower that no more will be written."""

    def is_over(self) -> bool: ...

    async def wait(self) -> None:
        """Returns when the container has exited (or is removed) and its log is complete."""


class LogDriver(Protocol):
    """One kind of log (`LogConfig.type`)."""

    def validate(self, options: dict[str, str]) -> None:
        """Raises InvalidParameter with Docker's text: `unknown log opt 'x' for json-file log driver`."""

    def path(self, container_dir: str, container_id: str) -> str:
        """Where the monitor shall write; empty if output is thrown away."""

    def read(self, path: str, query: LogQuery, end: ContainerEnd) -> AsyncIterator[bytes]:
        """Blocks ready to be sent.  Raises NotImplementedHere if this kind cannot be read
        (`configured logging driver does not support reading`)."""
