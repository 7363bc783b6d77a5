"""A solver over steps and sources that do nothing but say what they were asked."""

import asyncio
import itertools
from collections.abc import Sequence

from wharfd.engine.build.cache import BuildCache
from wharfd.engine.build.client import NothingOffered
from wharfd.engine.build.failures import StepFailed
from wharfd.engine.build.graph import Output, Vertex, VertexMeta, content_digest
from wharfd.engine.build.ops import BindMount, Copy, ExecOp, FileOp, ImageSource, MergeOp
from wharfd.engine.build.progress import Update, VertexUpdate
from wharfd.engine.build.reports import Report
from wharfd.engine.build.requests import BuildOptions
from wharfd.engine.build.roots import Root
from wharfd.engine.build.scene import Scene
from wharfd.engine.build.solver import Found, Made, Solver, Workshop
from wharfd.engine.events import EventBus
from wharfd.engine.images.garbage import Garbage
from wharfd.engine.images.leases import Leases
from wharfd.engine.ledger import Ledger
from wharfd.engine.tasks import Tasks
from wharfd.model.errors import NotFound
from wharfd.model.ids import ChainId, Digest
from wharfd.model.tree import RootView, Selection
from wharfd.testing.world import World


class Steps:
    """Each step makes a layer.  `gates[name]` holds it up, `faults[name]` makes it fail."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.done: list[str] = []
        self.running: set[str] = set()
        self.most = 0
        self.gates: dict[str, asyncio.Event] = {}
        self.faults: set[str] = set()
        self.numbers = itertools.count()

    async def __call__(self, vertex: Vertex, inputs: Sequence[Root], scene: Scene, report: Report) -> Made:
        self.running.add(vertex.name)
        self.most = max(self.most, len(self.running))
        report.log(1, f"<{vertex.name}>".encode())
        try:
            if vertex.name in self.gates:
                await self.gates[vertex.name].wait()
            else:
                await asyncio.sleep(0)
            if vertex.name in self.faults:
                raise StepFailed(vertex, f"{vertex.name} failed")
        finally:
            self.running.discard(vertex.name)
        self.done.append(vertex.name)
        layer = f"sha256:{next(self.numbers):064x}"
        self.world.layers.put(layer, {vertex.name: b"x"})
        base = inputs[0].layers if inputs else ()
        return Made([Root((*base, ChainId(layer)))], [ChainId(layer)], 1)


class Sources:
    def __init__(self) -> None:
        self.asked: list[str] = []
        self.versions: dict[str, int] = {}

    async def __call__(self, vertex: Vertex, scene: Scene, report: Report) -> Found:
        assert isinstance(vertex.op, ImageSource)
        self.asked.append(vertex.op.ref)
        if vertex.op.ref == "missing":
            raise NotFound("no such image")
        return Found(content_digest([vertex.op.ref, self.versions.get(vertex.op.ref, 0)]), Root())


class Files:
    """`contents[name of the step that made the root]` is what its parts are; a root is known by its uppermost layer."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.contents: dict[str, str] = {}
        self.asked = 0

    async def digests(self, view: RootView, selections: Sequence[Selection]) -> Sequence[Digest]:
        self.asked += 1
        (maker,) = self.world.layers.files[view.lower[0]]
        if self.contents.get(maker) == "missing":
            raise NotFound('"/nope": not found')
        return [content_digest([self.contents.get(maker, maker), each]) for each in selections]


class Snapshots:
    def view(self, layers: Sequence[ChainId], staged: object = None) -> RootView:
        return RootView(lower=[*reversed(layers)])


class SolverRig:
    def __init__(self, world: World | None = None) -> None:
        self.world = world or World()
        self.tasks = Tasks()
        self.ledger = Ledger(self.world.records, EventBus())
        self.leases = Leases()
        self.garbage = Garbage(
            ledger=self.ledger,
            clock=self.world.clock,
            content=self.world.content,
            layers=self.world.layers,
            leases=self.leases,
        )
        self.cache = BuildCache(
            ledger=self.ledger, clock=self.world.clock, layers=self.world.layers, garbage=self.garbage
        )
        self.steps, self.sources, self.files = Steps(self.world), Sources(), Files(self.world)
        ids = itertools.count()
        self.shop = Workshop(
            tasks=self.tasks,
            clock=self.world.clock,
            cache=self.cache,
            snapshots=Snapshots(),  # type: ignore[arg-type]
            files=self.files,  # type: ignore[arg-type]
            sources=self.sources,
            steps=self.steps,
            new_id=lambda: f"record{next(ids)}",
        )

    async def open(self) -> None:
        await self.ledger.open()
        await self.cache.open()

    def build(self, ref: str = "build") -> "Build":
        return Build(self, ref)

    async def close(self) -> None:
        await self.tasks.close()


class Build:
    def __init__(self, rig: SolverRig, ref: str) -> None:
        self.updates: list[Update] = []
        scene = Scene(BuildOptions(ref=ref), NothingOffered(), rig.leases.open())
        self.solver = Solver(rig.shop, scene, self.updates.append, self.room)

    async def room(self) -> None:
        return

    async def __call__(self, *outputs: Output | None) -> Sequence[Root]:
        try:
            return await self.solver.roots(outputs)
        finally:
            await self.solver.close()

    def cached(self) -> set[str]:
        return {each.name for each in self.updates if isinstance(each, VertexUpdate) and each.cached}

    def errors(self) -> dict[str, str]:
        return {each.name: each.error for each in self.updates if isinstance(each, VertexUpdate) and each.error}


def image(ref: str = "base") -> Output:
    return Vertex(op=ImageSource(ref=ref), meta=VertexMeta(name=f"FROM {ref}")).output()


def run(name: str, base: Output | None = None, *, ignore_cache: bool = False, shown: str = "") -> Output:
    op = ExecOp(args=[name], mounts=[BindMount(destination="/", input=0, output=0)])
    meta = VertexMeta(name=shown or name, ignore_cache=ignore_cache)
    return Vertex(op=op, inputs=(base or image(),), meta=meta).output()


def copy(name: str, base: Output, source: Output) -> Output:
    action = Copy(input=0, source_input=1, source=name, destination="/", output=0)
    return Vertex(op=FileOp(actions=[action]), inputs=(base, source), meta=VertexMeta(name=name)).output()


def merge(name: str, *inputs: Output) -> Output:
    return Vertex(op=MergeOp(), inputs=inputs, meta=VertexMeta(name=name)).output()
