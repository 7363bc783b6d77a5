"""The instructions of a Dockerfile as values, before variables are replaced.

`name` is the instruction as it is written (`run`), `source` the whole of it on one line, `lines` where it stands.
Paths, users, names and modes may hold variables.  Durations are nanoseconds.
"""

import msgspec

from wharfd.model.config import HealthConfig
from wharfd.wire.dockerfile.directives import Directive
from wharfd.wire.dockerfile.errors import LineRange
from wharfd.wire.dockerfile.heredocs import Heredoc


class Instruction(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    source: str
    lines: LineRange


class Pair(msgspec.Struct, frozen=True):
    """`is_legacy`: written as `name value`."""

    name: str
    value: str
    is_legacy: bool = False

    def __str__(self) -> str:
        return f"{self.name}={self.value}"


class Definition(msgspec.Struct, frozen=True):
    """A variable that `ARG` declares; `default` None: it has none.  `comment`: what the comment above says of it."""

    name: str
    default: str | None = None
    comment: str = ""


class CommandLine(msgspec.Struct, frozen=True, kw_only=True):
    """`is_shell`: `words` is one line for a shell, else the JSON form's strings."""

    words: tuple[str, ...] = ()
    is_shell: bool = True
    heredocs: tuple[Heredoc, ...] = ()


class From(Instruction, frozen=True, kw_only=True):
    """`stage_name` in small letters, empty for none; `keyword_as` and `written_name` as they are written.  `comment`: see `Definition`."""

    base: str
    stage_name: str = ""
    platform: str = ""
    keyword_as: str = ""
    written_name: str = ""
    comment: str = ""
    comments: tuple[str, ...] = ()


class Arg(Instruction, frozen=True, kw_only=True):
    definitions: tuple[Definition, ...]
    comments: tuple[str, ...] = ()


class Env(Instruction, frozen=True, kw_only=True):
    pairs: tuple[Pair, ...]


class Label(Instruction, frozen=True, kw_only=True):
    pairs: tuple[Pair, ...]


class Maintainer(Instruction, frozen=True, kw_only=True):
    maintainer: str


class Run(Instruction, frozen=True, kw_only=True):
    """`mounts` and `devices`: the flags' values (`mounts.parse_mount` reads them)."""

    command: CommandLine
    mounts: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    network: str = ""
    security: str = ""


class Transfer(Instruction, frozen=True, kw_only=True):
    """What COPY and ADD have in common.  `inline`: here-documents among the sources."""

    sources: tuple[str, ...] = ()
    inline: tuple[Heredoc, ...] = ()
    destination: str
    chown: str = ""
    chmod: str = ""
    link: bool = False
    excludes: tuple[str, ...] = ()


class Copy(Transfer, frozen=True, kw_only=True):
    source_stage: str = ""  # --from: a stage's name or number, an image, a named context
    parents: bool = False


class Add(Transfer, frozen=True, kw_only=True):
    """`unpack` None: local archives are unpacked, others are not."""

    keep_git_dir: bool | None = None
    checksum: str = ""
    unpack: bool | None = None


class Cmd(Instruction, frozen=True, kw_only=True):
    command: CommandLine


class Entrypoint(Instruction, frozen=True, kw_only=True):
    command: CommandLine


class Shell(Instruction, frozen=True, kw_only=True):
    words: tuple[str, ...]


class HealthCheck(Instruction, frozen=True, kw_only=True):
    config: HealthConfig


class Expose(Instruction, frozen=True, kw_only=True):
    """`ports`: words like `80`, `53/udp`, `8000-8010/tcp`, sorted, not yet checked."""

    ports: tuple[str, ...]


class User(Instruction, frozen=True, kw_only=True):
    user: str


class Workdir(Instruction, frozen=True, kw_only=True):
    path: str


class Volume(Instruction, frozen=True, kw_only=True):
    paths: tuple[str, ...]


class StopSignal(Instruction, frozen=True, kw_only=True):
    signal: str


class OnBuild(Instruction, frozen=True, kw_only=True):
    """`trigger`: the instruction for later, with its here-documents."""

    trigger: str


Command = (
    Arg
    | Env
    | Label
    | Maintainer
    | Run
    | Copy
    | Add
    | Cmd
    | Entrypoint
    | Shell
    | HealthCheck
    | Expose
    | User
    | Workdir
    | Volume
    | StopSignal
    | OnBuild
)


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    start: From
    commands: tuple[Command, ...] = ()


class Dockerfile(msgspec.Struct, frozen=True, kw_only=True):
    """`global_args`: those before the first FROM.  `empty_continuations`: lines at which a continuation with an empty line in it ends."""

    stages: tuple[Stage, ...]
    global_args: tuple[Arg, ...] = ()
    escape: str = "\\"
    syntax: Directive | None = None
    check: Directive | None = None
    empty_continuations: tuple[int, ...] = ()
