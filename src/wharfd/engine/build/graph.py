"""Build graphs: vertices addressed by their content, and the edges between them.  No I/O.

A `Vertex` does one operation on the outputs of others.  Its `digest` says what it does with what: two vertices of the same digest are the
same, whoever made them.  How a vertex is shown and whether its cached result may be used (`VertexMeta`) is no part of the digest.

    busybox = Vertex(op=ImageSource(ref="docker.io/library/busybox:latest"), meta=VertexMeta(name="FROM busybox")).output()
    run = Vertex(op=ExecOp(args=["/bin/sh", "-c", "echo hi > /x"], mounts=[BindMount(destination="/", input=0, output=0)]),
                 inputs=(busybox,), meta=VertexMeta(name="RUN echo hi > /x"))
    root = run.output()

An empty root is `None` where an `Output` is asked for (`FROM scratch`).
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from wharfd.engine.build.ops import (
    AnyOp,
    DiffOp,
    ExecOp,
    FileOp,
    GitSource,
    HttpSource,
    ImageSource,
    LayoutSource,
    LocalSource,
    MergeOp,
    SecretMount,
    Source,
    SshMount,
)
from wharfd.model.errors import InvalidParameter
from wharfd.model.ids import Digest
from wharfd.wire.masking import masked
from wharfd.wire.oci import Platform

encode = msgspec.json.Encoder(order="deterministic").encode


@dataclass(frozen=True, slots=True)
class ProgressGroup:
    """Vertices that are shown as one.  `weak`: only if all of them are of the group."""

    id: str
    name: str
    weak: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VertexMeta:
    """How a vertex is shown, and how its result may be used.

    `name` is shown to users (`[2/3] RUN make`); empty: made from the operation.  `description`: what the frontend wants to remember.
    `ignore_cache`: it is done even if its result is known.  `export_cache`: None, or what an exported cache shall do with it.
    """

    name: str = ""
    description: Mapping[str, str] = field(default_factory=dict)
    ignore_cache: bool = False
    export_cache: bool | None = None
    progress_group: ProgressGroup | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Vertex:
    """Compared by identity; `digest` tells equal ones.  `platform` None: this host's."""

    op: AnyOp
    inputs: tuple["Output", ...] = ()
    platform: Platform | None = None
    meta: VertexMeta = field(default_factory=VertexMeta)
    digest: Digest = field(init=False)

    def __post_init__(self) -> None:
        inputs = [(each.vertex.digest, each.index) for each in self.inputs]
        object.__setattr__(self, "digest", content_digest([self.op, inputs, self.platform]))

    @property
    def name(self) -> str:
        return self.meta.name or describe(self.op)

    def output(self, index: int = 0) -> "Output":
        return Output(self, index)

    def __repr__(self) -> str:
        return f"Vertex({self.digest[7:19]} {self.name!r})"


@dataclass(frozen=True, slots=True)
class Output:
    """A root file system: the output number `index` of a vertex."""

    vertex: Vertex
    index: int = 0


def content_digest(value: object) -> Digest:
    return Digest("sha256:" + hashlib.sha256(encode(value)).hexdigest())


def walk(outputs: Iterable[Output | None]) -> Iterator[Vertex]:
    """Every vertex that these outputs need, once per digest, inputs before those that use them."""
    seen: set[Digest] = set()
    for output in outputs:
        if output is None:
            continue
        stack: list[tuple[Vertex, Iterator[Output]]] = []
        if output.vertex.digest not in seen:
            seen.add(output.vertex.digest)
            stack.append((output.vertex, iter(output.vertex.inputs)))
        while stack:
            vertex, rest = stack[-1]
            below = next(rest, None)
            if below is None:
                stack.pop()
                yield vertex
            elif below.vertex.digest not in seen:
                seen.add(below.vertex.digest)
                stack.append((below.vertex, iter(below.vertex.inputs)))


def output_count(vertex: Vertex) -> int:
    """How many roots the vertex gives."""
    match vertex.op:
        case ExecOp(mounts=mounts):
            numbers = [getattr(mount, "output", -1) for mount in mounts]
        case FileOp(actions=actions):
            numbers = [action.output for action in actions]
        case _:
            return 1
    return max(numbers, default=-1) + 1


def check(outputs: Iterable[Output | None]) -> None:
    """Refuse a graph that cannot be carried out, whatever made it.

    Raises InvalidParameter, with the vertex's name.
    """
    for vertex in walk(outputs):
        try:
            check_vertex(vertex)
        except InvalidParameter as e:
            raise e.prefixed(f"invalid build step {vertex.name!r}: ") from e


def check_vertex(vertex: Vertex) -> None:
    count = len(vertex.inputs)
    for each in vertex.inputs:
        if not 0 <= each.index < output_count(each.vertex):
            raise InvalidParameter(f"its input {each.vertex.name!r} has no output {each.index}")
    match vertex.op:
        case ExecOp(args=args, mounts=mounts):
            if not args:
                raise InvalidParameter("nothing to run")
            if sum(mount.destination == "/" for mount in mounts) != 1:
                raise InvalidParameter("exactly one mount has to be the root")
            for mount in mounts:
                in_range("mount", getattr(mount, "input", -1), count)
                if isinstance(mount, SecretMount | SshMount) and not mount.id:
                    raise InvalidParameter("a secret without an id")
        case FileOp(actions=actions):
            if not actions:
                raise InvalidParameter("no file action")
            for number, action in enumerate(actions):
                in_range("file action", action.input, count + number)
                in_range("file action", getattr(action, "source_input", -1), count + number)
        case MergeOp():
            if not vertex.inputs:
                raise InvalidParameter("nothing to merge")
        case DiffOp(lower=lower, upper=upper):
            in_range("diff", lower, count)
            in_range("diff", upper, count)
        case _:
            if count:
                raise InvalidParameter("a source has no inputs")


def in_range(what: str, number: int, limit: int) -> None:
    if not -1 <= number < limit:
        raise InvalidParameter(f"{what} refers to input {number} of {limit}")


def describe(op: AnyOp) -> str:
    """A name for a vertex whose maker gave none."""
    match op:
        case ExecOp(args=args):
            return " ".join(args)
        case FileOp(actions=actions):
            return ", ".join(type(action).__name__.lower() for action in actions)
        case MergeOp():
            return "merge"
        case DiffOp():
            return "diff"
        case _:
            return describe_source(op)


def describe_source(op: Source) -> str:
    """As BuildKit's identifiers: `docker-image://docker.io/library/alpine:latest`."""
    match op:
        case ImageSource(ref=ref):
            return f"docker-image://{ref}"
        case LayoutSource(ref=ref):
            return f"oci-layout://{ref}"
        case LocalSource(name=name):
            return f"local://{name}"
        case HttpSource(url=url):
            return masked(url)
        case GitSource(remote=remote, ref=ref):
            remote = masked(remote)
            return f"git://{remote.partition('://')[2] or remote}" + (f"#{ref}" if ref else "")
