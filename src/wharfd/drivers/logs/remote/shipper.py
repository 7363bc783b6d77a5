"""Sends a container's lines away, from the monitor's file, in order, each at least once.

The file is the queue: a receiver that is slow or dead holds up nobody but this task.  What waits for longer than the local copy is kept
is lost, and a warning tells how much; so is, with `mode=non-blocking`, what is more than `max-buffer-size` behind.  Nothing is held open
while the receiver is away.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from wharfd.drivers.logs.files import LogFiles
from wharfd.drivers.logs.remote.bookmark import Bookmark, bookmark_at, load, position_of, save
from wharfd.drivers.logs.stirring import Stirring
from wharfd.model.errors import EngineError
from wharfd.ports.logs import ContainerEnd
from wharfd.sys.blocking import Pool
from wharfd.wire.crilog import MAX_RECORD
from wharfd.wire.loglines import Assembler, Message

log = logging.getLogger(__name__)

BLOCK = 64 * 1024
SAVE_S = 0.5  # at most so often is put down how far it has come
LOOK_S = 0.5  # between two looks at a log that cannot be watched


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How often, and after which pauses, what could not be delivered is tried again.  `tries` None: for ever."""

    first_s: float = 0.2
    factor: float = 2.0
    longest_s: float = 30.0
    tries: int | None = None

    def pause_s(self, failures: int) -> float:
        return float(min(self.first_s * self.factor ** min(failures - 1, 64), self.longest_s))


class Sender(Protocol):
    patience: Patience

    async def send(self, messages: Sequence[Message]) -> None:
        """Returns when they are delivered, as far as that can be known.  Raises OSError: none of them counts as delivered."""

    async def close(self) -> None: ...


class Shipper:
    """`most_behind` None: as far as the local copy reaches, in bytes of the file."""

    def __init__(
        self, path: str, sender: Sender, *, pool: Pool, stirring: Stirring, most_behind: int | None = None
    ) -> None:
        self.path = path
        self.sender = sender
        self.pool = pool
        self.stirring = stirring
        self.most_behind = most_behind
        self.woken = asyncio.Event()
        self.bookmark = load(path)
        self.saved = self.bookmark
        self.saved_s = 0.0
        self.failures = 0
        self.seen = (0, 0, 0)  # device, inode and size of the file that was read last

    async def run(self, end: ContainerEnd) -> None:
        """Until the container has ended and all is sent."""
        end.on_over(self.woken.set)
        self.stirring.open()
        try:
            while True:
                is_over = end.is_over()  # before the last look
                try:
                    await self.catch_up(is_over)
                except (OSError, EngineError) as error:
                    await self.pause(error)
                    continue
                if is_over:
                    return
                self.put_down(at_once=True)
                await self.rest(end)
        finally:
            self.stirring.disarm(self.woken)
            self.stirring.close()
            self.put_down(at_once=True)
            await self.sender.close()

    async def catch_up(self, is_over: bool) -> None:
        """Send what is there.  Raises OSError: from the bookmark on nothing was."""
        files = LogFiles(self.path, self.pool)
        try:
            files.open()
            at = await self.begin(files)
            assembler = Assembler(new_line_id, self.bookmark.open_lines)
            while data := await files.read(at, BLOCK):
                at += len(data)
                await self.deliver(assembler.feed(data))
                self.bookmark = bookmark_at(at - len(assembler.rest), files, assembler.open_lines)
                self.put_down()
                await asyncio.sleep(0)
            if files.segments:
                last = files.segments[-1]
                self.seen = (*last.identity, at - last.begin)
            if is_over:
                await self.deliver(assembler.finish())
                self.bookmark = bookmark_at(at - len(assembler.rest), files, [])
        finally:
            files.close()

    async def begin(self, files: LogFiles) -> int:
        """The position from which on is to be sent."""
        at = position_of(self.bookmark, files)
        if at is None:
            log.warning("log=%s lines were rotated away before they were sent", self.path)
            self.bookmark = Bookmark()
            at = 0
        behind = files.end() - at
        if self.most_behind is None or behind <= self.most_behind:
            return at
        begin = files.end() - self.most_behind
        window = await files.read_exactly(begin, MAX_RECORD)
        begin += window.find(b"\n") + 1
        log.warning("log=%s bytes=%d were not sent: the receiver is too slow", self.path, begin - at)
        self.bookmark = bookmark_at(begin, files, [])
        return begin

    async def deliver(self, messages: Sequence[Message]) -> None:
        if not messages:
            return
        tries = self.sender.patience.tries
        if tries is not None and self.failures > tries:
            log.warning("log=%s messages=%d given up after %d tries", self.path, len(messages), self.failures)
        else:
            await self.sender.send(messages)
            if self.failures:
                log.info("log=%s is sent again", self.path)
        self.failures = 0

    async def pause(self, error: Exception) -> None:
        self.failures += 1
        if self.failures == 1:
            log.warning("log=%s cannot be sent, and is tried again: error=%s", self.path, error)
        self.put_down(at_once=True)
        await asyncio.sleep(self.sender.patience.pause_s(self.failures))

    async def rest(self, end: ContainerEnd) -> None:
        """Until there is more, or the container has ended."""
        self.woken.clear()
        is_watched = self.stirring.arm(self.path, self.woken)
        if end.is_over() or (is_watched and self.has_more()):
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if is_watched else LOOK_S):
                await self.woken.wait()

    def has_more(self) -> bool:
        """The file has grown, or is another one, since it was read."""
        try:
            status = os.stat(self.path)
        except FileNotFoundError:
            return False
        return (status.st_dev, status.st_ino, status.st_size) != self.seen

    def put_down(self, *, at_once: bool = False) -> None:
        now_s = asyncio.get_running_loop().time()
        if self.bookmark == self.saved or (not at_once and now_s < self.saved_s + SAVE_S):
            return
        try:
            save(self.path, self.bookmark)
        except OSError as error:
            log.warning("log=%s how far it was sent cannot be put down: error=%s", self.path, error)
        self.saved, self.saved_s = self.bookmark, now_s


def new_line_id() -> str:
    return os.urandom(32).hex()
