"""Port: reads what a container has written.  The monitor writes; this only reads (and follows)."""

from collections.abc import AsyncIterator, Callable
from typing import Protocol

import msgspec

from wharfd.model.ids import ContainerId


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


class LogSubject(msgspec.Struct, frozen=True, kw_only=True):
    """Whose log it is.

    `attributes`: the labels and variables that its options ask for, by their own names.  `tag` empty: none was asked for.  `path`: of the
    monitor's file.
    """

    container_id: ContainerId
    name: str
    image_id: str
    image_name: str
    command: str
    created_ns: int
    hostname: str  # the host's
    path: str
    options: dict[str, str]
    attributes: dict[str, str] = {}
    tag: str = ""


class ReopenLog(Protocol):
    """`RuntimeDriver.reopen_log` of one container."""

    async def __call__(self, path: str, renamed_to: str, *, is_told: bool | None) -> bool: ...


class LogDriver(Protocol):
    """One kind of log (`LogConfig.type`)."""

    def validate(self, options: dict[str, str]) -> None:
        """Raises InvalidParameter with Docker's text: `unknown log opt 'x' for json-file log driver`."""

    def path(self, container_dir: str, container_id: str) -> str:
        """Where the monitor shall write; empty if output is thrown away."""

    def begin(self, path: str, options: dict[str, str]) -> None:
        """Called before each start: closes a line that the run before has left without a newline, lest the next one go on with it.

        Takes less than a millisecond.  Nothing there: nothing to do.

        Raises:
            Internal, InvalidParameter: such a log cannot be kept on this host; the container is not to start.
        """

    async def attend(self, subject: LogSubject, end: ContainerEnd, reopen: ReopenLog) -> None:
        """Look after the log while its container runs: rotate it, and send its lines to where they are to go.

        Returns when nothing is left to do: the container has ended, and everything is sent.  Called for a container that runs, and for one
        that has ended when an engine comes up; repeatable, and goes on from where the last call was cancelled or its engine died.  Whatever
        goes wrong is logged and tried again; nothing that is slow or dead holds up the container.
        """

    def read(self, path: str, options: dict[str, str], query: LogQuery, end: ContainerEnd) -> AsyncIterator[bytes]:
        """Blocks ready to be sent.  The iterator holds files: close it.

        A line that has no end yet is held back until it has, or until the container is over; then it comes without a newline.
        `tail` counts lines of both streams, before `since` and the choice of streams.  Without `follow`, what is written after this
        call is left out.

        Raises:
            NotImplementedHere: this kind cannot be read (`configured logging driver does not support reading`).
        """
