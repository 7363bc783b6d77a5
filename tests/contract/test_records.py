"""What every record store does, in memory and on disk."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from wharfd.drivers.records.sqlite import SqliteRecords
from wharfd.model.build import BuildRecord, CacheRecord, LayerBlob
from wharfd.model.container import State
from wharfd.model.errors import Internal, Unavailable
from wharfd.ports.records import Deletion, RecordStore, Snapshot
from wharfd.testing.builders import a_container, a_network, a_volume, an_event, an_image
from wharfd.testing.clock import START_NS
from wharfd.testing.records import FakeRecords

Reopen = Callable[[], RecordStore]


@pytest.fixture(params=["memory", "sqlite"])
async def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Reopen]:
    """Gives a store of the same content at each call; the one before is closed by the test."""
    memory = FakeRecords()
    made: list[RecordStore] = []

    def make() -> RecordStore:
        store: RecordStore = memory
        if request.param == "sqlite":
            store = SqliteRecords(str(tmp_path / "state" / "records.db"), now_ns=lambda: START_NS)
        made.append(store)
        return store

    yield make
    for store in made:
        await store.close()


async def opened(reopen: Reopen) -> RecordStore:
    store = reopen()
    await store.open()
    return store


async def reread(store: RecordStore, reopen: Reopen) -> Snapshot:
    await store.close()
    return await reopen().open()


async def test_an_empty_store_is_empty(reopen: Reopen) -> None:
    assert await reopen().open() == Snapshot(containers=[], images=[], networks=[], volumes=[])


async def test_every_kind_comes_back_as_it_was(reopen: Reopen) -> None:
    store = await opened(reopen)
    container, image, network, volume = a_container(), an_image(), a_network(), a_volume()
    await store.commit([container, image, network, volume])
    snapshot = await reread(store, reopen)
    assert snapshot == Snapshot(containers=[container], images=[image], networks=[network], volumes=[volume])


async def test_the_records_of_the_builder_come_back_as_they_were(reopen: Reopen) -> None:
    store = await opened(reopen)
    cached = CacheRecord(id="one", key="sha256:1", outputs=[["sha256:2"]], created_ns=START_NS, facts={"etag": "x"})
    blob = LayerBlob(id="sha256:2 gzip", diff_id="sha256:3", digest="sha256:4", size=5, media_type="layer")
    build = BuildRecord(id="build", started_ns=START_NS, exporters=[("image", {"name": "x"})])
    await store.commit([cached, blob, build])
    await store.close()
    store = reopen()
    snapshot = await store.open()
    assert (snapshot.build_cache, snapshot.build_layers, snapshot.builds) == ([cached], [blob], [build])
    gone = [("build-cache", cached.id), ("build-layer", blob.id), ("build", build.id)]
    await store.commit([Deletion(kind=kind, id=each) for kind, each in gone])
    assert await reread(store, reopen) == Snapshot(containers=[], images=[], networks=[], volumes=[])


async def test_the_last_version_of_a_record_counts_and_its_place_is_kept(reopen: Reopen) -> None:
    store = await opened(reopen)
    first, second = a_container(), a_container()
    await store.commit([first])
    await store.commit([second])
    changed = a_container(id=first.id, state=State.RUNNING)
    store.post([changed])
    assert (await reread(store, reopen)).containers == [changed, second]


async def test_a_deletion_removes_that_kind_and_id_only_and_may_be_repeated(reopen: Reopen) -> None:
    store = await opened(reopen)
    container, volume = a_container(), a_volume()
    await store.commit([container, volume, a_volume(name=container.id)])
    for _ in range(2):
        await store.commit([Deletion(kind="container", id=container.id), Deletion(kind="network", id=volume.name)])
    snapshot = await reread(store, reopen)
    assert snapshot.containers == []
    assert [each.name for each in snapshot.volumes] == [volume.name, container.id]


async def test_a_deletion_of_an_unknown_kind_is_a_bug(reopen: Reopen) -> None:
    store = await opened(reopen)
    with pytest.raises(ValueError, match="secret"):
        await store.commit([Deletion(kind="secret", id="x")])


async def test_a_commit_is_all_or_nothing(reopen: Reopen) -> None:
    store = await opened(reopen)
    await store.commit(events=[an_event(seq=5)])
    with pytest.raises(Internal):
        await store.commit([a_container()], [an_event(seq=5)])
    snapshot = await reread(store, reopen)
    assert (snapshot.containers, snapshot.last_event_seq) == ([], 5)


async def test_order_of_calls_is_order_of_writes(reopen: Reopen) -> None:
    store = await opened(reopen)
    record = a_container()
    waiting = []
    for number in range(200):
        changed = a_container(id=record.id, restart_count=number)
        if number % 3:
            store.post([changed], [an_event()])
        else:
            waiting.append(asyncio.ensure_future(store.commit([changed], [an_event()], durable=number % 2 == 0)))
            await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    snapshot = await reread(store, reopen)
    assert [each.restart_count for each in snapshot.containers] == [199]
    assert snapshot.last_event_seq == 200


async def test_events_are_found_by_time_with_both_bounds_included(reopen: Reopen) -> None:
    store = await opened(reopen)
    await store.commit(events=[an_event(at_ns=START_NS + number, action=f"a{number}") for number in range(5)])

    async def actions(since: int, until: int) -> list[str]:
        return [event.action for event in await store.events(since, until)]

    assert await actions(0, 0) == ["a0", "a1", "a2", "a3", "a4"]
    assert await actions(START_NS + 1, START_NS + 3) == ["a1", "a2", "a3"]
    assert await actions(START_NS + 3, 0) == ["a3", "a4"]
    assert await actions(START_NS + 9, 0) == []


async def test_events_without_a_number_go_on_from_the_last_one_of_before(reopen: Reopen) -> None:
    store = await opened(reopen)
    await store.commit(events=[an_event(), an_event(seq=7)])
    await store.close()
    store = await opened(reopen)
    await store.commit(events=[an_event()])
    assert [event.seq for event in await store.events(0, 0)] == [1, 7, 8]


async def test_events_are_read_in_pages(reopen: Reopen) -> None:
    store = await opened(reopen)
    await store.commit(events=[an_event() for _ in range(10)])
    seen: list[int] = []
    while page := await store.events(0, 0, 4, after_seq=seen[-1] if seen else 0):
        assert len(page) <= 4
        seen += [event.seq for event in page]
    assert seen == list(range(1, 11))


async def test_events_come_back_as_they_were(reopen: Reopen) -> None:
    store = await opened(reopen)
    event = an_event(type="volume", action="mount", attributes={"read/write": "true", "ü": "☃\n"}, scope="swarm", seq=7)
    store.post(events=[event])
    assert list(await store.events(0, 0)) == [event]


async def test_what_was_posted_before_is_read(reopen: Reopen) -> None:
    store = await opened(reopen)
    for number in range(1000):
        store.post([a_volume(name=f"v{number}")], [an_event()])
    assert len(await store.events(0, 0)) == 1000


async def test_meta_facts_are_kept_and_replaced(reopen: Reopen) -> None:
    store = await opened(reopen)
    assert await store.get_meta("id") is None
    await store.put_meta("id", "one")
    await store.put_meta("id", "two")
    assert await store.get_meta("id") == "two"
    await store.close()
    assert await (await opened(reopen)).get_meta("id") == "two"


async def test_two_engines_cannot_open_one_store(reopen: Reopen) -> None:
    await opened(reopen)
    with pytest.raises(Unavailable, match="in use"):
        await reopen().open()


async def test_a_closed_store_refuses(reopen: Reopen) -> None:
    store = await opened(reopen)
    await store.close()
    with pytest.raises(Unavailable):
        await store.commit([a_container()])
    with pytest.raises(Unavailable):
        store.post([a_container()])
    with pytest.raises(Unavailable):
        await store.events(0, 0)
    with pytest.raises(Unavailable):
        await store.get_meta("id")
    await store.close()


async def test_a_stored_record_does_not_change_with_the_one_given(reopen: Reopen) -> None:
    store = await opened(reopen)
    labels = {"a": "1"}
    await store.commit([a_volume(name="v", labels=labels)])
    labels["a"] = "2"
    assert (await reread(store, reopen)).volumes[0].labels == {"a": "1"}
