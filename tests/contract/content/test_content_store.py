"""The `ContentStore` contract, held against every implementation."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from wharfd.drivers.content.blobs import BlobStore
from wharfd.model.errors import InvalidParameter, NotFound
from wharfd.model.ids import Digest
from wharfd.ports.content import ContentStore
from wharfd.sys.blocking import Pool
from wharfd.testing.content import FakeContent


def digest_of(data: bytes) -> Digest:
    return Digest("sha256:" + hashlib.sha256(data).hexdigest())


@pytest.fixture
async def pool() -> AsyncIterator[Pool]:
    pool = Pool("test", 2)
    yield pool
    pool.close()


@pytest.fixture(params=["driver", "fake"])
async def store(request: pytest.FixtureRequest, tmp_path: Path, pool: Pool) -> ContentStore:
    store: ContentStore = FakeContent() if request.param == "fake" else BlobStore(str(tmp_path / "content"), pool)
    await store.open()
    return store


async def put(store: ContentStore, data: bytes, expected: Digest | None = None) -> Digest:
    writer = await store.writer()
    await writer.write(data)
    return await writer.commit(expected)


@pytest.mark.parametrize("data", [b"", b"x", os.urandom(3 << 20)], ids=["empty", "small", "large"])
async def test_a_blob_comes_back_as_it_was_written(store: ContentStore, data: bytes) -> None:
    writer = await store.writer()
    for at in range(0, len(data), 70_000):
        await writer.write(memoryview(data)[at : at + 70_000])
    digest = await writer.commit(digest_of(data))
    assert digest == digest_of(data)
    assert store.has(digest)
    assert store.size(digest) == len(data)
    assert await store.read(digest) == data
    assert b"".join([chunk async for chunk in store.stream(digest)]) == data
    if isinstance(store, BlobStore):
        assert Path(store.path(digest)).read_bytes() == data
    assert list(store.list()) == [digest]


async def test_bytes_that_do_not_hash_to_what_was_promised_are_not_kept(store: ContentStore) -> None:
    with pytest.raises(InvalidParameter):
        await put(store, b"one", digest_of(b"another"))
    assert list(store.list()) == []


async def test_an_aborted_blob_is_not_there(store: ContentStore) -> None:
    writer = await store.writer()
    await writer.write(b"half")
    await writer.abort()
    assert list(store.list()) == []


async def test_the_same_bytes_twice_are_one_blob(store: ContentStore) -> None:
    first, second = await asyncio.gather(put(store, b"same"), put(store, b"same"))
    assert first == second
    assert list(store.list()) == [first]


async def test_deleting_is_idempotent(store: ContentStore) -> None:
    digest = await put(store, b"gone soon")
    await store.delete(digest)
    await store.delete(digest)
    assert not store.has(digest)
    for call in (store.read(digest), anext(store.stream(digest))):
        with pytest.raises(NotFound):
            await call
    with pytest.raises(NotFound):
        store.size(digest)


async def test_a_blob_larger_than_the_limit_is_not_read_whole(store: ContentStore) -> None:
    digest = await put(store, b"0123456789")
    with pytest.raises(InvalidParameter):
        await store.read(digest, limit=9)


async def test_blobs_survive_and_half_written_ones_do_not(tmp_path: Path, pool: Pool) -> None:
    store = BlobStore(str(tmp_path / "content"), pool)
    await store.open()
    digest = await put(store, b"kept")
    writer = await store.writer()
    await writer.write(b"x" * (2 << 20))
    spool = await store.spool()
    Path(spool.path, "half").write_bytes(b"half")
    again = BlobStore(str(tmp_path / "content"), pool)
    await again.open()
    assert list(again.list()) == [digest]
    assert again.size(digest) == 4
    assert os.listdir(again.ingest) == []
    await writer.abort()


async def test_a_writer_that_is_dropped_leaves_nothing(tmp_path: Path, pool: Pool) -> None:
    store = BlobStore(str(tmp_path / "content"), pool)
    await store.open()
    writer = await store.writer()
    await writer.write(b"x" * (2 << 20))
    del writer
    assert [p for p in Path(store.root).rglob("*") if p.is_file()] == []


async def test_a_spool_gives_what_is_adopted_and_drops_the_rest(tmp_path: Path, pool: Pool) -> None:
    store = BlobStore(str(tmp_path / "content"), pool)
    await store.open()
    spool = await store.spool()
    wanted = digest_of(b"wanted")
    Path(spool.path, "a").write_bytes(b"wanted")
    Path(spool.path, "b").write_bytes(b"unwanted")
    await spool.adopt({"a": wanted})
    await spool.drop()
    await spool.drop()
    assert list(store.list()) == [wanted]
    assert await store.read(wanted) == b"wanted"
    assert os.listdir(store.ingest) == []


@pytest.mark.parametrize("digest", ["sha256:../../etc/passwd", "sha256:" + "A" * 64, "sha512:" + "0" * 128, "sha256:"])
async def test_a_digest_cannot_name_another_file(tmp_path: Path, pool: Pool, digest: str) -> None:
    store = BlobStore(str(tmp_path / "content"), pool)
    await store.open()
    assert not store.has(Digest(digest))
    with pytest.raises(InvalidParameter):
        store.path(Digest(digest))
