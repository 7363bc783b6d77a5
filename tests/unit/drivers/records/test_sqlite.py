"""What only the store on SQLite has: files, schema numbers, retention, and the two ways a write can go."""

import asyncio
import os
import sqlite3
import stat
import time
from pathlib import Path

import pytest

from wharfd.drivers.records.sqlite import SqliteRecords
from wharfd.drivers.records.sqlite import store as store_module
from wharfd.drivers.records.sqlite.schema import Step
from wharfd.model.errors import Internal, Unavailable
from wharfd.model.json import JsonObject
from wharfd.testing.builders import a_container, a_volume, an_event
from wharfd.testing.clock import START_NS, FakeClock

DAY_NS = 24 * 3600 * 10**9


def records_at(tmp_path: Path, **options: object) -> SqliteRecords:
    return SqliteRecords(str(tmp_path / "records.db"), **{"now_ns": lambda: START_NS, **options})  # type: ignore[arg-type]


async def written(tmp_path: Path, **options: object) -> None:
    """A store with one volume "v" and one event, closed."""
    store = records_at(tmp_path, **options)
    await store.open()
    await store.commit([a_volume(name="v")], [an_event(action="old")])
    await store.close()


async def stored_volumes(tmp_path: Path) -> list[str]:
    store = records_at(tmp_path)
    snapshot = await store.open()
    await store.close()
    return [volume.name for volume in snapshot.volumes]


async def test_files_are_for_the_owner_only(tmp_path: Path) -> None:
    store = records_at(tmp_path / "new")
    await store.open()
    await store.commit([a_container()])
    modes = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in os.scandir(tmp_path / "new")}
    assert set(modes) == {f"records.db{end}" for end in ("", "-wal", "-shm", ".lock", ".reserve")}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    await store.close()
    assert not (tmp_path / "new" / "records.db-wal").exists()


async def test_a_newer_store_is_refused_in_words_and_left_alone(tmp_path: Path) -> None:
    await written(tmp_path, schema_number=4)
    before = (tmp_path / "records.db").read_bytes()
    with pytest.raises(Unavailable, match=r"newer wharfd \(schema 4; this one knows 3\).*records\.db\.schema-3"):
        await records_at(tmp_path, schema_number=3).open()
    assert (tmp_path / "records.db").read_bytes() == before


def name_in_capitals(document: JsonObject) -> None:
    document["name"] = document["name"].upper()


def add_scope(document: JsonObject) -> None:
    document["scope"] = "swarm"


async def test_an_older_store_is_migrated_step_by_step_and_a_copy_kept(tmp_path: Path) -> None:
    await written(tmp_path)
    steps = (
        Step(to=2, documents={"volume": name_in_capitals, "event": add_scope}),
        Step(to=3, sql=("ALTER TABLE meta ADD COLUMN note TEXT",)),
    )
    store = records_at(tmp_path, schema_number=3, steps=steps)
    snapshot = await store.open()
    assert [each.name for each in snapshot.volumes] == ["V"]
    assert [each.scope for each in await store.events(0, 0)] == ["swarm"]
    await store.close()
    with sqlite3.connect(tmp_path / "records.db") as database:
        assert database.execute("PRAGMA user_version").fetchone() == (3,)
        assert database.execute("SELECT DISTINCT schema FROM records").fetchall() == [(3,)]
        assert database.execute("SELECT note FROM meta").fetchall() == [(None,)]
    copy = tmp_path / "records.db.schema-1"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    copy.rename(tmp_path / "records.db")
    old = records_at(tmp_path)
    assert [each.name for each in (await old.open()).volumes] == ["v"]
    await old.close()


async def test_a_migration_that_fails_changes_nothing_and_can_be_tried_again(tmp_path: Path) -> None:
    await written(tmp_path)
    good = Step(to=2, documents={"volume": name_in_capitals})
    for _ in range(2):
        with pytest.raises(Unavailable, match="no such table"):
            await records_at(tmp_path, schema_number=3, steps=(good, Step(to=3, sql=("DELETE FROM absent",)))).open()
    store = records_at(tmp_path)
    assert [each.name for each in (await store.open()).volumes] == ["v"]
    await store.close()


async def test_a_store_without_a_way_to_today_is_refused(tmp_path: Path) -> None:
    await written(tmp_path)
    with pytest.raises(Unavailable, match="schema 1, from which this wharfd cannot migrate to 3"):
        await records_at(tmp_path, schema_number=3, steps=(Step(to=3),)).open()


async def test_a_file_that_is_no_store_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "records.db").write_bytes(b"no database" * 100)
    with pytest.raises(Unavailable, match=r"records\.db cannot be opened: file is not a database"):
        await records_at(tmp_path).open()


async def test_a_record_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    await written(tmp_path)
    with sqlite3.connect(tmp_path / "records.db") as database:
        database.execute("UPDATE records SET document = '{}'")
    with pytest.raises(Unavailable, match="the stored volume v cannot be read"):
        await records_at(tmp_path).open()


async def test_an_event_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    await written(tmp_path)
    with sqlite3.connect(tmp_path / "records.db") as database:
        database.execute("INSERT INTO events VALUES (2, ?, '{')", (START_NS,))
    store = records_at(tmp_path)
    await store.open()
    assert [each.action for each in await store.events(0, 0)] == ["old"]
    await store.close()


async def test_only_the_newest_events_are_kept(tmp_path: Path) -> None:
    store = records_at(tmp_path, keep_events=100)
    await store.open()
    for _ in range(3 * store_module.LOOK_EVERY):
        store.post(events=[an_event()])
    await store.settled()  # what was queued while the first look was going on, which calls for the last look
    kept = [event.seq for event in await store.events(0, 0)]
    assert kept[-1] == 3 * store_module.LOOK_EVERY
    assert 100 <= len(kept) < 100 + store_module.LOOK_EVERY
    await store.close()


async def test_old_events_go_but_numbers_go_on(tmp_path: Path) -> None:
    clock = FakeClock()
    store = records_at(tmp_path, now_ns=clock.now_ns, keep_events_ns=DAY_NS)
    await store.open()
    await store.commit(events=[an_event(), an_event()])
    await store.close()
    clock.advance(2 * 24 * 3600)
    store = records_at(tmp_path, now_ns=clock.now_ns, keep_events_ns=DAY_NS)
    assert (await store.open()).last_event_seq == 2
    await store.commit(events=[an_event(at_ns=clock.now_ns())])
    assert [event.seq for event in await store.events(0, 0)] == [2, 3]
    await store.close()


async def test_a_long_log_is_checkpointed_while_the_store_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "CHECKPOINT_BYTES", 100_000)
    store = records_at(tmp_path)
    await store.open()
    for number in range(2000):
        await store.commit([a_volume(name=f"v{number % 10}", labels={"n": str(number)})], [an_event()])
    await store.settled()
    assert os.path.getsize(tmp_path / "records.db-wal") < 3_000_000
    assert os.path.getsize(tmp_path / "records.db") > 300_000
    await store.close()
    store = records_at(tmp_path)
    assert [each.labels for each in (await store.open()).volumes] == [{"n": str(1990 + n)} for n in range(10)]
    await store.close()


async def test_on_a_slow_disk_commits_go_through_the_worker_together(tmp_path: Path) -> None:
    store = records_at(tmp_path)
    await store.open()
    store.slow_until = time.monotonic() + 60
    batches: list[int] = []
    write = store.write
    store.write = lambda statements: (batches.append(len(statements)), write(statements))[1]  # type: ignore[method-assign,func-returns-value]
    store.post([a_volume(name="first")])
    waiting = [asyncio.ensure_future(store.commit([a_volume(name=f"v{n}")], durable=n == 3)) for n in range(10)]
    store.post([a_volume(name="last")])
    await asyncio.gather(*waiting)
    await store.settled()
    assert batches[0] == 1
    assert len(batches) <= 4
    assert sum(batches) == 12
    await store.close()
    names = await stored_volumes(tmp_path)
    assert names == ["first", "last", *(f"v{n}" for n in range(10))]


async def test_in_a_batch_only_the_one_that_fails_fails(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = records_at(tmp_path)
    await store.open()
    store.slow_until = time.monotonic() + 60
    store.post([a_volume(name="busy")])
    good = asyncio.ensure_future(store.commit([a_volume(name="good")]))
    bad = asyncio.ensure_future(store.put_meta("key", None))  # type: ignore[arg-type]  # the database forbids it
    cancelled = asyncio.ensure_future(store.commit([a_volume(name="cancelled")]))
    await asyncio.sleep(0)
    cancelled.cancel()
    await good
    with pytest.raises(Internal, match="NOT NULL"):
        await bad
    await store.close()
    names = await stored_volumes(tmp_path)
    assert names == ["busy", "good", "cancelled"]


async def test_a_full_disk_is_an_error_of_the_commit_and_the_store_goes_on(tmp_path: Path) -> None:
    store = records_at(tmp_path)
    await store.open()
    store.connection.execute("PRAGMA max_page_count = 20")
    with pytest.raises(Internal, match=r"records\.db cannot be written: database or disk is full"):
        await store.commit([a_container(labels={"big": "x" * 200_000}), a_volume(name="not")])
    await store.commit([a_volume(name="small")])
    await store.close()
    names = await stored_volumes(tmp_path)
    assert names == ["small"]


async def test_durable_commits_are_synced_after_they_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    real = os.fdatasync
    store = records_at(tmp_path)
    await store.open()

    def fdatasync(fd: int) -> None:
        with sqlite3.connect(tmp_path / "records.db") as database:
            synced.append(database.execute("SELECT count(*) FROM records").fetchone()[0])
        real(fd)

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    await store.commit([a_volume()])
    assert synced == []
    await asyncio.gather(*(store.commit([a_volume()], durable=True) for _ in range(20)))
    assert synced[-1] == 21
    assert len(synced) <= 3
    await store.close()


async def test_a_failed_sync_is_an_error_of_the_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = records_at(tmp_path)
    await store.open()

    def fdatasync(fd: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", fdatasync)
        with pytest.raises(Internal, match="cannot be synced"):
            await store.commit([a_volume()], durable=True)
    await store.commit([a_volume()], durable=True)
    await store.close()


async def test_who_is_cancelled_while_the_disk_is_slow_is_told_when_it_has_ended(tmp_path: Path) -> None:
    store = records_at(tmp_path)
    await store.open()
    store.slow_until = time.monotonic() + 60
    waiting = asyncio.ensure_future(store.commit([a_volume(name="v")], durable=True))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with sqlite3.connect(tmp_path / "records.db") as database:
        assert database.execute("SELECT id FROM records").fetchall() == [("v",)]
    await store.close()
