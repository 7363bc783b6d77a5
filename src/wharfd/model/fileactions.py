"""Changes of files that a build step asks for, as the engine decides on them and worker processes carry them out.

Paths are of the root file system they speak of, with slashes.  Roots are numbers; whose, is said where the actions are held
(`engine/build/ops.py`, `workers/protocol.py`).  Defaults are those of BuildKit's LLB.  Times are nanoseconds since the epoch.
"""

import msgspec

SCRATCH = -1
NO_OUTPUT = -1


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """A user or group by name, to be looked up in the root `input` (numbered as `Action.input`)."""

    name: str
    input: int = 0


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """None: 0 for what is made; for a group, the user's group of the same number."""

    user: int | Named | None = None
    group: int | Named | None = None


class Action(msgspec.Struct, frozen=True, kw_only=True, tag_field="action"):
    """One change of a root.

    `input`: the root that is changed: `SCRATCH`, a number below `len(vertex.inputs)`, or `len(vertex.inputs) + n` for the result of the
    n-th action.  `output`: the vertex's output that the result is, or `NO_OUTPUT` for one that only later actions use.
    `timestamp_ns` None: now for what is made, the source's for what is copied.
    """

    input: int = SCRATCH
    output: int = NO_OUTPUT


class Copy(Action, frozen=True, kw_only=True, tag="copy"):
    """Copy `source` of the root `source_input` (numbered as `input`) to `destination`.

    A `destination` that ends with a slash or exists as a directory takes the source into itself; a directory's content is copied rather
    than itself with `contents_only`.  `follow_links`: of the source's last element.  `unpack`: archives are unpacked (ADD).
    `create_destination`: make the directories above.  `wildcard`: `source` is a pattern; fitting nothing is an error unless
    `allow_empty_wildcard`.  `include` and `exclude` are patterns relative to `source`: only what fits is copied, with its directories.
    `mode` None: the source's; `mode_text`: chmod's symbolic form (`u=rwX,go=rX`), instead.  `owner` None: the source's.
    `replace`: what lies at the destination and is of another kind gives way.  `required`: paths that have to be there.
    """

    source_input: int
    source: str
    destination: str
    owner: Owner | None = None
    mode: int | None = None
    mode_text: str = ""
    follow_links: bool = False
    contents_only: bool = False
    unpack: bool = False
    create_destination: bool = False
    wildcard: bool = False
    allow_empty_wildcard: bool = False
    include: list[str] = []
    exclude: list[str] = []
    required: list[str] = []
    replace: bool = False
    timestamp_ns: int | None = None


class MakeFile(Action, frozen=True, kw_only=True, tag="mkfile"):
    path: str
    data: bytes = b""
    mode: int = 0o644
    owner: Owner | None = None
    timestamp_ns: int | None = None


class MakeDirectory(Action, frozen=True, kw_only=True, tag="mkdir"):
    """There already: nothing happens."""

    path: str
    mode: int = 0o755
    parents: bool = False
    owner: Owner | None = None
    timestamp_ns: int | None = None


class Remove(Action, frozen=True, kw_only=True, tag="rm"):
    path: str
    allow_not_found: bool = False
    wildcard: bool = False


class Symlink(Action, frozen=True, kw_only=True, tag="symlink"):
    """A link at `path` that says `target`."""

    target: str
    path: str
    owner: Owner | None = None
    timestamp_ns: int | None = None


AnyAction = Copy | MakeFile | MakeDirectory | Remove | Symlink
