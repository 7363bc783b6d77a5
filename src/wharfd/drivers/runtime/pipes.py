"""The engine's ends of an exec's streams: pipes, or the master of a terminal.

Nothing is read ahead: the pipe is the buffer, and a process whose output nobody takes waits.
"""

import asyncio
import errno
import os
from collections.abc import Sequence

from wharfd.drivers.runtime import terminal
from wharfd.ports.streams import Output
from wharfd.wire.stdcopy import Stream

READ_BYTES = 64 * 1024  # a pipe's size


class Pipes:
    """`sources`: descriptors to read from, with the stream that each carries.  `sink`: where stdin is written, −1 if nowhere.

    With `is_terminal` the one source and the sink are the same descriptor.
    """

    def __init__(self, sources: dict[int, Stream], sink: int = -1, *, is_terminal: bool = False) -> None:
        self._loop = asyncio.get_running_loop()
        self._sources = sources
        self._sink = sink
        self._is_terminal = is_terminal
        self._awaited: asyncio.Future[None] | None = None  # a reader's
        self._writer: asyncio.Future[None] | None = None
        self._drained = asyncio.Event()
        if not sources:
            self._drained.set()

    # output

    async def read(self) -> Sequence[Output]:
        while self._sources:
            outputs = [
                Output(stream, data)
                for fd, stream in list(self._sources.items())
                if (data := self._take(fd)) is not None
            ]
            if outputs:
                return outputs
            if self._sources:
                await self._readable()
        return ()

    def _take(self, fd: int) -> bytes | None:
        try:
            data = os.read(fd, READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError as e:
            # Linux: a master reads EIO when nobody holds the terminal any more.
            if e.errno != errno.EIO:
                raise
            data = b""
        if data:
            return data
        self._drop(fd)
        return None

    async def _readable(self) -> None:
        self._awaited = ready = self._loop.create_future()
        for fd in self._sources:
            self._loop.add_reader(fd, _settle, ready)
        try:
            await ready
        finally:
            self._awaited = None
            for fd in self._sources:
                self._loop.remove_reader(fd)

    def _drop(self, fd: int) -> None:
        del self._sources[fd]
        if not (self._is_terminal and fd == self._sink):
            os.close(fd)
        if not self._sources:
            self._drained.set()

    async def wait_drained(self) -> None:
        await self._drained.wait()

    # input

    async def write(self, data: bytes) -> bool:
        view = memoryview(data)
        at = 0
        while at < len(view):
            if self._sink < 0:
                return False
            try:
                at += os.write(self._sink, view[at:])
            except (BlockingIOError, InterruptedError):
                await self._writable()
            except OSError as e:
                if e.errno not in (errno.EPIPE, errno.EIO):
                    raise
                return False
        return True

    async def _writable(self) -> None:
        fd = self._sink
        self._writer = ready = self._loop.create_future()
        self._loop.add_writer(fd, _settle, ready)
        try:
            await ready
        finally:
            self._writer = None
            if self._sink == fd:
                self._loop.remove_writer(fd)

    def close_stdin(self) -> None:
        if not self._is_terminal:
            self._close_sink()

    def _close_sink(self) -> None:
        if self._sink >= 0:
            fd, self._sink = self._sink, -1
            self._loop.remove_writer(fd)
            os.close(fd)
            if self._writer is not None:
                _settle(self._writer)

    def resize(self, height: int, width: int) -> None:
        if self._is_terminal and self._sink >= 0:
            terminal.set_size(self._sink, height, width)

    # the end

    def close(self) -> None:
        for fd in list(self._sources):
            self._loop.remove_reader(fd)
            self._drop(fd)
        self._close_sink()
        if self._awaited is not None:
            _settle(self._awaited)


class Streams:
    """Pipes on their way to a new process: `child` is what the process gets, by number; all of it is ours to close."""

    def __init__(self) -> None:
        self.child: dict[int, int] = {}
        self.sources: dict[int, Stream] = {}
        self.sink = -1

    def open(self, *, stdin: bool, stdout: bool, stderr: bool) -> None:
        if stdin:
            self.child[0], self.sink = os.pipe2(os.O_CLOEXEC)
            os.set_blocking(self.sink, False)
        for number, wanted in ((Stream.STDOUT, stdout), (Stream.STDERR, stderr)):
            if wanted:
                source, self.child[number] = os.pipe2(os.O_CLOEXEC)
                self.sources[source] = number
                os.set_blocking(source, False)

    def close_child_ends(self) -> None:
        for fd in self.child.values():
            os.close(fd)
        self.child.clear()

    def last_words(self) -> str:
        """What a runtime that could not even open its log has written to stderr."""
        for fd, stream in self.sources.items():
            if stream is Stream.STDERR:
                try:
                    return os.read(fd, READ_BYTES).decode(errors="replace").strip()
                except BlockingIOError:
                    pass
        return ""

    def close(self) -> None:
        self.close_child_ends()
        for fd in self.sources:
            os.close(fd)
        self.sources.clear()
        if self.sink >= 0:
            os.close(self.sink)
            self.sink = -1


def _settle(ready: "asyncio.Future[None]") -> None:
    if not ready.done():
        ready.set_result(None)
