"""References: names, digests, ids and their beginnings."""

import pytest

from tests.images import image, layer
from tests.tars import entry
from tests.unit.engine.images.rig import ImageRig
from wharfd.model.errors import ImageNotFound, InvalidParameter, NotFound
from wharfd.ports.records import Deletion
from wharfd.wire.oci import Platform, digest_of
from wharfd.wire.oci.archives import PackedImage


async def test_every_way_to_name_an_image() -> None:
    rig = await ImageRig().up()
    record = await rig.loaded("alpine", "alpine:3.20", "localhost:5000/me/app:dev")
    hexed = record.id.removeprefix("sha256:")
    for ref in (
        "alpine",
        "alpine:latest",
        "alpine:3.20",
        "docker.io/library/alpine",
        "index.docker.io/library/alpine:3.20",
        "localhost:5000/me/app:dev",
        f"alpine@{record.id}",
        f"alpine:whatever@{record.id}",
        f"localhost:5000/me/app@{record.id}",
        record.id,
        hexed,
        hexed[:12],
        hexed[:4],
        f"sha256:{hexed[:20]}",
    ):
        assert rig.images.find(ref).id == record.id, ref


@pytest.mark.parametrize(
    ("ref", "told"),
    [
        ("nothing", "nothing:latest"),
        ("nothing:1", "nothing:1"),
        ("example.org/a/b", "example.org/a/b:latest"),
        ("f" * 64, "sha256:" + "f" * 64),
        ("sha256:" + "f" * 64, "sha256:" + "f" * 64),
        ("ffff", "ffff:latest"),
        ("busybox@sha256:" + "f" * 64, "busybox@sha256:" + "f" * 64),
    ],
)
async def test_what_is_not_there(ref: str, told: str) -> None:
    rig = await ImageRig().up()
    await rig.loaded("alpine")
    with pytest.raises(ImageNotFound) as caught:
        rig.images.find(ref)
    assert str(caught.value) == f"No such image: {told}"


async def test_a_digest_belongs_to_its_repository() -> None:
    rig = await ImageRig().up()
    record = await rig.loaded("alpine")
    with pytest.raises(ImageNotFound):
        rig.images.find(f"busybox@{record.id}")


async def test_three_digits_are_no_id() -> None:
    rig = await ImageRig().up()
    record = await rig.loaded("alpine")
    with pytest.raises(ImageNotFound):
        rig.images.find(record.id.removeprefix("sha256:")[:3])


async def test_a_name_goes_before_an_id_that_looks_like_it() -> None:
    rig = await ImageRig().up()
    first = await rig.loaded("alpine")
    short = first.id.removeprefix("sha256:")[:8]
    second = await rig.loaded(short, layers=[layer(entry("other"))])
    assert rig.images.find(short).id == second.id


async def test_an_ambiguous_id() -> None:
    rig = await ImageRig().up()
    records: dict[str, PackedImage] = {}
    for number in range(600):
        packed = image(layers=[], created=f"2024-01-01T00:00:00.{number:09d}Z")
        short = digest_of(packed.manifest())[7:11]
        if short in records:
            await rig.load(packed, records[short])
            with pytest.raises(NotFound, match="ambiguous reference"):
                rig.images.find(short)
            return
        records[short] = packed
    pytest.fail("no two ids began alike")


@pytest.mark.parametrize("ref", ["UPPER", "a b", "", "-x", "a:b:c", "x@sha256:1"])
async def test_what_is_no_reference(ref: str) -> None:
    rig = await ImageRig().up()
    with pytest.raises(InvalidParameter):
        rig.images.find(ref)


async def test_the_config_comes_along() -> None:
    rig = await ImageRig().up()
    record = await rig.loaded("alpine")
    resolved = await rig.images.get("alpine")
    assert resolved.record == record
    assert resolved.config.config.cmd == ["sh"]
    assert resolved.config.config.env == ["PATH=/bin"]


async def test_a_platform_that_it_has_not() -> None:
    rig = await ImageRig().up()
    await rig.loaded("alpine")
    with pytest.raises(NotFound) as caught:
        await rig.images.get("alpine", Platform(os="linux", architecture="arm64"))
    assert str(caught.value) == (
        "image with reference alpine was found but does not provide the specified platform (linux/arm64)"
    )


async def test_an_image_for_another_machine_is_taken_as_it_is() -> None:
    rig = await ImageRig().up()
    await rig.loaded("alpine", architecture="s390x")
    assert (await rig.images.get("alpine")).platform.architecture == "s390x"


async def test_layers_that_were_lost_are_unpacked_again() -> None:
    rig = await ImageRig().up()
    record = await rig.loaded("alpine")
    chain_id = next(iter(rig.world.layers.layers))
    await rig.world.layers.remove(chain_id)  # type: ignore[arg-type]
    await rig.images.get("alpine")
    assert rig.world.layers.layers
    assert rig.ledger.images[record.id].platforms[0].layer_sizes == [24]


async def test_what_is_resolved_stays_as_long_as_it_is_kept() -> None:
    rig = await ImageRig().up()
    record = await rig.loaded("alpine")
    resolved = await rig.images.get("alpine")
    await rig.delete("alpine")
    assert record.id not in rig.ledger.images
    assert rig.world.layers.layers
    container = await rig.container(record)
    del resolved
    assert not rig.leases.held
    await rig.garbage.collect(list(rig.garbage.postponed))
    assert rig.world.layers.layers, "a container stands on it"
    await rig.ledger.commit(Deletion(kind="container", id=container.id))
    await rig.garbage.collect(list(rig.garbage.postponed))
    assert not rig.world.layers.layers
