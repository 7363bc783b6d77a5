"""Layers that are read while their blobs come, on fakes."""

import random

import pytest

from tests.images import layer
from tests.tars import entry
from tests.unit.engine.images.publisher import BASE, Published
from tests.unit.engine.images.rig import ImageRig
from tests.unit.engine.images.test_pull import pull
from wharfd.model.errors import RegistryFailure
from wharfd.wire.oci import digest_of

NAME = "alpine:latest"
LARGE = layer(entry("large", random.Random(1).randbytes(5 << 20)))


@pytest.fixture
async def rig() -> ImageRig:
    return await ImageRig().up()


def remains(rig: ImageRig, published: Published, data: bytes) -> None:
    """An earlier attempt has left this of the large layer."""
    digest = digest_of(published.layers[1])
    rig.world.content.partials[digest] = bytearray(data)
    rig.world.content.changed_ns[digest] = rig.world.content.now_ns()


async def followed(rig: ImageRig, published: Published) -> list[int]:
    """What was told of the large layer's file."""
    (platform,) = rig.images.find(NAME).platforms
    assert set(rig.world.layers.followed) <= {platform.chain_ids[1]}
    offsets = rig.world.layers.followed.get(platform.chain_ids[1], [])
    assert offsets == sorted(set(offsets))
    assert not offsets or offsets[-1] <= len(published.layers[1])
    return offsets


async def test_a_large_layer_is_followed_to_its_end_and_a_small_one_is_not(rig: ImageRig) -> None:
    published = Published(rig.registry, NAME, BASE, LARGE)
    await pull(rig, NAME)
    offsets = await followed(rig, published)
    assert len(offsets) > 10
    assert offsets[-1] == len(published.layers[1])


async def test_a_blob_that_is_here_is_not_followed(rig: ImageRig) -> None:
    published = Published(rig.registry, NAME, BASE, LARGE)
    rig.world.content.put(published.layers[1])
    await pull(rig, NAME)
    assert await followed(rig, published) == []


async def test_an_attempt_that_goes_on_is_followed_from_what_is_here(rig: ImageRig) -> None:
    published = Published(rig.registry, NAME, BASE, LARGE)
    here = 3 << 20
    remains(rig, published, published.layers[1][:here])
    await pull(rig, NAME)
    offsets = await followed(rig, published)
    assert offsets[0] >= here
    assert offsets[-1] == len(published.layers[1])


async def test_an_attempt_that_brought_something_else_is_followed_in_vain(rig: ImageRig) -> None:
    published = Published(rig.registry, NAME, BASE, LARGE)
    remains(rig, published, bytes(3 << 20))
    await pull(rig, NAME)
    assert (await followed(rig, published))[0] >= (3 << 20)
    (platform,) = rig.images.find(NAME).platforms
    assert len(rig.world.layers.files[platform.chain_ids[1]]["/large"]) == 5 << 20


async def test_a_transfer_that_ends_leaves_nobody_waiting(rig: ImageRig) -> None:
    Published(rig.registry, NAME, BASE, LARGE)
    rig.registry.fail_next("blob.piece", RegistryFailure("the line is cut"), skip=20)
    with pytest.raises(RegistryFailure, match="the line is cut"):
        await pull(rig, NAME)
    assert rig.world.layers.layers == {}
    await pull(rig, NAME)
    assert rig.images.find(NAME).tags
