import pytest

from wharfd.engine.build.filesteps import OWN, FileSteps, chains
from wharfd.engine.build.ops import AnyAction, Copy, DiffOp, FileOp, MakeDirectory, MakeFile, Named, Owner, Remove
from wharfd.engine.build.roots import EMPTY, Root
from wharfd.model.errors import InvalidParameter, NotImplementedHere
from wharfd.model.ids import ChainId, Digest
from wharfd.model.tree import RootView
from wharfd.ports.snapshots import Staged
from wharfd.ports.storage import LayerInfo


class Snapshots:
    def __init__(self) -> None:
        self.staged = 0
        self.kept: list[ChainId | None] = []
        self.discarded = 0

    async def stage(self, parent: ChainId | None) -> Staged:
        self.staged += 1
        return Staged(directory=f"s{self.staged}", upper=f"s{self.staged}/diff", work=f"s{self.staged}/work")

    async def keep(self, staged: Staged, parent: ChainId | None, size_bytes: int) -> LayerInfo:
        self.kept.append(parent)
        name = ChainId(f"layer{len(self.kept)}")
        return LayerInfo(chain_id=name, parent=parent, diff_id=Digest(""), size_bytes=size_bytes)

    async def discard(self, staged: Staged) -> None:
        self.discarded += 1

    def view(self, layers: list[ChainId], staged: Staged | None = None) -> RootView:
        return RootView(lower=[*reversed(layers)], upper=staged.upper if staged else "")


class Files:
    def __init__(self) -> None:
        self.applied: list[tuple[RootView, list[RootView], list[AnyAction]]] = []
        self.error: Exception | None = None

    async def apply(self, target: RootView, roots: list[RootView], actions: list[AnyAction]) -> int:
        if self.error is not None:
            raise self.error
        self.applied.append((target, list(roots), list(actions)))
        return 7


BASE, SOURCE = Root((ChainId("base"),)), Root((ChainId("one"), ChainId("two")))


@pytest.fixture
def snapshots() -> Snapshots:
    return Snapshots()


@pytest.fixture
def files() -> Files:
    return Files()


@pytest.fixture
def steps(snapshots: Snapshots, files: Files) -> FileSteps:
    return FileSteps(snapshots=snapshots, files=files)  # type: ignore[arg-type]


def test_actions_in_a_row_share_a_layer() -> None:
    op = FileOp(
        actions=[
            MakeDirectory(path="/a", input=0),
            MakeFile(path="/a/f", input=1),
            Remove(path="/x", input=2, output=0),
        ]
    )
    (chain,) = chains(op, 1)
    assert (chain.base, len(chain.actions), chain.results) == (0, 3, [1, 2, 3])


@pytest.mark.parametrize(
    "actions",
    [
        # The first result is an output of its own.
        [MakeDirectory(path="/a", input=0, output=1), MakeFile(path="/f", input=1, output=0)],
        # It is wanted twice.
        [
            MakeDirectory(path="/a", input=0),
            MakeFile(path="/f", input=1, output=0),
            MakeFile(path="/g", input=1, output=1),
        ],
        # The second is built on something else.
        [MakeDirectory(path="/a", input=0, output=0), MakeFile(path="/f", input=0, output=1)],
    ],
)
def test_results_that_are_wanted_have_layers_of_their_own(actions: list[AnyAction]) -> None:
    assert len(chains(FileOp(actions=actions), 1)) == len(actions)


async def test_a_copy_reads_its_source_and_writes_a_layer_over_its_base(
    steps: FileSteps, snapshots: Snapshots, files: Files
) -> None:
    copy = Copy(
        input=0, source_input=1, source="/s", destination="/d", output=0, owner=Owner(user=Named(name="me", input=0))
    )
    made = await steps.change(FileOp(actions=[copy]), [BASE, SOURCE])
    assert [root.layers for root in made.outputs] == [("base", "layer1")]
    assert (made.layers, made.size_bytes, snapshots.kept) == (["layer1"], 7, ["base"])
    ((target, roots, (action,)),) = files.applied
    assert (target.lower, target.upper) == (["base"], "s1/diff")
    assert [root.lower for root in roots] == [["two", "one"], ["base"]]
    assert isinstance(action, Copy)
    assert (action.input, action.source_input) == (OWN, 0)
    assert action.owner == Owner(user=Named(name="me", input=1))


async def test_the_result_of_an_earlier_action_can_be_read(steps: FileSteps, files: Files) -> None:
    actions: list[AnyAction] = [
        MakeFile(path="/f", input=-1),
        Copy(input=0, source_input=1, source="/f", destination="/g", output=0),
    ]
    made = await steps.change(FileOp(actions=actions), [BASE])
    assert [root.layers for root in made.outputs] == [("base", "layer2")]
    assert files.applied[1][1] == [RootView(lower=["layer1"])]


async def test_several_outputs_come_in_their_order(steps: FileSteps) -> None:
    actions: list[AnyAction] = [MakeFile(path="/b", input=0, output=1), MakeFile(path="/a", input=-1, output=0)]
    made = await steps.change(FileOp(actions=actions), [BASE])
    assert [root.layers for root in made.outputs] == [("layer2",), ("base", "layer1")]


async def test_what_fails_leaves_no_stage(steps: FileSteps, snapshots: Snapshots, files: Files) -> None:
    files.error = InvalidParameter("no")
    with pytest.raises(InvalidParameter):
        await steps.change(FileOp(actions=[MakeFile(path="/f", input=0, output=0)]), [BASE])
    assert (snapshots.staged, snapshots.discarded) == (1, 1)


async def test_merging_and_taking_apart(steps: FileSteps) -> None:
    merged = await steps.merge([BASE, SOURCE, EMPTY])
    assert merged.outputs[0].layers == ("base", "one", "two")
    apart = await steps.diff(DiffOp(lower=0, upper=1), [BASE, merged.outputs[0]])
    assert apart.outputs[0].layers == ("one", "two")
    assert (await steps.diff(DiffOp(upper=0), [BASE])).outputs[0] == BASE
    with pytest.raises(NotImplementedHere):
        await steps.diff(DiffOp(lower=0, upper=1), [SOURCE, BASE])
