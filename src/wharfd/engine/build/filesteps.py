"""Steps that change files without running anything, and those that only put layers together."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from wharfd.engine.build.graph import Vertex
from wharfd.engine.build.ops import AnyAction, Copy, DiffOp, FileOp, MergeOp, Named, Owner, Remove
from wharfd.engine.build.roots import EMPTY, Root
from wharfd.engine.build.solver import Made
from wharfd.model.errors import NotImplementedHere
from wharfd.model.ids import ChainId
from wharfd.model.tree import RootView
from wharfd.ports.buildfiles import BuildFiles
from wharfd.ports.snapshots import SnapshotStore

OWN = -1  # in a worker's job: the root that is changed


@dataclass(slots=True)
class Chain:
    """Actions that go one after the other on the same root, into one layer.  `results`: their numbers as inputs of later ones."""

    base: int
    actions: list[AnyAction] = field(default_factory=list)
    results: list[int] = field(default_factory=list)


class FileSteps:
    def __init__(self, *, snapshots: SnapshotStore, files: BuildFiles) -> None:
        self.snapshots = snapshots
        self.files = files

    async def change(self, op: FileOp, inputs: Sequence[Root]) -> Made:
        """Raises NotFound, InvalidParameter; nothing is left then that a later garbage collection does not find."""
        roots = dict(enumerate(inputs))
        made: list[ChainId] = []
        size = 0
        for chain in chains(op, len(inputs)):
            layer, layer_size = await self.write(chain, roots)
            made.append(layer)
            size += layer_size
            result = Root((*roots.get(chain.base, EMPTY).layers, layer))
            roots |= dict.fromkeys(chain.results, result)
        outputs = {action.output: roots[len(inputs) + number] for number, action in enumerate(op.actions)}
        return Made([outputs[number] for number in sorted(outputs) if number >= 0], made, size)

    async def write(self, chain: Chain, roots: dict[int, Root]) -> tuple[ChainId, int]:
        """A layer with what the actions change.  Raises what `apply` raises."""
        base = roots.get(chain.base, EMPTY)
        used = [base] if base.local is not None else []
        numbers: dict[int, int] = dict.fromkeys(chain.results, OWN)
        actions: list[AnyAction] = []
        if base.local is not None:
            # A client's directory as the root to be changed: its files are copied first.
            actions.append(Copy(input=OWN, source_input=0, source="/", destination="/", contents_only=True))
        for action in chain.actions:
            for number in referred(action)[1:]:
                if number not in numbers:
                    numbers[number] = len(used)
                    used.append(roots.get(number, EMPTY))
            actions.append(renumbered(action, numbers))
        layers = base.layers
        staged = await self.snapshots.stage(layers[-1] if layers else None)
        try:
            view = self.snapshots.view(layers, staged)
            size = await self.files.apply(view, [self.view(root) for root in used], actions)
            info = await self.snapshots.keep(staged, layers[-1] if layers else None, size)
        except BaseException:
            await self.snapshots.discard(staged)
            raise
        return info.chain_id, size

    def view(self, root: Root) -> RootView:
        if root.local is not None:
            return RootView(lower=[root.local.tree.path])
        return self.snapshots.view(root.layers)

    async def as_layers(self, root: Root) -> Made:
        """A client's directory as a layer; others as they are."""
        if root.local is None:
            return Made([root], [], 0)
        layer, size = await self.write(Chain(0), {0: root})
        return Made([Root((layer,))], [layer], size)

    async def merge(self, inputs: Sequence[Root]) -> Made:
        layers: list[ChainId] = []
        made: list[ChainId] = []
        size = 0
        for root in inputs:
            one = await self.as_layers(root)
            made += one.layers
            size += one.size_bytes
            layers += one.outputs[0].layers
        return Made([Root(tuple(layers))], made, size)

    async def diff(self, op: DiffOp, inputs: Sequence[Root]) -> Made:
        lower, upper = (inputs[number] if number >= 0 else EMPTY for number in (op.lower, op.upper))
        above = await self.as_layers(upper)
        below = lower.layers
        if above.outputs[0].layers[: len(below)] != below or lower.local is not None:
            raise NotImplementedHere("difference of two roots of which the one is not built on the other")
        return Made([Root(above.outputs[0].layers[len(below) :])], above.layers, above.size_bytes)

    async def __call__(self, vertex: Vertex, inputs: Sequence[Root]) -> Made:
        match vertex.op:
            case FileOp() as op:
                return await self.change(op, inputs)
            case MergeOp():
                return await self.merge(inputs)
            case DiffOp() as op:
                return await self.diff(op, inputs)
        raise NotImplementedHere(f"build step {type(vertex.op).__name__}")


def chains(op: FileOp, count: int) -> Sequence[Chain]:
    """Actions whose result nobody wants but the next one share a layer with it.  `count` of the vertex's inputs."""
    wanted = Counter(number for action in op.actions for number in referred(action))
    found: list[Chain] = []
    for number, action in enumerate(op.actions):
        before = count + number - 1
        goes_on = number > 0 and action.input == before and wanted[before] == 1 and op.actions[number - 1].output < 0
        if not goes_on:
            found.append(Chain(action.input))
        found[-1].actions.append(action)
        found[-1].results.append(count + number)
    return found


def referred(action: AnyAction) -> Sequence[int]:
    """The roots that it speaks of, that which it changes first."""
    owner = None if isinstance(action, Remove) else action.owner
    names = [each.input for each in (owner.user, owner.group) if isinstance(each, Named)] if owner else []
    return [action.input, *([action.source_input] if isinstance(action, Copy) else []), *names]


def renumbered(action: AnyAction, numbers: dict[int, int]) -> AnyAction:
    changes: dict[str, object] = {"input": OWN, "output": OWN}
    if isinstance(action, Copy):
        changes["source_input"] = numbers[action.source_input]
    owner = None if isinstance(action, Remove) else action.owner
    if owner is not None:
        changes["owner"] = Owner(user=named(owner.user, numbers), group=named(owner.group, numbers))
    return msgspec.structs.replace(action, **changes)


def named(who: int | Named | None, numbers: dict[int, int]) -> int | Named | None:
    return Named(name=who.name, input=numbers[who.input]) if isinstance(who, Named) else who
