import pytest

from tests.unit.engine.build.rig import SolverRig, run
from wharfd.engine.build.prune import PruneBuildCache, PruneRequest, Room, prune_request
from wharfd.engine.build.usage import BuildCacheUsage
from wharfd.model.build import CacheKind, CacheRecord
from wharfd.model.errors import InvalidParameter
from wharfd.model.ids import ChainId
from wharfd.testing.clock import START_NS
from wharfd.wire.filters import NO_FILTERS, Filters

HOUR_NS = 3600 * 10**9


class Snapshots:
    def __init__(self) -> None:
        self.shared: set[str] = set()
        self.disk = (1000, 1000)

    def aliases(self, chain_id: ChainId) -> list[ChainId]:
        return [ChainId("alias")] if chain_id in self.shared else []

    async def space(self) -> tuple[int, int]:
        return self.disk


class Rig:
    def __init__(self) -> None:
        self.solver = SolverRig()
        self.snapshots = Snapshots()
        self.cache = self.solver.cache
        usage = BuildCacheUsage(ledger=self.solver.ledger, cache=self.cache, snapshots=self.snapshots)  # type: ignore[arg-type]
        self.prune = PruneBuildCache(
            clock=self.solver.world.clock,
            tasks=self.solver.tasks,
            cache=self.cache,
            usage=usage,
            snapshots=self.snapshots,  # type: ignore[arg-type]
        )

    async def add(
        self, name: str, *, size: int = 10, age_h: int = 0, kind: CacheKind = CacheKind.REGULAR
    ) -> CacheRecord:
        self.solver.world.layers.put(f"sha256:{name}", {"f": b"x" * size})
        record = CacheRecord(
            id=name,
            key=f"key:{name}",
            kind=kind,
            description=f"step {name}",
            outputs=[[f"sha256:{name}"]],
            made=[f"sha256:{name}"],
            size_bytes=size,
            created_ns=START_NS - age_h * HOUR_NS,
            used_ns=START_NS - age_h * HOUR_NS,
        )
        await self.cache.add(record)
        return record

    def left(self) -> set[str]:
        return set(self.solver.ledger.build_cache)


@pytest.fixture
async def rig() -> Rig:
    made = Rig()
    await made.solver.open()
    return made


async def test_everything_goes_but_what_is_used_or_shared(rig: Rig) -> None:
    for name in ("a", "used", "internal"):
        await rig.add(name, kind=CacheKind.INTERNAL if name == "internal" else CacheKind.REGULAR)
    rig.cache.users["used"] += 1
    pruned = await rig.prune(PruneRequest())
    assert [item.record.id for item in pruned.items] == ["a"]
    assert pruned.reclaimed_bytes == 10
    assert rig.left() == {"used", "internal"}
    assert "sha256:a" not in rig.solver.world.layers.layers
    assert len((await rig.prune(PruneRequest(all=True))).items) == 1


async def test_the_oldest_goes_first_until_there_is_room(rig: Rig) -> None:
    for number, name in enumerate(("new", "older", "oldest")):
        await rig.add(name, age_h=number)
    await rig.prune(PruneRequest(room=Room(max_used_bytes=15)))
    assert rig.left() == {"new"}


@pytest.mark.parametrize(
    ("room", "free", "left"),
    [
        (Room(reserved_bytes=25), 1000, 2),
        (Room(reserved_bytes=100), 1000, 3),
        (Room(min_free_bytes=500), 1000, 3),
        (Room(min_free_bytes=500), 495, 2),
        (Room(min_free_bytes=500), 0, 0),
        (Room(min_free_bytes=500, reserved_bytes=20), 0, 2),
        (Room(max_used_bytes=10, min_free_bytes=500), 495, 1),
    ],
)
async def test_room(rig: Rig, room: Room, free: int, left: int) -> None:
    for number in range(3):
        await rig.add(str(number))
    rig.snapshots.disk = (1000, free)
    await rig.prune(PruneRequest(room=room))
    assert len(rig.left()) == left


@pytest.mark.parametrize(
    ("filters", "gone"),
    [
        (NO_FILTERS, {"a", "b", "old"}),
        (Filters.of(id="ol"), {"old"}),
        (Filters.of(until="2h"), {"old"}),
        (Filters.of(**{"unused-for": "2h"}), {"old"}),
        (Filters.of(type="source.local"), {"b"}),
        (Filters.of(description="step a"), {"a"}),
        (Filters.of(private="true"), {"a", "b", "old"}),
        (Filters.of(shared="true"), set()),
        (Filters.of(inuse="true"), set()),
        (Filters.of(parent="a"), set()),
    ],
    ids=str,
)
async def test_filters(rig: Rig, filters: Filters, gone: set[str]) -> None:
    await rig.add("a")
    await rig.add("b", kind=CacheKind.LOCAL)
    await rig.add("old", age_h=3)
    pruned = await rig.prune(prune_request(filters, include_all=False, room=Room()))
    assert {item.record.id for item in pruned.items} == gone


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        (Filters.of(until="2h", **{"unused-for": "2h"}), 'conflicting filters: "until" and "unused-for"'),
        (Filters.of(until="soon"), '"until" filter expects a duration'),
        (Filters.of(id=["a", "b"]), "filters expect only one value"),
        (Filters.of(label="x"), "invalid filter 'label'"),
    ],
)
def test_filters_that_are_none(filters: Filters, message: str) -> None:
    with pytest.raises(InvalidParameter, match=message):
        prune_request(filters, include_all=False, room=Room())


async def test_what_was_built_on_a_pruned_step_stays(rig: Rig) -> None:
    await rig.solver.build()(run("b", run("a")))
    (lower,) = [record for record in rig.cache.records() if record.description == "a"]
    await rig.cache.remove([lower])
    again = rig.solver.build()
    await again(run("b", run("a")))
    assert rig.solver.steps.done == ["a", "b"]
    assert again.cached() == {"b"}


async def test_the_policy_holds_the_cache_down_by_itself(rig: Rig) -> None:
    await rig.add("big", size=700)
    rig.prune.soon()
    rig.prune.soon()
    await rig.solver.tasks.settle()
    assert rig.left() == set()
    await rig.add("small", size=300)
    rig.prune.soon()
    await rig.solver.tasks.settle()
    assert rig.left() == {"small"}
