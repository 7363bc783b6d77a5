"""The store: who writes when, and what is waited for.

A commit is written where it is made, on the loop, since that takes about 20 µs; through a thread it takes five times as long when the
loop is idle and has no bound when the loop is not, because a thread that wants the interpreter's lock loses it to a loop that gives it
up for microseconds only (docs/adr/0002).  What can take long never runs on the loop:

- the sync of a durable commit and the reading of events (worker `disk`),
- checkpoints, with the first write after one, which syncs the log's head (worker `writer`),
- all writes for a while, once one has been slow: the disk is congested (worker `writer`).

On a full disk a reserve is given up, so that containers, images and volumes can be removed, and the engine can start.

While worker `writer` is busy, commits queue behind it and go into one transaction; so their order is kept.
"""

import asyncio
import contextlib
import fcntl
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from wharfd.drivers.records.sqlite import documents, schema
from wharfd.drivers.records.sqlite.documents import Statement
from wharfd.drivers.records.sqlite.reserve import Reserve
from wharfd.drivers.records.sqlite.worker import Worker
from wharfd.model.errors import Internal, Unavailable
from wharfd.model.event import Event
from wharfd.ports.records import Deletion, Record, Snapshot
from wharfd.sys import clock

log = logging.getLogger(__name__)

KEEP_EVENTS = 100_000
KEEP_EVENTS_NS = 30 * 24 * 3600 * 10**9
LOOK_EVERY = 256  # statements between two looks at the log's length and the history's
CHECKPOINT_BYTES = 4 << 20  # size of the log that asks for a checkpoint
SLOW_S = 0.005  # a write that took longer sends the next ones to the worker …
SLOW_FOR_S = 5.0  # … for this long
LOOK_EVERY_WHEN_FULL = 16
RESERVE_BYTES = 16 << 20
FOREVER_NS = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Transaction:
    """What one call of `commit` or `post` asks for; `done` is None if nobody waits."""

    statements: list[Statement]
    done: asyncio.Future[None] | None = None


class SqliteRecords:
    """Port `records`.  `now_ns` is the wall clock (for the age of events)."""

    def __init__(
        self,
        path: str,
        *,
        now_ns: Callable[[], int] = clock.now_ns,
        keep_events: int = KEEP_EVENTS,
        keep_events_ns: int = KEEP_EVENTS_NS,
        schema_number: int = schema.SCHEMA,
        steps: Sequence[schema.Step] = schema.STEPS,
    ) -> None:
        self.path = path
        self.now_ns = now_ns
        self.keep_events = keep_events
        self.keep_events_ns = keep_events_ns
        self.schema_number = schema_number
        self.steps = steps
        self.reserve = Reserve(f"{path}.reserve", RESERVE_BYTES)
        self.queue: list[Transaction] = []
        self.last_seq = 0
        self.unlooked = 0
        self.slow_until = 0.0
        self.is_open = False
        self.syncing: asyncio.Future[None] | None = None

    # open and close

    async def open(self) -> Snapshot:
        self.disk, self.writer = Worker("records-disk"), Worker("records-writer")
        try:
            snapshot = await self.writer.submit(self.open_files)
        except BaseException:
            self.disk.close()
            self.writer.close()
            raise
        self.last_seq = snapshot.last_event_seq
        self.is_open = True
        return snapshot

    def open_files(self) -> Snapshot:
        folder = os.path.dirname(self.path) or "."
        os.makedirs(folder, mode=0o700, exist_ok=True)
        self.lock_fd = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(self.lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as e:
                raise Unavailable(f"the record store {self.path} is in use by another engine") from e
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            return self.open_database(folder)
        except BaseException:
            os.close(self.lock_fd)
            raise

    def open_database(self, folder: str) -> Snapshot:
        try:
            snapshot = self.read_database(folder)
        except sqlite3.Error as e:
            if is_full(e) and self.reserve.give():
                log.warning("records: the disk is full, the reserve of %d MiB is given up", RESERVE_BYTES >> 20)
                return self.open_database(folder)
            raise Unavailable(f"the record store {self.path} cannot be opened: {e}") from e
        self.reserve.keep()
        return snapshot

    def read_database(self, folder: str) -> Snapshot:
        self.connection = self.connect()
        try:
            schema.prepare(self.connection, self.path, self.schema_number, self.steps)
            self.trim()
            # Truncates what a killed engine left, and makes the first write, which syncs the log's head, happen here.
            self.checkpoint()
            snapshot = documents.read_snapshot(self.connection)
            self.reader = self.connect()
            self.log_fd = os.open(f"{self.path}-wal", os.O_RDWR | os.O_CLOEXEC)
            sync_folder(folder)
        except BaseException:
            self.connection.close()
            raise
        return snapshot

    def connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        return connection

    async def close(self) -> None:
        if not self.is_open:
            return
        self.is_open = False
        while self.queue or self.writer.busy or self.disk.busy:
            await asyncio.gather(self.writer.submit(nothing), self.disk.submit(nothing))
        await self.writer.submit(self.close_files)
        self.disk.close()
        self.writer.close()

    def close_files(self) -> None:
        self.reader.close()
        os.close(self.log_fd)
        self.connection.close()  # checkpoints and removes the log
        os.close(self.lock_fd)

    # writing

    async def commit(
        self, changes: Sequence[Record | Deletion] = (), events: Sequence[Event] = (), *, durable: bool = False
    ) -> None:
        waiting = self.enter(self.statements(changes, events), wanted=True)
        if waiting is not None:
            await outlast(waiting)
        if durable:
            await self.sync()

    def post(self, changes: Sequence[Record | Deletion] = (), events: Sequence[Event] = ()) -> None:
        try:
            self.enter(self.statements(changes, events), wanted=False)
        except Internal:
            log.exception("records: a posted change was lost changes=%d events=%d", len(changes), len(events))

    def statements(self, changes: Sequence[Record | Deletion], events: Sequence[Event]) -> list[Statement]:
        """Encodes; numbers the events that have no number."""
        if not self.is_open:
            raise Unavailable("the record store is closed")
        wanted = [documents.change_statement(change, self.schema_number) for change in changes]
        last = self.last_seq
        for event in events:
            numbered = event if event.seq else msgspec.structs.replace(event, seq=last + 1)
            if numbered.seq <= last:
                raise Internal(f"event {numbered.seq} comes after {last}")
            last = numbered.seq
            wanted.append(documents.event_statement(numbered))
        self.last_seq = last
        return wanted

    def enter(self, statements: list[Statement], *, wanted: bool) -> asyncio.Future[None] | None:
        """Write now, or queue.  A future to wait for is given back only if it was queued and the caller wants to wait."""
        if not statements:
            return None
        self.unlooked += len(statements)
        if self.queue or self.writer.busy or self.slow_until > time.monotonic():
            done = self.writer.loop.create_future() if wanted else None
            self.queue.append(Transaction(statements, done))
            if not self.writer.busy:
                self.drain()
            return done
        self.timed_write(statements)
        self.look()
        return None

    def timed_write(self, statements: Sequence[Statement]) -> None:
        begun = time.monotonic()
        self.write(statements)
        now = time.monotonic()
        if now - begun > SLOW_S:
            self.slow_until = now + SLOW_FOR_S

    def look(self) -> None:
        """Now and then, while the worker is idle: send it to trim the history and, if the log is long, to checkpoint."""
        if self.unlooked < (LOOK_EVERY if self.reserve.is_kept else LOOK_EVERY_WHEN_FULL) or self.writer.busy:
            return
        self.unlooked = 0

        def work() -> None:
            self.trim()
            if os.fstat(self.log_fd).st_size >= CHECKPOINT_BYTES:
                self.checkpoint()
            if not self.reserve.is_kept:
                self.reserve.keep()

        def after(job: asyncio.Future[None]) -> None:
            if job.exception() is not None:
                log.error("records: maintenance failed error=%s", job.exception())
            self.drain()

        self.writer.submit(work).add_done_callback(after)

    def drain(self) -> None:
        """Send what is queued to the worker, as one transaction if it can be."""
        if not self.queue:
            self.look()
            return
        batch, self.queue = self.queue, []

        def after(job: asyncio.Future[list[Internal | None]]) -> None:
            for transaction, error in zip(batch, job.result(), strict=True):
                if transaction.done is None:
                    if error is not None:
                        log.error("records: a posted change was lost error=%s", error)
                elif not transaction.done.cancelled():
                    if error is None:
                        transaction.done.set_result(None)
                    else:
                        transaction.done.set_exception(error)
            self.drain()

        self.writer.submit(lambda: self.write_batch(batch)).add_done_callback(after)

    def write_batch(self, batch: Sequence[Transaction]) -> list[Internal | None]:
        """The error of each.  All together; if that fails, each alone, so that none suffers from another's."""
        try:
            self.timed_write([statement for transaction in batch for statement in transaction.statements])
        except Internal as e:
            if len(batch) == 1:
                return [e]
            return [error for transaction in batch for error in self.write_batch([transaction])]
        return [None] * len(batch)

    def write(self, statements: Sequence[Statement]) -> None:
        """One transaction.  Raises Internal; nothing is changed then."""
        connection = self.connection
        try:
            if len(statements) <= 1:
                for statement in statements:
                    connection.execute(*statement)
                return
            connection.execute("BEGIN IMMEDIATE")
            for text, values in statements:
                connection.execute(text, values)
            connection.execute("COMMIT")
        except sqlite3.Error as e:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if is_full(e) and self.reserve.give():
                log.warning("records: the disk is full, the reserve of %d MiB is given up", RESERVE_BYTES >> 20)
                self.write(statements)
                return
            raise Internal(f"the record store {self.path} cannot be written: {e}") from e

    def trim(self) -> None:
        """Drop the events that are too many or too old.

        The newest stays, whatever its age: numbers go on from it.
        """
        last = self.connection.execute("SELECT max(seq) FROM events").fetchone()[0] or 0
        self.connection.execute("DELETE FROM events WHERE seq <= ?", (last - self.keep_events,))
        self.connection.execute(
            "DELETE FROM events WHERE at_ns < ? AND seq < ?", (self.now_ns() - self.keep_events_ns, last)
        )

    def checkpoint(self) -> None:
        """Move the log into the database and begin it anew."""
        self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.connection.execute(*(documents.PUT_META, ("checkpointed_at_ns", str(self.now_ns()))))

    # what survives a power cut

    async def sync(self) -> None:
        """Returns when everything committed before this call is on the disk.  Callers that come together share one sync."""
        if self.syncing is not None and not self.syncing.done():
            # That one may have begun before our write: it does not count.
            await asyncio.wait([self.syncing])
        if self.syncing is None or self.syncing.done():
            self.syncing = self.disk.submit(lambda: os.fdatasync(self.log_fd))
        try:
            await outlast(self.syncing)
        except OSError as e:
            raise Internal(f"the record store {self.path} cannot be synced: {e}") from e

    # reading

    async def events(
        self, since_ns: int, until_ns: int, limit: int = 100_000, *, after_seq: int = 0
    ) -> Sequence[Event]:
        await self.settled()
        bounds = (after_seq, since_ns, until_ns or FOREVER_NS, limit)
        return await self.disk.submit(
            lambda: documents.read_events(self.reader.execute(documents.FIND_EVENTS, bounds).fetchall())
        )

    async def put_meta(self, key: str, value: str) -> None:
        if not self.is_open:
            raise Unavailable("the record store is closed")
        waiting = self.enter([(documents.PUT_META, (key, value))], wanted=True)
        if waiting is not None:
            await waiting

    async def get_meta(self, key: str) -> str | None:
        await self.settled()
        row = await self.disk.submit(
            lambda: self.reader.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        )
        return None if row is None else str(row[0])

    async def settled(self) -> None:
        """Returns when what was queued before this call is written."""
        if not self.is_open:
            raise Unavailable("the record store is closed")
        if self.queue or self.writer.busy:
            done: asyncio.Future[None] = self.writer.loop.create_future()
            self.queue.append(Transaction([], done))
            await done


async def outlast(job: asyncio.Future[None]) -> None:
    """Wait for the end of `job`, also if the caller is cancelled: that is raised then, unless the job failed."""
    try:
        await asyncio.shield(job)
    except asyncio.CancelledError:
        while not job.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([job])
        job.result()
        raise


def sync_folder(path: str) -> None:
    """Make the entries of a directory durable: without this a new database may have no name after a power cut."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def is_full(error: sqlite3.Error) -> bool:
    return error.sqlite_errorcode in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_WRITE)


def nothing() -> None:
    """A job that only takes its turn."""
