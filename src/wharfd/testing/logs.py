"""Logs in memory, read in the plainest way: the meaning of a `LogQuery`, for drivers to be compared with.

logs = FakeLogs()
logs.write(path, "stdout", b"one\\ntwo\\n", at_ns=…)
"""

import asyncio
import dataclasses
import datetime
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from wharfd.model.errors import InvalidParameter, NotImplementedHere
from wharfd.ports.logs import ContainerEnd, LogQuery, LogSubject, ReopenLog
from wharfd.testing.clock import FakeClock
from wharfd.testing.fake import Fake

STREAMS = {"stdout": 1, "stderr": 2}
FRAME_LIMIT = 16_384


@dataclass(frozen=True)
class Line:
    """One whole line; `text` without its end.  The time is that of its first part."""

    at_ns: int
    stream: str
    text: bytes
    end: bytes = b"\n"


class FakeEnd:
    """`ContainerEnd` that a test sets."""

    def __init__(self, *, over: bool = False) -> None:
        self.over = over
        self.calls: list[Callable[[], None]] = []

    def end(self) -> None:
        """The container has exited."""
        self.over = True
        calls, self.calls = self.calls, []
        for call in calls:
            call()

    def is_over(self) -> bool:
        return self.over

    def on_over(self, call: Callable[[], None]) -> None:
        if self.over:
            call()
        else:
            self.calls.append(call)


class FakeLogs(Fake):
    """Port `logs`, of the kind `driver` ("none" throws output away and cannot be read)."""

    def __init__(
        self,
        driver: str = "json-file",
        known_options: Sequence[str] = ("max-size", "max-file"),
        clock: FakeClock | None = None,
    ) -> None:
        super().__init__()
        self.driver = driver
        self.known_options = frozenset(known_options)
        self.clock = clock or FakeClock()
        self.lines: dict[str, list[Line]] = {}
        self.begun: dict[tuple[str, str], Line] = {}
        self.grown = asyncio.Event()
        self.attended: list[LogSubject] = []
        self.rotates = False

    def write(self, path: str, stream: str, data: bytes, at_ns: int | None = None) -> None:
        """A process writes; what has no line end waits for it."""
        now = self.clock.now_ns() if at_ns is None else at_ns
        pieces = data.split(b"\n")
        for position, piece in enumerate(pieces):
            part = self.begun.get((path, stream))
            line = Line(part.at_ns if part else now, stream, (part.text if part else b"") + piece)
            if position < len(pieces) - 1:
                self.begun.pop((path, stream), None)
                self.lines.setdefault(path, []).append(line)
            elif line.text:
                self.begun[path, stream] = line
        self.wake()

    def complete(self, path: str) -> None:
        """The streams are closed: a line that was begun is over without a newline; the one begun first comes first."""
        for key in [key for key in self.begun if key[0] == path]:
            self.lines.setdefault(path, []).append(dataclasses.replace(self.begun.pop(key), end=b""))
        self.wake()

    def wake(self) -> None:
        self.grown.set()
        self.grown = asyncio.Event()

    def validate(self, options: dict[str, str]) -> None:
        self.enter("validate")
        for name in sorted(options):
            if name not in self.known_options:
                raise InvalidParameter(f"unknown log opt '{name}' for {self.driver} log driver")

    def path(self, container_dir: str, container_id: str) -> str:
        self.enter("path")
        return "" if self.driver == "none" else f"{container_dir}/{container_id}-json.log"

    def begin(self, path: str, options: dict[str, str]) -> None:
        self.enter("begin")
        self.complete(path)

    async def attend(self, subject: LogSubject, end: ContainerEnd, reopen: ReopenLog) -> None:
        """Until the container has ended; `reopen` is called if `rotates`."""
        self.enter("attend")
        self.attended.append(subject)
        if self.rotates:
            await reopen(subject.path, f"{subject.path}.1", is_told=False)
        over = asyncio.Event()
        end.on_over(over.set)
        try:
            await over.wait()
        finally:
            self.attended.remove(subject)

    def read(self, path: str, options: dict[str, str], query: LogQuery, end: ContainerEnd) -> AsyncIterator[bytes]:
        self.enter("read")
        if self.driver == "none":
            raise NotImplementedHere("configured logging driver does not support reading")
        end.on_over(self.wake)
        if end.is_over():
            self.complete(path)
        return self.blocks(path, len(self.lines.setdefault(path, [])), query, end)

    def is_past(self, path: str, position: int, until_ns: int) -> bool:
        """No line that began in time is still to come: the streams' lines stand in the order of their ends."""
        begun = [line for (where, _), line in self.begun.items() if where == path]
        return all(line.at_ns > until_ns for line in [*self.lines[path][position:], *begun])

    async def blocks(self, path: str, count: int, query: LogQuery, end: ContainerEnd) -> AsyncIterator[bytes]:
        """`count` lines were there at the call."""
        lines = self.lines[path]
        position = 0 if query.tail is None else max(0, count - query.tail)
        while True:
            is_over = end.is_over()
            if is_over:
                self.complete(path)
            while position < (len(lines) if query.follow else count):
                line = lines[position]
                position += 1
                if query.until_ns and line.at_ns > query.until_ns:
                    if self.is_past(path, position, query.until_ns):
                        return
                    continue
                block = render(line, query)
                if block:
                    yield block
            if is_over or not query.follow:
                return
            await self.grown.wait()


def render(line: Line, query: LogQuery) -> bytes:
    """The bytes that a client gets for this line; nothing if the query leaves it out."""
    if line.at_ns < query.since_ns or not (query.stdout if line.stream == "stdout" else query.stderr):
        return b""
    text = query.prefix + line.text + line.end
    if query.timestamps:
        seconds, nanos = divmod(line.at_ns, 10**9)
        when = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
        text = f"{when:%Y-%m-%dT%H:%M:%S}.{nanos:09}Z ".encode() + text
    if not query.framed:
        return text
    number = STREAMS[line.stream]
    pieces = [text[at : at + FRAME_LIMIT] for at in range(0, len(text), FRAME_LIMIT)]
    return b"".join(struct.pack(">BxxxI", number, len(piece)) + piece for piece in pieces)
