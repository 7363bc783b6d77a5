"""The stages of a build: which is made from which, and which are needed for the one that is wanted.

A stage is a `FROM` with what follows; an image or a context that `COPY --from` or a mount names is an implicit one.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from wharfd.engine.build.frontend.draft import Draft
from wharfd.engine.build.frontend.image import Image
from wharfd.engine.build.frontend.naming import Counter
from wharfd.wire.dockerfile.errors import DockerfileError, LineRange
from wharfd.wire.dockerfile.instructions import Command, Copy, Definition, Run, Stage
from wharfd.wire.dockerfile.mounts import source_stage
from wharfd.wire.dockerfile.quoting import quote
from wharfd.wire.dockerfile.suggest import hint
from wharfd.wire.oci import Platform

SCRATCH = "scratch"

_NO_VARIABLES = (
    "variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope as a "
    "workaround"
)


@dataclass(slots=True)
class Planned:
    """An instruction with the stages that it takes files from: COPY's one, or one per mount of RUN (None: the context, or nothing)."""

    command: Command
    sources: "tuple[StageState | None, ...]" = ()
    is_trigger: bool = False


@dataclass(eq=False, slots=True, kw_only=True)
class StageState:
    """A stage on its way.  `base_name` with its variables replaced; `base`: the stage of that name; `output` None: an empty root.

    `env`: what processes see: the image's variables and ARGs.  `used_paths`: what others take from it, for a context that is sent file
    by file ("/" for everything).
    """

    stage: Stage | None
    name: str
    base_name: str
    lines: LineRange
    index: int = -1
    base: "StageState | None" = None
    platform: Platform | None = None
    commands: list[Planned] = field(default_factory=list)
    needs: "dict[StageState, LineRange]" = field(default_factory=dict)
    context: str = ""  # the named context that takes the stage's place
    base_image: Image | None = None
    image: Image | None = None
    output: Draft | None = None
    env: dict[str, str] = field(default_factory=dict)
    definitions: list[Definition] = field(default_factory=list)
    used_paths: set[str] = field(default_factory=set)
    counter: Counter = field(default_factory=Counter)
    ignores_cache: bool = False
    is_resolved: bool = False
    is_finished: bool = False
    has_triggers: bool = False
    has_workdir: bool = False
    set_once: dict[str, LineRange] = field(default_factory=dict)

    @property
    def is_implicit(self) -> bool:
        return self.stage is None

    @property
    def started(self) -> Image:
        assert self.image is not None
        return self.image


class Stages:
    """All stages of a build; names are looked up without regard to case, the last one of a name counts."""

    def __init__(self) -> None:
        self.all: list[StageState] = []
        self.by_name: dict[str, StageState] = {}

    def add(self, state: StageState) -> None:
        state.index = len(self.all)
        self.all.append(state)
        if not state.context:
            state.base = self.by_name.get(state.base_name)
        if state.stage is not None and state.stage.start.stage_name:
            self.by_name[state.stage.start.stage_name] = state

    def names(self) -> list[str]:
        return [state.name for state in self.all if state.name]

    def target(self, name: str) -> StageState:
        """The last one, if no name is given.  Raises DockerfileError."""
        if not name:
            return self.all[-1]
        found = self.by_name.get(name.lower())
        if found is None:
            near = hint(name, self.names())
            raise DockerfileError(f"target stage {quote(name)} could not be found{near}")
        return found

    def numbered(self, name: str) -> StageState | None:
        if name.isascii() and name.isdigit() and len(name) < 6 and int(name) < len(self.all):
            return self.all[int(name)]
        return None

    def plan(self, state: StageState, command: Command, *, is_trigger: bool = False) -> Planned:
        """Find what the instruction takes files from; note that the stage needs it."""
        sources: tuple[StageState | None, ...] = ()
        match command:
            case Copy(source_stage=name) if name:
                if "$" in name:
                    raise DockerfileError(_NO_VARIABLES)
                sources = (self.source(name, command.lines),)
            case Run(mounts=mounts) if mounts:
                names = [source_stage(mount) for mount in mounts]
                sources = tuple(self.source(name, command.lines, by_number=False) if name else None for name in names)
        for source in sources:
            if source is not None:
                state.needs[source] = command.lines
                if source.index < 0:
                    self.add(source)
        return Planned(command, sources, is_trigger)

    def source(self, name: str, lines: LineRange, *, by_number: bool = True) -> StageState:
        if by_number and name.removeprefix("-").removeprefix("+").isdecimal():
            found = self.numbered(name.removeprefix("+"))
            if found is None:
                raise DockerfileError(f"invalid stage index {name}")
            return found
        return self.by_name.get(name.lower()) or StageState(stage=None, name="", base_name=name, lines=lines)


def reachable(target: StageState) -> dict[StageState, None]:
    """The stages that the target needs, itself first."""
    found: dict[StageState, None] = {}
    stack = [target]
    while stack:
        state = stack.pop()
        if state in found:
            continue
        found[state] = None
        stack += [*state.needs, *([state.base] if state.base is not None else [])]
    return found


def check_circles(stages: list[StageState]) -> None:
    """Raises DockerfileError, with the lines of the instructions that make the circle."""
    done: set[StageState] = set()
    for start in stages:
        if start in done:
            continue
        path: dict[StageState, LineRange] = {}
        stack: list[tuple[StageState, Iterator[tuple[StageState, LineRange]]]] = [(start, iter(start.needs.items()))]
        path[start] = start.lines
        while stack:
            state, rest = stack[-1]
            below = next(rest, None)
            if below is None:
                stack.pop()
                path.pop(state)
                done.add(state)
                continue
            need, lines = below
            if need in path:
                circle = [*[*path.values()][1:], lines]
                raise DockerfileError(f"circular dependency detected on stage: {start.name}", *circle)
            if need not in done:
                path[need] = lines
                stack.append((need, iter(need.needs.items())))
