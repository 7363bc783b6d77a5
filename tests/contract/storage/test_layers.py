"""The `LayerStore` contract."""

import asyncio
import os
from pathlib import Path

import pytest

from tests.contract.storage.rig import StorageRig
from tests.tars import entry
from wharfd.model.errors import InvalidParameter, NotFound, RegistryFailure
from wharfd.model.ids import ChainId, Digest
from wharfd.wire.oci import chain_ids


async def test_a_layer_is_there_once_it_is_unpacked(storage: StorageRig) -> None:
    blob = storage.blob(entry("f", b"12345"))
    info = await storage.unpack(blob)
    assert (info.chain_id, info.parent, info.diff_id, info.size_bytes) == (ChainId(blob.diff_id), None, blob.diff_id, 5)
    assert storage.layers.get(info.chain_id) == info
    assert list(storage.layers.list()) == [info]


async def test_a_layer_stands_on_its_parent(storage: StorageRig) -> None:
    lower, upper = storage.blob(entry("a", b"1")), storage.blob(entry("b", b"2"))
    below = await storage.unpack(lower)
    above = await storage.unpack(upper, lower)
    assert above.parent == below.chain_id
    assert above.chain_id != ChainId(upper.diff_id)


async def test_without_its_parent_a_layer_is_refused(storage: StorageRig) -> None:
    with pytest.raises(NotFound):
        await storage.unpack(storage.blob(entry("b")), storage.blob(entry("a")))
    assert list(storage.layers.list()) == []


async def test_content_that_is_not_what_was_promised_is_refused(storage: StorageRig) -> None:
    blob = storage.blob(entry("f", b"x"))
    wrong = Digest("sha256:" + "0" * 64)
    with pytest.raises(InvalidParameter):
        await storage.layers.unpack(ChainId(wrong), None, wrong, blob.path, "")
    assert list(storage.layers.list()) == []


async def test_removing_is_idempotent(storage: StorageRig) -> None:
    info = await storage.unpack(storage.blob(entry("f")))
    await storage.layers.remove(info.chain_id)
    await storage.layers.remove(info.chain_id)
    assert storage.layers.get(info.chain_id) is None
    assert list(storage.layers.list()) == []


async def test_layers_may_be_on_their_way_before_their_blobs_are_there(storage: StorageRig) -> None:
    """The upper blob comes first, and the layers are there in their order all the same."""
    lower, upper = storage.blob(entry("a", b"1")), storage.blob(entry("b", b"22"))
    chain = chain_ids([lower.diff_id, upper.diff_id])
    blobs = {blob.diff_id: Path(blob.path).read_bytes() for blob in (lower, upper)}
    for blob in (lower, upper):
        os.unlink(blob.path)
    arrived = {blob.diff_id: asyncio.Event() for blob in (lower, upper)}
    order = []

    async def unpack(number: int, diff_id: Digest, path: str) -> None:
        async def ready() -> None:
            await arrived[diff_id].wait()
            Path(path).write_bytes(blobs[diff_id])

        await storage.layers.unpack(chain[number], chain[number - 1] if number else None, diff_id, path, "", ready)
        order.append(number)

    async with asyncio.TaskGroup() as group:
        for number, blob in enumerate((lower, upper)):
            group.create_task(unpack(number, blob.diff_id, blob.path))
        await asyncio.sleep(0)
        arrived[upper.diff_id].set()
        for _ in range(20):
            await asyncio.sleep(0)
        assert order == []
        arrived[lower.diff_id].set()
    assert order == [0, 1]
    assert [(each.chain_id, each.size_bytes) for each in storage.layers.list()] == [(chain[0], 1), (chain[1], 2)]


async def test_a_blob_that_does_not_come_ends_its_layer_and_those_above(storage: StorageRig) -> None:
    lower, upper = storage.blob(entry("a", b"1")), storage.blob(entry("b", b"22"))
    chain = chain_ids([lower.diff_id, upper.diff_id])

    async def never() -> None:
        await asyncio.sleep(0)
        raise RegistryFailure("the registry has gone")

    below, above = await asyncio.gather(
        storage.layers.unpack(chain[0], None, lower.diff_id, lower.path, "", never),
        storage.layers.unpack(chain[1], chain[0], upper.diff_id, upper.path, ""),
        return_exceptions=True,
    )
    assert isinstance(below, RegistryFailure)
    assert isinstance(above, NotFound | RegistryFailure)
    assert list(storage.layers.list()) == []
    await storage.unpack(lower)
    await storage.unpack(upper, lower)
