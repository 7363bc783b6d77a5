"""What a vertex of a build graph does: the operations, as values without I/O.

They say the same as BuildKit's LLB (`pb.Op`), so that a definition can be turned into them and back without loss; defaults are LLB's.
Paths are of the root file system they speak of, with slashes.  Inputs are numbers into `Vertex.inputs`; `SCRATCH` is an empty root.
Times are nanoseconds since the epoch.
"""

from enum import StrEnum

import msgspec

SCRATCH = -1
NO_OUTPUT = -1


class Op(msgspec.Struct, frozen=True, kw_only=True, tag_field="op"):
    """Base of all operations."""


# --- sources: no inputs, one output -------------------------------------------------------------------------------------------------


class ResolveMode(StrEnum):
    """Where an image is looked for: here first, always at the registry, only here."""

    DEFAULT = "default"
    PULL = "pull"
    LOCAL = "local"


class ImageSource(Op, frozen=True, kw_only=True, tag="image"):
    """`ref` canonical (`docker.io/library/alpine:latest`, with or without a digest); the platform is the vertex's."""

    ref: str
    resolve_mode: ResolveMode = ResolveMode.DEFAULT
    checksum: str = ""


class LayoutSource(Op, frozen=True, kw_only=True, tag="oci-layout"):
    """An image in an OCI layout that the client offers; `ref` has a digest."""

    ref: str
    store_id: str = ""
    session_id: str = ""


class LocalSource(Op, frozen=True, kw_only=True, tag="local"):
    """A directory of the client's.  Patterns as in .dockerignore.

    `shared_key` names the directory over several builds, so that only changes are sent.  `follow_paths`: only these paths and what
    their links lead to.
    """

    name: str
    include: list[str] = []
    exclude: list[str] = []
    follow_paths: list[str] = []
    shared_key: str = ""
    session_id: str = ""


class HttpSource(Op, frozen=True, kw_only=True, tag="http"):
    """One file.  `checksum`: a digest it must have.  `filename` empty: as the answer or the URL says."""

    url: str
    checksum: str = ""
    filename: str = ""
    mode: int = 0o600
    uid: int = 0
    gid: int = 0
    auth_header_secret: str = ""


class GitSource(Op, frozen=True, kw_only=True, tag="git"):
    """A work tree.  `ref`: branch, tag, commit; empty: the remote's HEAD.  `checksum`: the beginning of the commit it must be."""

    remote: str
    ref: str = ""
    subdir: str = ""
    checksum: str = ""
    keep_git_dir: bool = False
    skip_submodules: bool = False
    auth_token_secret: str = ""
    auth_header_secret: str = ""
    known_ssh_hosts: str = ""
    mount_ssh_socket: str = ""


# --- exec ---------------------------------------------------------------------------------------------------------------------------


class NetworkMode(StrEnum):
    """SANDBOX: the default bridge, as `docker run` has it."""

    SANDBOX = "sandbox"
    HOST = "host"
    NONE = "none"


class SecurityMode(StrEnum):
    """INSECURE: as a privileged container; has to be allowed (entitlement `security.insecure`)."""

    SANDBOX = "sandbox"
    INSECURE = "insecure"


class Sharing(StrEnum):
    """Of a cache mount between steps that run at once: the same directory; another one; one after the other."""

    SHARED = "shared"
    PRIVATE = "private"
    LOCKED = "locked"


class ExtraHost(msgspec.Struct, frozen=True, kw_only=True):
    host: str
    ip: str


class Rlimit(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    soft: int
    hard: int


class SecretEnv(msgspec.Struct, frozen=True, kw_only=True):
    """A secret as an environment variable of the process."""

    id: str
    name: str
    optional: bool = False


class Mount(msgspec.Struct, frozen=True, kw_only=True, tag_field="mount"):
    """`destination`: where the process sees it; "/" is the root file system, which exactly one mount of an exec must be."""

    destination: str


class BindMount(Mount, frozen=True, kw_only=True, tag="bind"):
    """`input`'s directory or file `selector`.

    Writable unless `read_only`; what is written is the vertex's output number `output`, or thrown away (`NO_OUTPUT`).
    """

    input: int = SCRATCH
    selector: str = ""
    output: int = NO_OUTPUT
    read_only: bool = False


class CacheMount(Mount, frozen=True, kw_only=True, tag="cache"):
    """A directory that outlives the build, found by `id`.  When it is made it is a copy of `input`'s `selector`.

    `uid`, `gid` and `mode` are those of a directory made anew without an input.
    """

    id: str
    sharing: Sharing = Sharing.SHARED
    input: int = SCRATCH
    selector: str = ""
    read_only: bool = False
    uid: int = 0
    gid: int = 0
    mode: int = 0o755


class TmpfsMount(Mount, frozen=True, kw_only=True, tag="tmpfs"):
    """`size_bytes` 0: the kernel's default."""

    size_bytes: int = 0


class SecretMount(Mount, frozen=True, kw_only=True, tag="secret"):
    """A secret as a file."""

    id: str
    uid: int = 0
    gid: int = 0
    mode: int = 0o400
    optional: bool = False


class SshMount(Mount, frozen=True, kw_only=True, tag="ssh"):
    """The client's ssh agent as a socket."""

    id: str = "default"
    uid: int = 0
    gid: int = 0
    mode: int = 0o600
    optional: bool = False


AnyMount = BindMount | CacheMount | TmpfsMount | SecretMount | SshMount


class ProxyEnv(msgspec.Struct, frozen=True, kw_only=True):
    """Proxy settings for the process that are no part of what is cached."""

    http_proxy: str = ""
    https_proxy: str = ""
    ftp_proxy: str = ""
    no_proxy: str = ""
    all_proxy: str = ""


class ExecOp(Op, frozen=True, kw_only=True, tag="exec"):
    """Run a process.  Outputs: one per mount with an `output`, numbered without gaps; usually one, the root (0).

    `env`: NAME=value.  `user`: as in `docker run`, looked up in the root.  `shm_size` 0: the engine's default.
    """

    args: list[str]
    mounts: list[AnyMount]
    env: list[str] = []
    cwd: str = "/"
    user: str = ""
    hostname: str = ""
    network: NetworkMode = NetworkMode.SANDBOX
    security: SecurityMode = SecurityMode.SANDBOX
    extra_hosts: list[ExtraHost] = []
    ulimits: list[Rlimit] = []
    shm_size: int = 0
    cgroup_parent: str = ""
    secret_env: list[SecretEnv] = []
    devices: list[str] = []
    valid_exit_codes: list[int] = []
    remove_mount_stubs: bool = False
    proxy: ProxyEnv | None = None


# --- files --------------------------------------------------------------------------------------------------------------------------


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


class FileOp(Op, frozen=True, kw_only=True, tag="file"):
    """Change files without running anything.  Actions go one after the other."""

    actions: list[AnyAction]


# --- merge and diff -----------------------------------------------------------------------------------------------------------------


class MergeOp(Op, frozen=True, kw_only=True, tag="merge"):
    """All inputs, one over the other, the first lowest."""


class DiffOp(Op, frozen=True, kw_only=True, tag="diff"):
    """What `upper` has changed over `lower` (input numbers or `SCRATCH`), as a root without the rest."""

    lower: int = SCRATCH
    upper: int = SCRATCH


Source = ImageSource | LayoutSource | LocalSource | HttpSource | GitSource
AnyOp = Source | ExecOp | FileOp | MergeOp | DiffOp
