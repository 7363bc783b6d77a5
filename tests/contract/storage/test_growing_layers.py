"""The `LayerStore` contract for blobs that are still coming."""

import asyncio
import gzip
from pathlib import Path

import pytest

from tests.contract.storage.rig import Blob, StorageRig
from tests.tars import entry, tar_of
from wharfd.engine.images.growth import Growth
from wharfd.model.errors import InvalidParameter, RegistryFailure
from wharfd.model.ids import ChainId, Digest
from wharfd.ports.storage import LayerInfo, Ready


class Coming:
    """A blob on its way into `path`, in pieces, as a download would write it."""

    def __init__(self, storage: StorageRig, blob: Blob) -> None:
        self.storage = storage
        self.blob = blob
        self.data = Path(blob.path).read_bytes()
        Path(blob.path).unlink()
        self.partial = Path(blob.path + ".partial")
        self.growth = Growth(str(self.partial))
        self.whole = asyncio.get_running_loop().create_future()

    def write(self, data: bytes) -> None:
        with self.partial.open("ab") as file:
            file.write(data)
        self.growth.note(self.partial.stat().st_size)

    def commit(self, data: bytes | None = None) -> None:
        """Whole after this attempt, or (`data`) after another."""
        if data is None:
            self.growth.end(self.partial.stat().st_size)
        else:
            self.growth.end()
        Path(self.blob.path).write_bytes(self.partial.read_bytes() if data is None else data)
        self.whole.set_result(None)

    async def growing(self) -> Growth:
        return self.growth

    def ready(self) -> Ready:
        return lambda: asyncio.shield(self.whole)

    def unpack(self) -> "asyncio.Task[LayerInfo]":
        work = self.storage.layers.unpack(
            ChainId(self.blob.diff_id), None, self.blob.diff_id, self.blob.path, "", self.ready(), self.growing
        )
        return asyncio.ensure_future(work)


@pytest.fixture
async def coming(storage: StorageRig) -> Coming:
    return Coming(storage, storage.blob(entry("a", b"1" * 300_000), entry("b", b"2" * 300_000)))


async def test_a_layer_that_comes_piece_by_piece_is_there_when_its_blob_is(coming: Coming) -> None:
    work = coming.unpack()
    for at in range(0, len(coming.data), 50_000):
        coming.write(coming.data[at : at + 50_000])
        await asyncio.sleep(0)
    assert list(coming.storage.layers.list()) == []
    coming.commit()
    assert (await work).size_bytes == 600_000
    assert [each.diff_id for each in coming.storage.layers.list()] == [coming.blob.diff_id]


async def test_a_transfer_that_was_begun_anew_counts(coming: Coming) -> None:
    work = coming.unpack()
    coming.write(tar_of(entry("other", b"3" * 100_000))[:90_000])
    await asyncio.sleep(0)
    coming.commit(coming.data)
    assert (await work).size_bytes == 600_000


async def test_what_was_broken_and_is_made_good_is_no_error(coming: Coming) -> None:
    work = coming.unpack()
    coming.write(b"no tar" * 10_000)
    await asyncio.sleep(0.05)
    coming.commit(coming.data)
    assert (await work).size_bytes == 600_000


async def test_a_transfer_that_ends_leaves_nothing(coming: Coming) -> None:
    work = coming.unpack()
    coming.write(coming.data[:100_000])
    await asyncio.sleep(0)
    coming.growth.end()
    coming.whole.set_exception(RegistryFailure("the registry has gone"))
    with pytest.raises(RegistryFailure):
        await work
    assert list(coming.storage.layers.list()) == []
    Path(coming.blob.path).write_bytes(coming.data)
    assert (await coming.storage.unpack(coming.blob)).size_bytes == 600_000


async def test_one_that_is_not_what_the_image_says_leaves_nothing(coming: Coming) -> None:
    coming.blob.diff_id = Digest("sha256:" + "0" * 64)
    work = coming.unpack()
    coming.write(coming.data)
    coming.commit()
    with pytest.raises(InvalidParameter):
        await work
    assert list(coming.storage.layers.list()) == []


async def test_a_hostile_layer_leaves_nothing(storage: StorageRig) -> None:
    coming = Coming(storage, storage.blob(entry("a", b"1"), entry("../../outside", b"2")))
    work = coming.unpack()
    coming.write(coming.data)
    coming.commit()
    with pytest.raises(InvalidParameter):
        await work
    assert list(storage.layers.list()) == []


async def test_who_leaves_ends_the_work(coming: Coming) -> None:
    work = coming.unpack()
    coming.write(coming.data[:100_000])
    await asyncio.sleep(0.05)
    work.cancel()
    await asyncio.wait([work])
    assert work.cancelled()
    assert list(coming.storage.layers.list()) == []


async def test_compressed_blobs_come_as_well(storage: StorageRig) -> None:
    coming = Coming(storage, storage.blob(entry("a", b"1" * 300_000)))
    packed = gzip.compress(coming.data)
    work = asyncio.ensure_future(
        storage.layers.unpack(
            ChainId(coming.blob.diff_id), None, coming.blob.diff_id, coming.blob.path, "gzip", coming.ready(),
            coming.growing,
        )
    )  # fmt: skip
    for at in range(0, len(packed), 97):
        coming.write(packed[at : at + 97])
        await asyncio.sleep(0)
    coming.commit()
    assert (await work).size_bytes == 300_000
