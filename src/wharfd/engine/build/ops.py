"""What a vertex of a build graph does: the operations, as values without I/O.

They say the same as BuildKit's LLB (`pb.Op`), so that a definition can be turned into them and back without loss; defaults are LLB's.
Paths are of the root file system they speak of, with slashes.  Inputs are numbers into `Vertex.inputs`; `SCRATCH` is an empty root.
Times are nanoseconds since the epoch.
"""

from enum import StrEnum

import msgspec

from wharfd.model.fileactions import (
    NO_OUTPUT,
    SCRATCH,
    Action,
    AnyAction,
    Copy,
    MakeDirectory,
    MakeFile,
    Named,
    Owner,
    Remove,
    Symlink,
)


class Op(msgspec.Struct, frozen=True, kw_only=True, tag_field="op"):
    """Base of all operations."""


# --- sources: no inputs, one output -------------------------------------------------------------------------------------------------


class ResolveMode(StrEnum):
    """Where an image is looked for: here first, always at the registry, here first in any case (what buildx asks for)."""

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

__all__ = [
    "Action",
    "AnyAction",
    "AnyMount",
    "AnyOp",
    "BindMount",
    "CacheMount",
    "Copy",
    "DiffOp",
    "ExecOp",
    "ExtraHost",
    "FileOp",
    "GitSource",
    "HttpSource",
    "ImageSource",
    "LayoutSource",
    "LocalSource",
    "MakeDirectory",
    "MakeFile",
    "MergeOp",
    "Mount",
    "NO_OUTPUT",
    "Named",
    "NetworkMode",
    "Op",
    "Owner",
    "ProxyEnv",
    "Remove",
    "ResolveMode",
    "Rlimit",
    "SCRATCH",
    "SecretEnv",
    "SecretMount",
    "SecurityMode",
    "Sharing",
    "Source",
    "SshMount",
    "Symlink",
    "TmpfsMount",
]
