"""Memory, store and listeners agree, in whatever order changes are done."""

import asyncio
from collections.abc import Sequence

import pytest

from wharfd.engine.events import EventBus
from wharfd.engine.ledger import Ledger
from wharfd.model.container import State
from wharfd.model.errors import ContainerNotFound, Internal, NetworkNotFound, VolumeNotFound
from wharfd.model.event import Event
from wharfd.ports.records import Deletion, Record
from wharfd.testing.builders import a_container, a_network, a_volume, an_event, an_image
from wharfd.testing.records import FakeRecords


class SlowRecords(FakeRecords):
    """Written at once, as on disk; told when the test lets it."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[asyncio.Event] = []

    async def commit(
        self, changes: Sequence[Record | Deletion] = (), events: Sequence[Event] = (), *, durable: bool = False
    ) -> None:
        await super().commit(changes, events, durable=durable)
        if durable:
            self.told.append(asyncio.Event())
            waiting = asyncio.ensure_future(self.told[-1].wait())
            try:
                await asyncio.shield(waiting)
            except asyncio.CancelledError:
                await waiting
                raise


class Stage:
    def __init__(self) -> None:
        self.records = SlowRecords()
        self.bus = EventBus()
        self.ledger = Ledger(self.records, self.bus)
        self.subscription = self.bus.subscribe()

    def heard(self) -> list[tuple[int, str]]:
        events = [(event.seq, event.action) for event in self.subscription.queue]
        self.subscription.queue.clear()
        return events


@pytest.fixture
async def stage() -> Stage:
    stage = Stage()
    await stage.ledger.open()
    return stage


async def test_a_change_is_stored_shown_and_told(stage: Stage) -> None:
    container, image, network, volume = a_container(), an_image(), a_network(), a_volume()
    await stage.ledger.commit(container, image, network, volume, events=[an_event(action="create")])
    assert stage.ledger.container(container.name) == container
    assert stage.ledger.network(network.name) == network
    assert stage.ledger.volume(volume.name) == volume
    assert stage.ledger.images[image.id] == image
    assert stage.heard() == [(1, "create")]
    stage.ledger.post(
        Deletion(kind="container", id=container.id),
        Deletion(kind="image", id=image.id),
        Deletion(kind="network", id=network.id),
        Deletion(kind="volume", id=volume.name),
    )
    assert not [*stage.ledger.containers, *stage.ledger.networks, *stage.ledger.images, *stage.ledger.volumes]


async def test_what_is_stored_is_there_after_a_restart_and_numbers_go_on(stage: Stage) -> None:
    container, volume = a_container(), a_volume()
    await stage.ledger.commit(container, volume, an_image(), a_network(), events=[an_event()])
    stage.records.die()
    again = Ledger(stage.records, stage.bus)
    await again.open()
    assert again.container(container.id) == container
    assert again.volume(volume.name) == volume
    assert (len(again.images), len(again.networks)) == (1, 1)
    await again.commit(events=[an_event(action="next")])
    assert stage.heard() == [(1, "start"), (2, "next")]


async def test_a_commit_that_fails_changes_and_tells_nothing(stage: Stage) -> None:
    container = a_container()
    stage.records.fail_next("commit", Internal("disk is full"))
    with pytest.raises(Internal):
        await stage.ledger.commit(container, events=[an_event()])
    assert container.id not in stage.ledger.containers
    await stage.ledger.commit(events=[an_event(action="next")])
    assert [action for _, action in stage.heard()] == ["next"]


async def test_a_durable_commit_is_shown_when_it_is_durable(stage: Stage) -> None:
    container = a_container()
    waiting = asyncio.ensure_future(stage.ledger.commit(container, durable=True))
    await asyncio.sleep(0)
    assert container.id not in stage.ledger.containers
    stage.records.told[0].set()
    await waiting
    assert container.id in stage.ledger.containers


async def test_a_later_change_is_not_undone_by_an_earlier_one_that_waited(stage: Stage) -> None:
    old = a_container()
    other = a_container()
    new = a_container(id=old.id, state=State.RUNNING)
    waiting = asyncio.ensure_future(stage.ledger.commit(old, other, durable=True, events=[an_event(action="old")]))
    await asyncio.sleep(0)
    stage.ledger.post(new, events=[an_event(action="new")])
    assert stage.ledger.container(old.id) == new
    assert stage.heard() == []
    stage.records.told[0].set()
    await waiting
    assert stage.ledger.container(old.id) == new
    assert stage.ledger.container(other.id) == other
    assert stage.heard() == [(1, "old"), (2, "new")]
    stage.ledger.post(old)
    assert stage.ledger.container(old.id) == old


async def test_a_later_deletion_is_not_undone_by_an_earlier_change_that_waited(stage: Stage) -> None:
    container = a_container()
    waiting = asyncio.ensure_future(stage.ledger.commit(container, durable=True))
    await asyncio.sleep(0)
    await stage.ledger.commit(Deletion(kind="container", id=container.id))
    stage.records.told[0].set()
    await waiting
    assert container.id not in stage.ledger.containers
    assert ("container", container.id) not in stage.records.rows


async def test_a_cancelled_commit_is_done_whole(stage: Stage) -> None:
    container = a_container()
    waiting = asyncio.ensure_future(stage.ledger.commit(container, events=[an_event()], durable=True))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.sleep(0)
    stage.records.told[0].set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert stage.ledger.container(container.id) == container
    assert [action for _, action in stage.heard()] == ["start"]


async def test_what_is_not_there_is_named_in_the_error(stage: Stage) -> None:
    with pytest.raises(ContainerNotFound, match="No such container: web"):
        stage.ledger.container("web")
    with pytest.raises(NetworkNotFound, match="network web not found"):
        stage.ledger.network("web")
    with pytest.raises(VolumeNotFound, match="get web: no such volume"):
        stage.ledger.volume("web")


async def test_a_container_that_is_being_made_cannot_be_found(stage: Stage) -> None:
    container = a_container(state=State.CREATING)
    await stage.ledger.commit(container)
    with pytest.raises(ContainerNotFound):
        stage.ledger.container(container.id)
