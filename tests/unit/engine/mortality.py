"""An engine that can die at any call of any port, and what must be true of the one that comes after it.

`Mortal` is a plan of faults at which the engine dies: the call is made or not, nothing is answered any more, and every later call of
any port ends the same way, as nothing runs in a process that is gone.  `LateRecords` keeps posted changes back until the next commit, as
a writer's queue may; they are lost if the engine dies.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from tests.unit.engine.rig import Machine, Rig
from wharfd.model.container import ContainerRecord, State
from wharfd.model.event import Event
from wharfd.ports.records import Deletion, Record, Snapshot
from wharfd.testing.faults import Fault, FaultPlan, Phase
from wharfd.testing.records import FakeRecords
from wharfd.testing.runtime import Phase as ProcessPhase


class EngineDied(BaseException):
    """Not an Exception: no handler of the engine may see it."""


class Mortal(FaultPlan):
    """Dies at `fault`; without one, only notes every place where it could have died."""

    def __init__(self, fault: Fault | None = None) -> None:
        super().__init__()
        self.fault = fault
        self.is_dead = False
        self.death = asyncio.Event()
        self.places: list[Fault] = []

    def reach(self, point: str, nth: int, phase: Phase) -> None:
        if not self.is_dead:
            self.places.append(Fault(point, nth, phase))
            if self.fault is not None and (point, nth, phase) == (self.fault.point, self.fault.nth, self.fault.phase):
                self.is_dead = True
                self.death.set()
        if self.is_dead:
            raise EngineDied

    def arm(self, fault: Fault | None) -> None:
        """Count from here."""
        self.forget_calls()
        self.places.clear()
        self.fault = fault


class LateRecords:
    """Port `records`: what one engine has of a store that outlives it."""

    def __init__(self, store: FakeRecords) -> None:
        self.store = store
        self.queue: list[tuple[Sequence[Record | Deletion], Sequence[Event]]] = []

    async def open(self) -> Snapshot:
        return await self.store.open()

    async def close(self) -> None:
        self.write()
        await self.store.close()

    async def commit(
        self, changes: Sequence[Record | Deletion] = (), events: Sequence[Event] = (), *, durable: bool = False
    ) -> None:
        self.write()
        await self.store.commit(changes, events, durable=durable)
        await asyncio.sleep(0)

    def post(self, changes: Sequence[Record | Deletion] = (), events: Sequence[Event] = ()) -> None:
        self.queue.append((changes, events))

    async def events(
        self, since_ns: int, until_ns: int, limit: int = 100_000, *, after_seq: int = 0
    ) -> Sequence[Event]:
        self.write()
        return await self.store.events(since_ns, until_ns, limit, after_seq=after_seq)

    async def put_meta(self, key: str, value: str) -> None:
        await self.store.put_meta(key, value)

    async def get_meta(self, key: str) -> str | None:
        return await self.store.get_meta(key)

    def write(self) -> None:
        queue, self.queue = self.queue, []
        for changes, events in queue:
            self.store.post(changes, events)


async def until_death(rig: Rig, plan: Mortal, action: Callable[[], Awaitable[object]]) -> bool:
    """Do it, and all that comes of it.  True if it was answered."""

    async def whole() -> None:
        await action()

    async def settled() -> None:
        while rig.tasks.running:
            await asyncio.wait(set(rig.tasks.running))

    async with asyncio.TaskGroup() as group:
        doing = group.create_task(shielded(whole()))
        dying = group.create_task(plan.death.wait())
        await asyncio.wait({doing, dying}, return_when=asyncio.FIRST_COMPLETED)
        answered = doing.done() and doing.result()
        if not plan.is_dead:
            settling = group.create_task(settled())
            await asyncio.wait({settling, dying}, return_when=asyncio.FIRST_COMPLETED)
            settling.cancel()
        doing.cancel()
        dying.cancel()
    return answered


async def shielded(work: Awaitable[None]) -> bool:
    try:
        await work
    except EngineDied:
        return False
    except BaseExceptionGroup as group:
        if group.split(EngineDied)[1] is not None:
            raise
        return False
    return True


def check(rig: Rig) -> None:
    """Nothing is leaked, nothing is stuck, memory and disk agree."""
    world = rig.world
    records = list(rig.ledger.containers)
    left = world.leftovers()
    alive = {record.id: record for record in records if record.is_running}
    for record in records:
        assert record.state not in {State.CREATING, State.STARTING, State.REMOVING}, record.state
        check_record(rig, record)
    assert set(left["runtime"]) == alive.keys()
    assert set(left["mounts"]) == alive.keys()
    assert set(left["rootfs"]) == {record.id for record in records}
    assert set(left["files"]) <= {record.id for record in records}
    assert set(left["host_mounts"]) <= alive.keys()
    assert set(left["sandboxes"]) == {record.sandbox_id for record in alive.values() if record.sandbox_key}
    endpoints = [each.endpoint_id for record in alive.values() for each in record.endpoints.values()]
    assert sorted(left["endpoints"]) == sorted(endpoints)
    assert set(left["volumes"]) == set(rig.ledger.volumes)
    on_disk = {row.id: row for row in world.records.rows.values() if isinstance(row, ContainerRecord)}
    assert on_disk == {record.id: record for record in records}
    numbers = [event.seq for event in world.records.history]
    assert numbers == sorted(set(numbers))
    assert not rig.removal.claimed
    assert not rig.locks.locks


def check_record(rig: Rig, record: ContainerRecord) -> None:
    phase = rig.world.runtime.phase(record.id)
    match record.state:
        case State.RUNNING:
            assert phase is ProcessPhase.RUNNING
        case State.PAUSED:
            assert phase is ProcessPhase.PAUSED
        case _:
            assert phase is None
            assert record.pid == 0
            assert record.owed == []
            assert record.endpoints == {}


def told_of_each_run(world: Machine, container_id: str) -> tuple[int, int]:
    """How often its start was told, and how often its end."""
    actions = [event.action for event in world.records.history if event.actor_id == container_id]
    return actions.count("start"), actions.count("die")
