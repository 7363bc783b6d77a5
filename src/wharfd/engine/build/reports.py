"""How a step that is carried out tells of itself, to each build that waits for it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from wharfd.engine.build.graph import Output, Vertex, VertexMeta
from wharfd.engine.build.progress import LogOutput, Progress, StatusUpdate, VertexUpdate
from wharfd.model.ids import Digest

CANCELLED = "context canceled"  # Docker: what clients show as cancelled rather than failed
REPLAY_BYTES = 2 << 20  # what later listeners hear at most


class Report(Protocol):
    """What a step sees."""

    def log(self, stream: int, data: bytes) -> None: ...

    def status(self, name: str, *, current: int = 0, total: int = 0, is_done: bool = False) -> None:
        """Of a part of the work, `name` being its id, too.  The first call of a name begins it."""

    async def room(self) -> None:
        """Wait until more output is welcome."""


@dataclass(frozen=True, slots=True)
class Activity:
    """Something that a build does besides its graph, shown as a vertex."""

    digest: Digest
    name: str
    inputs: tuple[Output, ...] = ()
    meta: VertexMeta = field(default_factory=VertexMeta)


class VertexReport:
    """One vertex in one build."""

    def __init__(
        self, vertex: Vertex | Activity, emit: Progress, now_ns: Callable[[], int], room: Callable[[], Awaitable[None]]
    ) -> None:
        self.vertex = vertex
        self.emit = emit
        self.now_ns = now_ns
        self.wait_for_room = room
        self.started_ns = 0
        self.is_complete = False
        self.begun: dict[str, int] = {}

    def announce(self) -> None:
        self.emit(self.update())

    def start(self) -> None:
        if not self.started_ns:
            self.started_ns = self.now_ns()
            self.emit(self.update())

    def complete(self, *, cached: bool = False, error: str = "") -> None:
        if self.is_complete:
            return
        self.is_complete = True
        self.started_ns = self.started_ns or self.now_ns()
        self.emit(self.update(completed_ns=self.now_ns(), cached=cached, error=error))

    def abandon(self) -> None:
        """It was begun, and will not be finished."""
        if self.started_ns:
            self.complete(error=CANCELLED)

    def update(self, *, completed_ns: int = 0, cached: bool = False, error: str = "") -> VertexUpdate:
        vertex = self.vertex
        return VertexUpdate(
            digest=vertex.digest,
            name=vertex.name,
            inputs=tuple(dict.fromkeys(each.vertex.digest for each in vertex.inputs)),
            started_ns=self.started_ns,
            completed_ns=completed_ns,
            cached=cached,
            error=error,
            progress_group=vertex.meta.progress_group,
        )

    def log(self, stream: int, data: bytes) -> None:
        self.emit(LogOutput(vertex=self.vertex.digest, stream=stream, data=data, at_ns=self.now_ns()))

    def status(self, name: str, *, current: int = 0, total: int = 0, is_done: bool = False) -> None:
        now = self.now_ns()
        self.emit(
            StatusUpdate(
                vertex=self.vertex.digest,
                id=name,
                name=name,
                current=current,
                total=total,
                at_ns=now,
                started_ns=self.begun.setdefault(name, now),
                completed_ns=now if is_done else 0,
            )
        )

    async def room(self) -> None:
        await self.wait_for_room()


class Audience:
    """The reports of all builds that wait for one step.  Who comes later hears what was said before."""

    def __init__(self) -> None:
        self.reports: list[VertexReport] = []
        self.said: list[Callable[[Report], None]] = []
        self.bytes = 0

    def join(self, report: VertexReport) -> None:
        self.reports.append(report)
        report.start()
        for each in self.said:
            each(report)

    def leave(self, report: VertexReport) -> None:
        self.reports.remove(report)

    def say(self, call: Callable[[Report], None], size: int = 0) -> None:
        for report in self.reports:
            call(report)
        self.bytes += size
        if self.bytes <= REPLAY_BYTES:
            self.said.append(call)

    def log(self, stream: int, data: bytes) -> None:
        self.say(lambda report: report.log(stream, data), len(data))

    def status(self, name: str, *, current: int = 0, total: int = 0, is_done: bool = False) -> None:
        self.say(lambda report: report.status(name, current=current, total=total, is_done=is_done), 100)

    async def room(self) -> None:
        for report in list(self.reports):
            await report.room()
