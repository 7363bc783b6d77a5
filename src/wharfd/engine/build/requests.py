"""What doors, frontends and the builder hand to each other.  Values only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from wharfd.engine.build.client import ExportTarget
from wharfd.engine.build.graph import Output
from wharfd.engine.build.progress import SourceFile, SourceRange
from wharfd.model.ids import Digest
from wharfd.wire.oci import Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheRef:
    """A cache to import or export: `type` registry, local, inline, gha; `attributes` as BuildKit names them (ref, src, dest, mode, …)."""

    type: str
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """`type`: image (also called moby), docker, oci, local, tar, or cacheonly.  `attributes` as BuildKit's exporters name them.

    name (comma-separated), push, unpack, store, compression, oci-mediatypes, annotation.*, source-date-epoch, rewrite-timestamp,
    platform-split, …  `target` for docker, oci, local and tar; None: docker and oci go into the image store.
    """

    type: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    target: ExportTarget | None = None
    id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecLimits:
    """What the classic door lets a client ask for all RUN steps of a build.  No part of what is cached."""

    memory_bytes: int = 0
    memory_swap_bytes: int = 0
    cpu_shares: int = 0
    cpu_period: int = 0
    cpu_quota: int = 0
    cpuset_cpus: str = ""
    cpuset_mems: str = ""
    cgroup_parent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildOptions:
    """One build.  `ref`: the client's name for it; empty: one is made.  `entitlements`: network.host, security.insecure, …

    `frontend` and `frontend_attributes` are kept in the history.  `internal`: it is not kept there.  `sequential`: one step at a time, in
    the order of the graph (classic door).  `network`: the network (name or id) of steps that ask for none in particular; empty: the
    default bridge.
    """

    ref: str = ""
    entitlements: frozenset[str] = frozenset()
    cache_imports: Sequence[CacheRef] = ()
    cache_exports: Sequence[CacheRef] = ()
    frontend: str = ""
    frontend_attributes: Mapping[str, str] = field(default_factory=dict)
    limits: ExecLimits = field(default_factory=ExecLimits)
    network: str = ""
    internal: bool = False
    sequential: bool = False
    session_id: str = ""
    own_hostnames: bool = False  # each step is called by its container's id, as in the classic builder


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontendRequest:
    """`name`: dockerfile.v0.  `attributes` as BuildKit's (`build-arg:X`, target, platform, no-cache, filename, label:X, …).

    `inputs`: roots that the caller has solved before, by name (named contexts, `dockerfile` …).
    """

    name: str = "dockerfile.v0"
    attributes: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, Output | None] = field(default_factory=dict)
    cache_imports: Sequence[CacheRef] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One instruction of a Dockerfile, as the classic door tells it.

    `text` as it stands in the file, on one line, as dockerd prints it.  `output`: the root after it; `config`: the image's config
    (JSON of an OCI image config without `rootfs`) after it.  `is_run`: a process runs.  `stage` counts from 0; -1: an ARG before the first
    stage.  A base's triggers belong to the step of its FROM.
    """

    text: str
    output: Output | None
    config: bytes
    stage: int = 0
    is_run: bool = False


Place = tuple[SourceFile, tuple[SourceRange, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildResult:
    """What a frontend made of its request, or a client put together by himself (LLBBridge.Return).

    `roots`: by platform id (`linux/amd64`; "" if there is only one and nobody asked).  None is an empty root.  `metadata`: with BuildKit's
    keys: `containerimage.config` or `containerimage.config/<platform>` (JSON of an OCI image config; the exporter fills in `rootfs`,
    empties or adds to `history` until it fits), `refs.platforms`, `containerimage.inlinecache`, `source-date-epoch`, …
    `steps`: in the order of the Dockerfile, for all that was built up to the target.  `places`: by vertex, the lines it was made from.
    """

    roots: Mapping[str, Output | None] = field(default_factory=dict)
    metadata: Mapping[str, bytes] = field(default_factory=dict)
    steps: Sequence[Step] = ()
    places: Mapping[Digest, Sequence[Place]] = field(default_factory=dict)
    attestations: Mapping[str, Sequence["Attestation"]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attestation:
    """A statement about a platform's image: an in-toto predicate, or a path in a root that holds one."""

    kind: str
    root: Output | None = None
    path: str = ""
    predicate: bytes = b""
    predicate_type: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedImageSource:
    """`ref` canonical with the digest that it means now; `config` of the manifest for the platform."""

    ref: str
    digest: Digest
    config: bytes
    platform: Platform
