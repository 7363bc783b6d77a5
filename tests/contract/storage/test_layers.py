"""The `LayerStore` contract."""

import pytest

from tests.contract.storage.rig import StorageRig
from tests.tars import entry
from wharfd.model.errors import InvalidParameter, NotFound
from wharfd.model.ids import ChainId, Digest


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
