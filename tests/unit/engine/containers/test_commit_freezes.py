"""A running container is frozen while a commit reads its files, and thawed whatever becomes of the engine."""

import pytest

from tests.unit.engine.rig import Machine, Rig
from wharfd.engine.containers.commit import CommitContainer, CommitRequest
from wharfd.engine.images.assembly import assemble
from wharfd.model.archive import IngestedLayer
from wharfd.model.container import ContainerRecord, Rootfs, State
from wharfd.model.errors import Conflict, Internal
from wharfd.testing.archives import FakeArchiver
from wharfd.testing.runtime import Phase
from wharfd.testing.workers import FakeIngester, FakeSpools


class Watching(FakeArchiver):
    """Notes whether the container was frozen while its files were read."""

    def __init__(self, rig: Rig, spools: FakeSpools) -> None:
        super().__init__(spools)
        self.rig = rig
        self.seen_frozen: list[bool] = []

    async def pack(self, rootfs: Rootfs, spool: str) -> IngestedLayer | None:
        self.seen_frozen.append(
            any(process.phase is Phase.PAUSED for process in self.rig.world.runtime.processes_by_id.values())
        )
        return await super().pack(rootfs, spool)


def commit_of(rig: Rig) -> tuple[CommitContainer, Watching]:
    world = rig.world
    spools = FakeSpools(world.content)
    archiver = Watching(rig, spools)
    cases = assemble(
        ledger=rig.ledger,
        locks=rig.locks,
        clock=rig.clock,
        host=world.host,
        content=world.content,
        spools=spools,
        layers=world.layers,
        ingester=FakeIngester(spools),
    )
    commit = CommitContainer(
        ledger=rig.ledger,
        locks=rig.locks,
        clock=rig.clock,
        host=world.host,
        runtime=world.runtime,
        lister=archiver,
        content=world.content,
        spools=spools,
        unpacking=cases.unpacking,
        publisher=cases.publisher,
        garbage=cases.garbage,
        leases=cases.leases,
    )
    return commit, archiver


@pytest.fixture
async def rig() -> Rig:
    rig = await Rig.up(Machine())
    await rig.world.content.open()
    return rig


def is_frozen(rig: Rig, record: ContainerRecord) -> bool:
    return rig.world.runtime.processes_by_id[record.id].phase is Phase.PAUSED


async def test_frozen_while_it_is_read(rig: Rig) -> None:
    record = await rig.running()
    commit, archiver = commit_of(rig)
    rig.events()
    await commit(CommitRequest(ref=record.id))
    assert archiver.seen_frozen == [True]
    assert rig.told(record) == ["pause", "unpause", "commit"]
    assert not is_frozen(rig, record)
    assert (rig.state(record), rig.now(record).frozen) == (State.RUNNING, False)


async def test_unless_that_is_not_wanted(rig: Rig) -> None:
    record = await rig.running()
    commit, archiver = commit_of(rig)
    rig.events()
    await commit(CommitRequest(ref=record.id, pause=False))
    assert archiver.seen_frozen == [False]
    assert rig.told(record) == ["commit"]


async def test_one_that_is_paused_stays_so(rig: Rig) -> None:
    record = await rig.running()
    await rig.pause(record.id)
    commit, _ = commit_of(rig)
    rig.events()
    await commit(CommitRequest(ref=record.id))
    assert is_frozen(rig, record)
    assert rig.told(record) == ["commit"]


async def test_one_that_just_ended_is_read_as_it_is(rig: Rig) -> None:
    record = await rig.running()
    commit, archiver = commit_of(rig)
    rig.world.runtime.fail_next("pause", Conflict("it is gone"))
    await commit(CommitRequest(ref=record.id))
    assert archiver.seen_frozen == [False]
    assert not rig.now(record).frozen


async def test_a_failure_thaws(rig: Rig) -> None:
    record = await rig.running()
    commit, archiver = commit_of(rig)
    archiver.fail_next("pack", Internal("broken"))
    with pytest.raises(Internal, match="broken"):
        await commit(CommitRequest(ref=record.id))
    assert not is_frozen(rig, record)
    assert not rig.now(record).frozen


async def test_an_engine_that_died_meanwhile_thaws_it_when_it_is_back(rig: Rig) -> None:
    record = await rig.running()
    commit, archiver = commit_of(rig)

    class Death(BaseException):
        pass

    async def die(container_id: str) -> None:
        raise Death

    archiver.fail_next("pack", Death())
    resume, rig.world.runtime.resume = rig.world.runtime.resume, die  # type: ignore[method-assign]
    commit.thawed = die  # type: ignore[method-assign, assignment]
    with pytest.raises(Death):
        await commit(CommitRequest(ref=record.id))
    rig.world.runtime.resume = resume  # type: ignore[method-assign]
    assert is_frozen(rig, record)
    assert rig.now(record).frozen
    rig = await rig.reborn()
    assert not is_frozen(rig, record)
    assert (rig.state(record), rig.now(record).frozen) == (State.RUNNING, False)


async def test_a_pause_by_hand_is_not_undone(rig: Rig) -> None:
    record = await rig.running()
    await rig.pause(record.id)
    rig = await rig.reborn()
    assert is_frozen(rig, record)
    assert rig.state(record) is State.PAUSED
