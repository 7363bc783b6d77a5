import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.unit.engine.build.rig import SolverRig, copy, image, merge, run
from wharfd.engine.build.failures import StepFailed
from wharfd.engine.build.graph import Output, Vertex
from wharfd.engine.build.ops import MergeOp
from wharfd.engine.build.progress import LogOutput, VertexUpdate
from wharfd.engine.build.reports import Report
from wharfd.engine.images.leases import Lease
from wharfd.model.errors import InvalidParameter, NotFound
from wharfd.model.ids import ChainId, Digest


@pytest.fixture
async def rig() -> AsyncIterator[SolverRig]:
    made = SolverRig()
    await made.open()
    yield made
    await made.close()


async def until(condition: object) -> None:
    for _ in range(200):
        if condition():  # type: ignore[operator]
            return
        await asyncio.sleep(0)
    raise AssertionError("it did not come to that")


async def test_steps_are_done_in_order_and_once(rig: SolverRig) -> None:
    base = run("one")
    roots = await rig.build()(merge("top", run("two", base), run("three", base)), base)
    assert rig.steps.done[0] == "one"
    assert sorted(rig.steps.done) == ["one", "three", "top", "two"]
    assert rig.sources.asked == ["base"]
    assert len(roots[1].layers) == 1


async def test_an_empty_root_needs_nothing(rig: SolverRig) -> None:
    assert [root.layers for root in await rig.build()(None)] == [()]


async def test_what_does_not_depend_on_each_other_is_done_side_by_side(rig: SolverRig) -> None:
    rig.steps.gates = {name: asyncio.Event() for name in ("a", "b", "c")}
    work = asyncio.create_task(rig.build()(merge("top", run("a"), run("b"), run("c"))))
    await until(lambda: rig.steps.running == {"a", "b", "c"})
    for gate in rig.steps.gates.values():
        gate.set()
    await work
    assert rig.steps.most == 3


async def test_stages_that_are_copied_from_one_after_the_other_are_done_side_by_side(rig: SolverRig) -> None:
    rig.steps.gates = {name: asyncio.Event() for name in ("a", "b", "c")}
    target = copy("third", copy("second", copy("first", image("base"), run("a")), run("b")), run("c"))
    work = asyncio.create_task(rig.build()(target))
    await until(lambda: rig.steps.running == {"a", "b", "c"})
    for gate in rig.steps.gates.values():
        gate.set()
    await work
    assert rig.steps.done[-3:] == ["first", "second", "third"]


async def test_a_second_build_does_nothing_again(rig: SolverRig) -> None:
    target = merge("top", run("a"), run("b"))
    first = await rig.build()(target)
    again = rig.build()
    assert await again(target) == first
    assert sorted(rig.steps.done) == ["a", "b", "top"]
    assert again.cached() == {"a", "b", "top"}


async def test_the_cache_outlives_a_restart_and_does_not_believe_in_lost_layers(rig: SolverRig) -> None:
    await rig.build()(run("b", run("a")))
    rig.world.records.die()
    after = SolverRig(rig.world)
    await after.open()
    after.steps.numbers = rig.steps.numbers
    await after.build()(run("b", run("a")))
    assert after.steps.done == []
    (record,) = [each for each in after.ledger.build_cache.values() if each.description == "b"]
    await rig.world.layers.remove(record.made[0])  # type: ignore[arg-type]
    await after.build()(run("b", run("a")))
    assert after.steps.done == ["b"]


async def test_a_source_that_has_changed_has_its_steps_done_again(rig: SolverRig) -> None:
    await rig.build()(run("a"))
    rig.sources.versions["base"] = 1
    await rig.build()(run("a"))
    rig.sources.versions["base"] = 0
    await rig.build()(run("a"))
    assert rig.steps.done == ["a", "a"]


async def test_a_step_is_not_done_again_if_what_it_reads_is_the_same(rig: SolverRig) -> None:
    rig.files.contents = {"made": "same", "made otherwise": "same"}
    await rig.build()(run("after", copy("copy", run("base step"), run("made"))))
    again = rig.build()
    await again(run("after", copy("copy", run("base step"), run("made otherwise"))))
    assert rig.steps.done == ["base step", "made", "copy", "after", "made otherwise"] or set(rig.steps.done[:2]) == {
        "base step",
        "made",
    }
    assert {"copy", "after"} <= again.cached()
    rig.files.contents["made anew"] = "other"
    await rig.build()(run("after", copy("copy", run("base step"), run("made anew"))))
    assert rig.steps.done[-3:] == ["made anew", "copy", "after"]


async def test_nothing_is_looked_at_when_nothing_has_changed(rig: SolverRig) -> None:
    target = copy("copy", image(), run("made"))
    await rig.build()(target)
    assert rig.files.asked == 1
    await rig.build()(target)
    assert rig.files.asked == 1


async def test_contents_of_a_result_are_remembered(rig: SolverRig) -> None:
    await rig.build()(copy("copy", image("one"), run("made")))
    await rig.build()(copy("copy", image("two"), run("made")))
    assert rig.files.asked == 1


async def test_a_result_that_was_pruned_is_not_needed_for_what_is_built_on_it(rig: SolverRig) -> None:
    target = run("c", run("b", run("a")))
    await rig.build()(target)
    records = [each for each in rig.ledger.build_cache.values() if each.description in ("a", "b")]
    await rig.cache.remove(records)
    await rig.build()(target)
    assert rig.steps.done == ["a", "b", "c"]


async def test_without_cache_everything_is_done_and_its_result_counts(rig: SolverRig) -> None:
    await rig.build()(run("b", run("a")))
    (first,) = await rig.build("again")(run("b", run("a", ignore_cache=True), ignore_cache=True))
    assert rig.steps.done == ["a", "b", "a", "b"]
    (second,) = await rig.build()(run("b", run("a")))
    assert second == first
    assert rig.steps.done == ["a", "b", "a", "b"]
    assert len(rig.ledger.build_cache) == 2


async def test_what_is_built_on_a_step_that_is_done_anew_is_done_anew(rig: SolverRig) -> None:
    await rig.build()(run("c", run("b", run("a"))))
    (root,) = await rig.build("again")(run("c", run("b", run("a", ignore_cache=True))))
    assert rig.steps.done == ["a", "b", "c"] * 2
    assert len(rig.ledger.build_cache) == 3
    assert all(layer in rig.world.layers.layers for layer in root.layers)


async def test_what_only_reads_of_a_step_that_is_done_anew_is_not(rig: SolverRig) -> None:
    rig.files.contents = {"made": "same"}
    await rig.build()(copy("copy", image(), run("made")))
    await rig.build("again")(copy("copy", image(), run("made", ignore_cache=True)))
    assert rig.steps.done == ["made", "copy", "made"]


async def test_two_builds_do_a_step_once_and_both_hear_of_it(rig: SolverRig) -> None:
    gate = rig.steps.gates["a"] = asyncio.Event()
    builds = [rig.build("one"), rig.build("two")]
    work = [asyncio.create_task(builds[0](run("a")))]
    await until(lambda: rig.steps.running)
    work.append(asyncio.create_task(builds[1](run("a", shown="the same"))))
    await until(lambda: any(isinstance(each, LogOutput) for each in builds[1].updates))
    gate.set()
    first, second = await asyncio.gather(*work)
    assert first == second
    assert rig.steps.done == ["a"]
    assert [each.data for build in builds for each in build.updates if isinstance(each, LogOutput)] == [b"<a>"] * 2


async def test_a_build_that_goes_leaves_the_step_to_the_other_one(rig: SolverRig) -> None:
    gate = rig.steps.gates["a"] = asyncio.Event()
    work = [asyncio.create_task(rig.build(name)(run("a"))) for name in ("one", "two")]
    await until(lambda: rig.steps.running)
    await asyncio.sleep(0)
    work[0].cancel()
    await asyncio.wait([work[0]])
    assert rig.steps.running == {"a"}
    gate.set()
    await work[1]
    assert rig.steps.done == ["a"]


async def test_with_the_last_build_the_step_ends(rig: SolverRig) -> None:
    rig.steps.gates["a"] = asyncio.Event()
    build = rig.build()
    work = asyncio.create_task(build(run("b", run("a"))))
    await until(lambda: rig.steps.running)
    work.cancel()
    await asyncio.wait([work])
    assert rig.steps.running == set()
    assert rig.steps.done == []
    assert build.errors() == {"a": "context canceled"}
    assert not rig.tasks.running


async def test_a_failure_is_told_and_ends_the_others(rig: SolverRig) -> None:
    rig.steps.gates["slow"] = asyncio.Event()
    rig.steps.faults = {"bad"}
    build = rig.build()
    with pytest.raises(StepFailed, match="bad failed") as caught:
        await build(merge("top", run("slow"), run("bad")))
    assert caught.value.vertex.name == "bad"
    assert rig.steps.running == set()
    assert build.errors() == {"bad": "bad failed", "slow": "context canceled"}


async def test_a_failure_is_not_remembered_by_the_next_build(rig: SolverRig) -> None:
    rig.steps.faults = {"a"}
    with pytest.raises(StepFailed):
        await rig.build()(run("a"))
    rig.steps.faults = set()
    await rig.build()(run("a"))
    assert rig.steps.done == ["a"]


async def test_what_is_finished_stays_though_a_later_step_fails(rig: SolverRig) -> None:
    rig.steps.faults = {"b"}
    with pytest.raises(StepFailed):
        await rig.build()(run("b", run("a")))
    rig.steps.faults = set()
    await rig.build()(run("b", run("a")))
    assert rig.steps.done == ["a", "b"]


async def test_a_source_that_is_not_there_fails_with_its_words(rig: SolverRig) -> None:
    build = rig.build()
    with pytest.raises(StepFailed, match="no such image"):
        await build(run("a", image("missing")))
    assert build.errors() == {"FROM missing": "no such image"}


async def test_a_part_that_is_not_there_fails_the_step_that_reads_it(rig: SolverRig) -> None:
    rig.files.contents["made"] = "missing"
    build = rig.build()
    with pytest.raises(StepFailed, match=r'failed to calculate checksum of ref .*: "/nope": not found') as caught:
        await build(copy("copy", image(), run("made")))
    assert caught.value.vertex.name == "copy"


async def test_a_graph_that_cannot_be_carried_out_is_refused(rig: SolverRig) -> None:
    with pytest.raises(InvalidParameter, match="nothing to merge"):
        await rig.build()(Vertex(op=MergeOp()).output())


async def test_every_vertex_is_announced_first_and_completed_once(rig: SolverRig) -> None:
    build = rig.build()
    await build(run("b", run("a")))
    told = [each for each in build.updates if isinstance(each, VertexUpdate)]
    assert [(each.name, each.started_ns) for each in told[:3]] == [("FROM base", 0), ("a", 0), ("b", 0)]
    assert sorted(each.name for each in told if each.completed_ns) == ["FROM base", "a", "b"]
    assert told[2].inputs == (told[1].digest,)


async def test_records_in_use_are_known_until_the_build_ends(rig: SolverRig) -> None:
    build = rig.build()
    await build.solver.roots([run("a")])
    (record,) = rig.ledger.build_cache.values()
    assert rig.cache.users[record.id] == 1
    await build.solver.close()
    assert rig.cache.users[record.id] == 0


class Offered:
    """A step's result elsewhere.  `layers` None: it does not come."""

    def __init__(self, rig: SolverRig, key: Digest, layers: list[str] | None, *, has_result: bool = True) -> None:
        self.rig = rig
        self.key = key
        self.layers = layers
        self.has_result = has_result
        self.created_ns = 7
        self.brought = 0

    async def bring(self, lease: Lease, report: Report) -> list[ChainId]:
        self.brought += 1
        if self.layers is None:
            raise NotFound("gone")
        for layer in self.layers:
            self.rig.world.layers.put(layer, {"offered": b"x"})
        return [ChainId(layer) for layer in self.layers]


class Offering:
    def __init__(self) -> None:
        self.offers: dict[Digest, Offered] = {}

    async def find(self, key: Digest) -> Offered | None:
        return self.offers.get(key)


async def keys_of(rig: SolverRig, *outputs: Output) -> list[tuple[Digest, Digest | None]]:
    """What another builder calls the steps of a graph."""
    other = SolverRig()
    await other.open()
    build = other.build()
    await build.solver.roots(outputs)
    found = [(step.key, step.quick_key) for step in await build.solver.solved(outputs)]
    await build.solver.close()
    await other.close()
    return found


def layer(number: int) -> str:
    return f"sha256:{1000 + number:064x}"


async def test_what_an_imported_cache_has_is_not_done_and_comes_only_when_it_is_needed(rig: SolverRig) -> None:
    a, b = run("a"), run("b", run("a"))
    (key_a, _), (key_b, _) = await keys_of(rig, b)
    offering = Offering()
    offering.offers = {key_a: Offered(rig, key_a, [layer(1)]), key_b: Offered(rig, key_b, [layer(1), layer(2)])}
    build = rig.build()
    build.solver.offers = offering
    (root,) = await build(b)
    assert (rig.steps.done, root.layers) == ([], (layer(1), layer(2)))
    assert build.cached() == {"a", "b"}
    by_name = {record.description: record for record in rig.cache.records()}
    assert {name: record.made for name, record in by_name.items()} == {"a": [layer(1)], "b": [layer(2)]}
    assert by_name["b"].parents == [by_name["a"].id]
    assert by_name["b"].created_ns == 7
    # From now on it is known here.
    again = rig.build()
    await again(a, b)
    assert rig.steps.done == []
    assert again.cached() == {"a", "b"}


async def test_only_the_uppermost_of_the_known_steps_is_brought_for_a_step_that_is_not_known(rig: SolverRig) -> None:
    read = run("read")
    target = copy("c", run("a"), read)
    (_, quick) = (await keys_of(rig, target))[2]
    key = (await keys_of(rig, target))[2][0]
    assert quick is not None
    offering = Offering()
    offering.offers = {quick: Offered(rig, key, [layer(3)])}
    build = rig.build()
    build.solver.offers = offering
    await build(target)
    assert rig.steps.done == []
    assert rig.files.asked == 0
    assert [record.key for record in rig.cache.records()] == [key]


async def test_a_key_without_a_result_spares_looking_at_contents(rig: SolverRig) -> None:
    target = run("top", copy("c", run("a"), run("read")))
    steps = await keys_of(rig, target)
    (key, quick), (top, _) = steps[2], steps[3]
    assert quick is not None
    offering = Offering()
    offering.offers = {
        quick: Offered(rig, key, None, has_result=False),
        top: Offered(rig, top, [layer(4)]),
    }
    build = rig.build()
    build.solver.offers = offering
    await build(target)
    assert (rig.steps.done, rig.files.asked) == ([], 0)


async def test_a_step_is_done_if_the_cache_that_promised_it_does_not_give_it(rig: SolverRig) -> None:
    target = run("b", run("a"))
    (key_a, _), (key_b, _) = await keys_of(rig, target)
    offering = Offering()
    offering.offers = {key_a: Offered(rig, key_a, [layer(1)]), key_b: Offered(rig, key_b, None)}
    build = rig.build()
    build.solver.offers = offering
    await build(target)
    assert rig.steps.done == ["b"]
    assert build.cached() == {"a"}


async def test_nothing_is_imported_for_a_step_that_is_to_be_done_anew(rig: SolverRig) -> None:
    target = run("b", run("a", ignore_cache=True))
    (key_a, _), (key_b, _) = await keys_of(rig, run("b", run("a")))
    offering = Offering()
    offering.offers = {key_a: Offered(rig, key_a, [layer(1)]), key_b: Offered(rig, key_b, [layer(1), layer(2)])}
    build = rig.build()
    build.solver.offers = offering
    await build(target)
    assert rig.steps.done == ["a", "b"]


async def test_what_a_cache_offers_and_nobody_needs_is_told_as_cached(rig: SolverRig) -> None:
    target = copy("c", run("a"), run("read"))
    steps = await keys_of(rig, target)
    offering = Offering()
    offering.offers = {key: Offered(rig, key, [layer(n)]) for n, (key, _) in enumerate(steps)}
    quick = steps[2][1]
    assert quick is not None
    offering.offers[quick] = offering.offers[steps[2][0]]
    build = rig.build()
    build.solver.offers = offering
    await build(target)
    assert build.cached() == {"a", "read", "c"}
    assert [offering.offers[key].brought for key, _ in steps] == [1, 0, 1]


async def test_what_was_found_without_looking_is_looked_at_when_what_it_reads_is_done_anew(rig: SolverRig) -> None:
    target = copy("copy", image(), run("made"))
    for _ in range(2):
        await rig.build()(target)
    rig.files.contents = {"made": "other"}
    await rig.build("again")(copy("copy", image(), run("made", ignore_cache=True)))
    assert rig.steps.done == ["made", "copy", "made", "copy"]
    assert rig.files.asked == 2
