"""Cache keys: when two steps do the same.

A step's key is the digest of what it does and of what it does it with.  What it is *built on* (the root that it changes, mounts that it may
write to) counts by its own key; what it only *reads* counts by the content of the part that it reads, so that another file of the same
context, or a stage that was built anew with the same outcome, changes nothing.  Times of files, names of steps, sessions and values of
secrets do not count.

The quick key is made from the inputs' keys alone.  It finds a step of which nothing has changed without looking at any content.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from wharfd.engine.build.graph import Output, Vertex, content_digest
from wharfd.engine.build.ops import BindMount, Copy, ExecOp, FileOp, LocalSource
from wharfd.model.ids import Digest
from wharfd.model.tree import Selection


@dataclass(frozen=True, slots=True)
class InputUse:
    """How a step uses one of its inputs.  `selections`: the parts that it reads; empty and not `is_base`: not at all."""

    is_base: bool
    selections: Sequence[Selection]


def uses(vertex: Vertex) -> Sequence[InputUse]:
    """For each input."""
    bases: set[int] = set()
    selections: dict[int, list[Selection]] = {}
    match vertex.op:
        case FileOp(actions=actions):
            for action in actions:
                bases.add(action.input)
                if isinstance(action, Copy):
                    selections.setdefault(action.source_input, []).append(selection_of(action))
        case ExecOp(mounts=mounts):
            for mount in mounts:
                number = getattr(mount, "input", -1)
                if isinstance(mount, BindMount) and mount.read_only and mount.destination != "/":
                    selections.setdefault(number, []).append(Selection(path=mount.selector or "/"))
                else:
                    bases.add(number)
        case _:
            bases.update(range(len(vertex.inputs)))
    return [
        InputUse(number in bases, () if number in bases else tuple(selections.get(number, ())))
        for number in range(len(vertex.inputs))
    ]


def selection_of(action: Copy) -> Selection:
    return Selection(
        path=action.source or "/",
        wildcard=action.wildcard,
        follow_links=action.follow_links or action.unpack,
        include=action.include,
        exclude=action.exclude,
        required=action.required,
    )


def spine(outputs: Iterable[Output | None]) -> set[Digest]:
    """The vertices whose layers these outputs consist of: what they are built on, and so on down."""
    found: set[Digest] = set()
    pending = [output.vertex for output in outputs if output is not None]
    while pending:
        vertex = pending.pop()
        if vertex.digest not in found:
            found.add(vertex.digest)
            pending += [each.vertex for each, use in zip(vertex.inputs, uses(vertex), strict=True) if use.is_base]
    return found


def is_read(vertex: Vertex) -> bool:
    """Has it inputs that count by their content?"""
    return any(use.selections for use in uses(vertex))


def quick_key(vertex: Vertex, inputs: Sequence[Digest]) -> Digest:
    """`inputs`: the keys of the inputs."""
    return content_digest(["quick", operation(vertex), inputs])


def content_key(vertex: Vertex, inputs: Sequence[Digest], contents: Mapping[int, Sequence[Digest]]) -> Digest:
    """`contents`: for each input that is read, the digests of its selections."""
    parts = [contents.get(number, [key]) for number, key in enumerate(inputs)]
    return content_digest(["step", operation(vertex), parts])


def operation(vertex: Vertex) -> Digest:
    """What is done, without what does not matter for the outcome."""
    op = vertex.op
    if isinstance(op, ExecOp):
        op = msgspec.structs.replace(op, proxy=None, cgroup_parent="")
    elif isinstance(op, LocalSource):
        op = msgspec.structs.replace(op, session_id="", shared_key="")
    return content_digest([op, vertex.platform, [each.index for each in vertex.inputs]])


def output_key(key: Digest, index: int) -> Digest:
    """Of one of a step's outputs."""
    return key if index == 0 else content_digest(["output", key, index])


def selection_fact(selections: Sequence[Selection]) -> str:
    """The name under which a record remembers the digests of these parts of its output."""
    return "content:" + content_digest(list(selections))
