"""What a build tells while it runs.  Doors turn it into their own form (JSON lines, BuildKit's StatusResponse).

Order: a vertex is announced (`VertexUpdate` without times) before anything else is said of it; its logs and statuses come between its
start and its completion.  Updates of one vertex replace each other: the last one counts.  Times are nanoseconds since the epoch; 0: not
yet.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from wharfd.engine.build.graph import ProgressGroup
from wharfd.model.ids import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class VertexUpdate:
    """`cached`: its result was known.  `error`: why it failed; empty if it did not."""

    digest: Digest
    name: str
    inputs: tuple[Digest, ...] = ()
    started_ns: int = 0
    completed_ns: int = 0
    cached: bool = False
    error: str = ""
    progress_group: ProgressGroup | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusUpdate:
    """A part of a vertex's work with a size: a layer that is fetched, a context that is sent.  `id` is unique within the vertex."""

    vertex: Digest
    id: str
    name: str = ""
    current: int = 0
    total: int = 0
    at_ns: int = 0
    started_ns: int = 0
    completed_ns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOutput:
    """What a step has written, as it came: any bytes, not necessarily whole lines.  `stream` 1 is stdout, 2 stderr."""

    vertex: Digest
    stream: int
    data: bytes
    at_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRange:
    """Lines and columns count from 1 and 0, as BuildKit's."""

    start_line: int
    start_character: int = 0
    end_line: int = 0
    end_character: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    filename: str
    data: bytes
    language: str = "Dockerfile"
    definition: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """A remark of the frontend's (build checks).  `vertex` may be empty."""

    vertex: Digest | None = None
    level: int = 1
    short: bytes = b""
    detail: tuple[bytes, ...] = ()
    url: str = ""
    source: SourceFile | None = None
    ranges: tuple[SourceRange, ...] = field(default_factory=tuple)


Update = VertexUpdate | StatusUpdate | LogOutput | Warned

Progress = Callable[[Update], None]
"""Takes an update and returns at once; called on the engine's loop."""
