"""A graph in the making: steps that still wait for what is known at the end only, such as which files of the context are used.

`build` turns drafts into outputs; what nobody needs is never built.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from wharfd.engine.build.graph import Output, Vertex, VertexMeta
from wharfd.engine.build.ops import AnyOp
from wharfd.model.ids import Digest
from wharfd.wire.dockerfile.errors import LineRange
from wharfd.wire.oci import Platform


@dataclass(eq=False, slots=True, kw_only=True)
class Draft:
    """One step; its result is the first output.

    `op` may be a function that is asked when the graph is built.  `lines`: of the Dockerfile that it comes from.  `given`: an output that
    exists already, instead of all else.  An input that is an empty root is not in `inputs`.
    """

    op: AnyOp | Callable[[], AnyOp] | None = None
    inputs: Sequence["Draft"] = ()
    platform: Platform | None = None
    meta: VertexMeta = field(default_factory=VertexMeta)
    lines: LineRange | None = None
    given: Output | None = None


class Builder:
    """Builds each draft once.  `places`: by vertex, the lines that it comes from."""

    def __init__(self) -> None:
        self.built: dict[Draft, Output] = {}
        self.places: dict[Digest, LineRange] = {}

    def build(self, draft: Draft | None) -> Output | None:
        """None is an empty root."""
        if draft is None:
            return None
        stack: list[tuple[Draft, Iterator[Draft]]] = [(draft, iter(draft.inputs))]
        while stack:
            current, rest = stack[-1]
            below = next((each for each in rest if each not in self.built), None)
            if below is not None:
                stack.append((below, iter(below.inputs)))
                continue
            stack.pop()
            if current not in self.built:
                self.built[current] = self.output(current)
        return self.built[draft]

    def output(self, draft: Draft) -> Output:
        if draft.given is not None:
            return draft.given
        op = draft.op() if callable(draft.op) else draft.op
        assert op is not None
        inputs = tuple(self.built[each] for each in draft.inputs)
        vertex = Vertex(op=op, inputs=inputs, platform=draft.platform, meta=draft.meta)
        if draft.lines is not None:
            self.places.setdefault(vertex.digest, draft.lines)
        return vertex.output()
