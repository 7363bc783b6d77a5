"""Port: reads what a container has written.  The monitor writes; this only reads (and follows)."""

from collections.abc import AsyncIterator, Callable
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
    """Tells a reader that no more will be written: the container has exited (or never ran) and its log is complete."""

    def is_over(self) -> bool: ...

    def on_over(self, call: Callable[[], None]) -> None:
        """`call` runs on the loop when it is over, once; also if it is so already."""


class LogDriver(Protocol):
    """One kind of log (`LogConfig.type`)."""

    def validate(self, options: dict[str, str]) -> None:
        """Raises InvalidParameter with Docker's text: `unknown log opt 'x' for json-file log driver`."""

    def path(self, container_dir: str, container_id: str) -> str:
        """Where the monitor shall write; empty if output is thrown away."""

    def begin(self, path: str) -> None:
        """Called before each start: closes a line that the run before has left without a newline, lest the next one go on with it.

        Takes less than a millisecond.  Nothing there: nothing to do.
        """

    def read(self, path: str, query: LogQuery, end: ContainerEnd) -> AsyncIterator[bytes]:
        """Blocks ready to be sent.  The iterator holds files: close it.

        A line that has no end yet is held back until it has, or until the container is over; then it comes without a newline.
        `tail` counts lines of both streams, before `since` and the choice of streams.  Without `follow`, what is written after this
        call is left out.

        Raises:
            NotImplementedHere: this kind cannot be read (`configured logging driver does not support reading`).
        """
