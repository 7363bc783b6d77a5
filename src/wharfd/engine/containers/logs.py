"""Read what a container has written, and follow it until the container stops.

No lock is taken.  A container that does not run has a log, too; following it ends at once.
"""

import logging
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

from wharfd.engine.containers.log_details import details_prefix
from wharfd.engine.containers.waiters import Waiters, Waiting
from wharfd.engine.ledger import Ledger
from wharfd.model.container import ContainerRecord, State
from wharfd.model.errors import Conflict, EngineError, InvalidParameter, Unavailable
from wharfd.ports.logs import LogDriver, LogQuery
from wharfd.wire.stdcopy import Stream, frame

log = logging.getLogger(__name__)

# Docker: one that waits for its restart has no log to follow; the next run is another one.
WRITING = frozenset({State.STARTING, State.RUNNING, State.PAUSED})


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRequest:
    """What a client asks for.  `tail` None: everything; `since_ns`/`until_ns` 0: no bound."""

    stdout: bool
    stderr: bool
    since_ns: int = 0
    until_ns: int = 0
    tail: int | None = None
    timestamps: bool = False
    details: bool = False
    follow: bool = False


@dataclass(frozen=True, slots=True)
class ContainerLog:
    """`blocks` are frames if the container has no tty, else raw bytes.  Close the iterator."""

    has_tty: bool
    blocks: AsyncIterator[bytes]


class RunEnd:
    """`ContainerEnd` of the run that is going on; over at once if there is none."""

    def __init__(self, waiting: Waiting | None) -> None:
        self.waiting = waiting

    def is_over(self) -> bool:
        return self.waiting is None or self.waiting.outcome.done()

    def on_over(self, call: Callable[[], None]) -> None:
        if self.waiting is None:
            call()
        else:
            self.waiting.outcome.add_done_callback(lambda _: call())

    def close(self) -> None:
        if self.waiting is not None:
            self.waiting.close()


class Logs:
    def __init__(self, *, ledger: Ledger, waiters: Waiters, drivers: Mapping[str, LogDriver]) -> None:
        self.ledger = ledger
        self.waiters = waiters
        self.drivers = drivers

    def open(self, ref: str, request: LogRequest) -> ContainerLog:
        """What can be refused is refused here, before the first block is asked for.

        Raises:
            ContainerNotFound: it does not exist.
            InvalidParameter: neither stream is wanted.
            Conflict: it is being removed, or dead.
            NotImplementedHere: its kind of log cannot be read.
        """
        if not (request.stdout or request.stderr):
            raise InvalidParameter("You must choose at least one stream")
        record = self.ledger.container(ref)
        if record.state in {State.REMOVING, State.DEAD}:
            raise Conflict("can not get logs from container which is dead or marked for removal")
        log_config = record.host_config.log_config
        kind = log_config.type
        driver = self.drivers.get(kind)
        if driver is None:
            raise Unavailable(f"logger: no log driver named '{kind}' is registered")
        end = self.end_of(record)
        try:
            blocks = driver.read(record.log_path, log_config.config or {}, query_for(record, request), end)
        except EngineError:
            end.close()
            raise
        return ContainerLog(record.config.tty, Blocks(record, blocks, end))

    def end_of(self, record: ContainerRecord) -> RunEnd:
        return RunEnd(self.waiters.next_exit(record.id) if record.state in WRITING else None)


def query_for(record: ContainerRecord, request: LogRequest) -> LogQuery:
    return LogQuery(
        stdout=request.stdout,
        stderr=request.stderr,
        since_ns=request.since_ns,
        until_ns=request.until_ns,
        tail=request.tail,
        timestamps=request.timestamps,
        follow=request.follow and record.state in WRITING,
        framed=not record.config.tty,
        prefix=details_prefix(record) if request.details else b"",
    )


class Blocks:
    """The blocks; an error becomes the last one, and the registration is undone whether or not anything was read."""

    def __init__(self, record: ContainerRecord, blocks: AsyncIterator[bytes], end: RunEnd) -> None:
        self.record = record
        self.blocks = blocks
        self.end = end
        self.failed = False

    def __aiter__(self) -> "Blocks":
        return self

    async def __anext__(self) -> bytes:
        if self.failed:
            raise StopAsyncIteration
        try:
            return await anext(self.blocks)
        except EngineError as error:
            self.failed = True
            log.warning("container=%s logs failed error=%s", self.record.id, error)
            text = f"Error grabbing logs: {error}\n".encode()
            return text if self.record.config.tty else frame(Stream.SYSTEM_ERROR, text)

    async def aclose(self) -> None:
        self.end.close()
        close = getattr(self.blocks, "aclose", None)
        if close is not None:
            await close()
