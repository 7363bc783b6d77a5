"""The `PartialStore` contract, held against every implementation."""

import asyncio
import hashlib
import os
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import pytest

from wharfd.drivers.content.blobs import BlobStore
from wharfd.model.errors import EngineError, InvalidParameter
from wharfd.model.ids import Digest
from wharfd.ports.content import PartialBlob
from wharfd.sys.blocking import Pool
from wharfd.testing.content import FakeContent

P = ParamSpec("P")
T = TypeVar("T")

Store = BlobStore | FakeContent
DATA = os.urandom(2_500_000)
DIGEST = Digest("sha256:" + hashlib.sha256(DATA).hexdigest())


@pytest.fixture
async def pool() -> AsyncIterator[Pool]:
    pool = Pool("test", 2)
    yield pool
    pool.close()


@pytest.fixture(params=["driver", "fake"])
async def store(request: pytest.FixtureRequest, tmp_path: Path, pool: Pool) -> Store:
    store: Store = FakeContent() if request.param == "fake" else BlobStore(str(tmp_path / "content"), pool)
    await store.open()
    return store


async def reopened(store: Store, pool: Pool) -> Store:
    """As after a kill: what was not ended is nobody's any more."""
    again = BlobStore(store.root, pool) if isinstance(store, BlobStore) else store
    await again.open()
    return again


async def write(blob: PartialBlob, data: bytes) -> None:
    for at in range(0, len(data), 300_000):
        await blob.write(memoryview(data)[at : at + 300_000])


async def bring(store: Store) -> None:
    blob = await store.partial(DIGEST, len(DATA))
    await write(blob, DATA[blob.offset :])
    await blob.commit()


async def test_what_was_brought_is_a_blob_that_nobody_has_claimed(store: Store) -> None:
    await bring(store)
    assert store.has(DIGEST)
    assert store.size(DIGEST) == len(DATA)
    assert b"".join([chunk async for chunk in store.stream(DIGEST, 1_000_000)]) == DATA[1_000_000:]
    assert store.unclaimed() == {DIGEST}
    assert [(each.digest, each.whole, each.size) for each in await store.remnants()] == [(DIGEST, True, len(DATA))]


async def test_a_claimed_blob_is_like_any_other(store: Store, pool: Pool) -> None:
    await bring(store)
    await store.claim([DIGEST, Digest("sha256:" + "0" * 64)])
    assert store.unclaimed() == frozenset()
    assert await store.remnants() == []
    again = await reopened(store, pool)
    assert again.has(DIGEST)
    assert again.unclaimed() == frozenset()


async def test_the_next_attempt_goes_on_where_one_was_suspended(store: Store, pool: Pool) -> None:
    blob = await store.partial(DIGEST, len(DATA))
    await write(blob, DATA[:1_500_000])
    await blob.suspend()
    assert not store.has(DIGEST)
    assert [(each.whole, each.size) for each in await store.remnants()] == [(False, 1_500_000)]
    again = await reopened(store, pool)
    blob = await again.partial(DIGEST, len(DATA))
    assert blob.offset == 1_500_000
    await write(blob, DATA[1_500_000:])
    await blob.commit()
    assert await again.read(DIGEST) == DATA


async def test_what_had_reached_the_disk_is_there_after_a_kill(store: Store, pool: Pool) -> None:
    blob = await store.partial(DIGEST, len(DATA))
    await write(blob, DATA[:2_400_000])
    again = await reopened(store, pool)
    blob = await again.partial(DIGEST, len(DATA))
    assert 2_000_000 < blob.offset <= 2_400_000
    await write(blob, DATA[blob.offset :])
    await blob.commit()
    assert await again.read(DIGEST) == DATA


async def test_an_unclaimed_blob_outlives_a_restart(store: Store, pool: Pool) -> None:
    await bring(store)
    again = await reopened(store, pool)
    assert again.has(DIGEST)
    assert again.unclaimed() == {DIGEST}


async def test_other_bytes_are_refused_and_leave_nothing(store: Store) -> None:
    blob = await store.partial(DIGEST, len(DATA))
    await write(blob, bytes(len(DATA)))
    with pytest.raises(InvalidParameter, match=f"unexpected commit digest sha256:.*, expected {DIGEST}"):
        await blob.commit()
    assert not store.has(DIGEST)
    assert await store.remnants() == []
    await bring(store)
    assert store.has(DIGEST)


async def test_a_blob_that_is_cut_is_not_committed(store: Store) -> None:
    blob = await store.partial(DIGEST, len(DATA))
    await write(blob, DATA[:-1])
    with pytest.raises(InvalidParameter):
        await blob.commit()
    assert await store.remnants() == []


async def test_more_bytes_than_announced_are_refused(store: Store) -> None:
    blob = await store.partial(DIGEST, 1000)
    with pytest.raises(InvalidParameter, match="more than 1000 bytes"):
        await blob.write(DATA[:1001])
    await blob.discard()
    assert await store.remnants() == []


async def test_only_one_writes_at_a_time(store: Store) -> None:
    blob = await store.partial(DIGEST, len(DATA))
    with pytest.raises(EngineError):
        await store.partial(DIGEST, len(DATA))
    assert await store.remnants() == []  # it is in work
    await store.drop_remnant(DIGEST)
    await write(blob, DATA)
    await blob.commit()
    assert store.has(DIGEST)


async def test_dropping_a_part_deletes_it_and_dropping_a_whole_blob_only_its_mark(store: Store) -> None:
    blob = await store.partial(DIGEST, len(DATA))
    await write(blob, DATA[:1_100_000])
    await blob.suspend()
    await store.drop_remnant(DIGEST)
    await store.drop_remnant(DIGEST)
    assert await store.remnants() == []
    blob = await store.partial(DIGEST, len(DATA))
    assert blob.offset == 0
    await blob.discard()
    await bring(store)
    await store.drop_remnant(DIGEST)
    assert store.has(DIGEST)
    assert store.unclaimed() == frozenset()


async def test_a_deleted_blob_leaves_no_mark(store: Store) -> None:
    await bring(store)
    await store.delete(DIGEST)
    assert not store.has(DIGEST)
    assert await store.remnants() == []


async def test_of_a_file_only_what_hashes_right_is_taken(tmp_path: Path, pool: Pool) -> None:
    """After a power cut a file may be long enough and yet not hold what was written."""
    store = BlobStore(str(tmp_path / "content"), pool)
    await store.open()
    Path(store.partials.path(DIGEST)).write_bytes(bytes(len(DATA)))
    blob = await store.partial(DIGEST, len(DATA))
    assert blob.offset == len(DATA)
    with pytest.raises(InvalidParameter):
        await blob.commit()
    Path(store.partials.path(DIGEST)).write_bytes(bytes(len(DATA) + 1))
    blob = await store.partial(DIGEST, len(DATA))
    assert blob.offset == 0
    await blob.discard()


async def test_a_blob_that_has_no_room_is_refused_before_it_comes(tmp_path: Path, pool: Pool) -> None:
    store = BlobStore(str(tmp_path / "content"), pool)
    await store.open()
    with pytest.raises(EngineError, match="no space left on device"):
        await store.partial(DIGEST, 1 << 60)
    await store.partial(DIGEST, len(DATA))


async def test_a_commit_that_is_cancelled_is_known_if_it_was_carried_out(
    tmp_path: Path, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = BlobStore(str(tmp_path / "content"), pool)
    await store.open()
    blob = await store.partial(DIGEST, len(DATA))
    await write(blob, DATA)
    writer = await store.writer()
    await writer.write(b"small")
    for each in (blob, writer):
        begun, go = threading.Event(), threading.Event()
        monkeypatch.setattr(each, "finish", held(each.finish, begun, go))
        commit = asyncio.create_task(each.commit())
        await asyncio.to_thread(begun.wait)
        commit.cancel()
        await asyncio.sleep(0)
        go.set()
        await asyncio.wait([commit])
        assert commit.cancelled()
    assert len(os.listdir(store.blobs)) == len(store.list()) == 2


def held(finish: Callable[P, T], begun: threading.Event, go: threading.Event) -> Callable[P, T]:
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        begun.set()
        go.wait()
        return finish(*args, **kwargs)

    return run


async def test_whole_and_partial_take_their_room_once(tmp_path: Path, pool: Pool) -> None:
    store = BlobStore(str(tmp_path / "content"), pool)
    await store.open()
    await bring(store)
    assert os.stat(store.path(DIGEST)).st_ino == os.stat(store.partials.path(DIGEST)).st_ino
    await store.claim([DIGEST])
    assert os.stat(store.path(DIGEST)).st_nlink == 1


@pytest.mark.parametrize("digest", ["sha256:../../etc/passwd", "sha512:" + "0" * 128])
async def test_a_digest_cannot_name_another_file(tmp_path: Path, pool: Pool, digest: str) -> None:
    store = BlobStore(str(tmp_path / "content"), pool)
    await store.open()
    with pytest.raises(InvalidParameter):
        await store.partial(Digest(digest), 1)
