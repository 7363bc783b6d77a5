"""Load: what comes out of archives, what is refused, and that nothing half-stored remains."""

import gzip

import msgspec
import pytest
import zstandard

from tests.images import archive, image, layer, stream
from tests.tars import entry, symlink, tar_of
from tests.unit.engine.images.rig import ImageRig
from wharfd.engine.images.progress import ImageLoaded, LayerLoaded
from wharfd.model.errors import EngineError, InvalidParameter, NotFound
from wharfd.model.ids import Digest, ImageId
from wharfd.testing.faults import Fault, FaultPlan, Phase, faulty
from wharfd.wire.oci import Descriptor, Index, Platform, chain_ids, digest_of, encode
from wharfd.wire.oci.archives import PackedImage, blob_path
from wharfd.wire.oci.media_types import OCI_INDEX, OCI_MANIFEST


async def rig_up() -> ImageRig:
    return await ImageRig().up()


def names_told(told: list[LayerLoaded | ImageLoaded]) -> list[str]:
    return [each.name for each in told if isinstance(each, ImageLoaded)]


@pytest.mark.parametrize("oci", [False, True], ids=["docker-archive", "oci-layout"])
async def test_an_archive_becomes_an_image(oci: bool) -> None:
    rig = await rig_up()
    packed = image("busybox:1.36", labels={"a": "b"})
    told = await rig.load(packed, oci=oci)
    image_id = ImageId(digest_of(packed.manifest()))
    assert told == [
        LayerLoaded(chain_ids([digest_of(packed.layers[0])])[0], 24),
        ImageLoaded(image_id, "busybox:1.36"),
    ]
    record = rig.ledger.images[image_id]
    assert record.tags == ["docker.io/library/busybox:1.36"]
    assert record.digests == [f"docker.io/library/busybox@{image_id}"]
    assert record.media_type == OCI_MANIFEST
    assert record.size == len(packed.manifest())
    assert record.labels == {"a": "b"}
    assert record.created_ns == 1_704_164_645_678_000_000
    assert record.comment == "the end"
    (platform,) = record.platforms
    assert (platform.os, platform.architecture, platform.available) == ("linux", "amd64", True)
    assert platform.layer_sizes == [24]
    assert platform.content_size == len(packed.config) + len(packed.layers[0]) + len(packed.manifest())
    assert rig.events() == [("load", image_id)]
    assert rig.spools.spools == {}
    assert not rig.leases.held


async def test_both_kinds_of_archive_give_the_same_image() -> None:
    rig = await rig_up()
    packed = image("a:1")
    await rig.load(packed)
    await rig.load(packed, oci=True)
    assert len(rig.ledger.images) == 1


async def test_several_images_that_share_layers() -> None:
    rig = await rig_up()
    base = layer()
    told = await rig.load(
        image("one:a", "one:b", layers=[base]), image("two:a", layers=[base, layer(entry("f", b"x"))]), image()
    )
    assert names_told(told) == ["one:a", "one:b", "two:a", ""]
    assert len(rig.world.layers.layers) == 2


async def test_an_image_without_a_name_is_told_by_its_id() -> None:
    rig = await rig_up()
    told = await rig.load(image())
    assert names_told(told) == [""]
    (record,) = rig.ledger.images.values()
    assert (record.tags, record.digests) == ([], [])


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress], ids=["gzip", "zstd"])
async def test_layers_stay_compressed_as_they_are(pack: object) -> None:
    assert callable(pack)
    rig = await rig_up()
    plain = layer()
    packed = pack(plain)
    record = await rig.loaded("x:1", layers=[plain], stored=[packed])
    assert rig.world.content.blobs[digest_of(packed)] == packed
    assert record.platforms[0].diff_ids == [digest_of(plain)]


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress], ids=["gzip", "zstd"])
async def test_the_archive_itself_may_be_compressed(pack: object) -> None:
    assert callable(pack)
    rig = await rig_up()
    assert names_told(await rig.load_bytes(pack(archive(image("x:1"))))) == ["x:1"]


async def test_a_layer_may_be_a_link_to_another_images_layer() -> None:
    rig = await rig_up()
    one = image("one:1")
    config = msgspec.json.encode([{"Config": "c.json", "RepoTags": ["one:1"], "Layers": ["b/layer.tar"]}])
    told = await rig.load_bytes(
        tar_of(
            entry("c.json", one.config),
            entry("a/layer.tar", one.layers[0]),
            symlink("b/layer.tar", "../a/layer.tar"),
            entry("manifest.json", config),
        )
    )
    assert names_told(told) == ["one:1"]


async def test_names_of_a_layout_may_stand_in_manifest_json_only() -> None:
    rig = await rig_up()
    packed = image()
    manifest = packed.manifest()
    index = Index(manifests=[Descriptor(media_type=OCI_MANIFEST, digest=digest_of(manifest), size=len(manifest))])
    named = [{"Config": blob_path(digest_of(packed.config)), "RepoTags": ["named:1"], "Layers": []}]
    told = await rig.load_bytes(
        tar_of(
            *(entry(blob_path(digest_of(blob)), blob) for blob in (packed.config, manifest, *packed.layers)),
            entry("index.json", encode(index)),
            entry("manifest.json", msgspec.json.encode(named)),
        )
    )
    assert names_told(told) == ["named:1"]


async def test_a_bare_tag_is_no_name() -> None:
    rig = await rig_up()
    packed = image()
    manifest = packed.manifest()
    note = {"org.opencontainers.image.ref.name": "latest"}
    target = Descriptor(media_type=OCI_MANIFEST, digest=digest_of(manifest), size=len(manifest), annotations=note)
    told = await rig.load_bytes(
        tar_of(
            *(entry(blob_path(digest_of(blob)), blob) for blob in (packed.config, manifest, *packed.layers)),
            entry("index.json", encode(Index(manifests=[target]))),
        )
    )
    assert names_told(told) == [""]


def multi_platform(*images: PackedImage, leave_out: int | None = None, name: str = "multi:1") -> tuple[bytes, ImageId]:
    """An archive with one index over the images, and the index's digest.  The content of one of them may be missing."""
    blobs: list[bytes] = []
    children = []
    for number, packed in enumerate(images):
        manifest = packed.manifest()
        architecture = msgspec.json.decode(packed.config)["architecture"]
        platform = Platform(os="linux", architecture=architecture)
        children.append(
            Descriptor(media_type=OCI_MANIFEST, digest=digest_of(manifest), size=len(manifest), platform=platform)
        )
        if number != leave_out:
            blobs += [manifest, packed.config, *packed.layers]
    index = encode(Index(media_type=OCI_INDEX, manifests=children))
    notes = {"io.containerd.image.name": f"docker.io/library/{name}"}
    top = Descriptor(media_type=OCI_INDEX, digest=digest_of(index), size=len(index), annotations=notes)
    members = [entry(blob_path(digest_of(blob)), blob) for blob in {*blobs, index}]
    return tar_of(*members, entry("index.json", encode(Index(manifests=[top])))), ImageId(digest_of(index))


async def test_an_index_is_kept_whole_and_unpacked_for_this_host() -> None:
    rig = await rig_up()
    arm, amd = image(architecture="arm64", layers=[layer(entry("arm"))]), image(layers=[layer(entry("amd", b"12"))])
    data, index = multi_platform(arm, amd)
    await rig.load_bytes(data)
    record = rig.ledger.images[index]
    assert record.media_type == OCI_INDEX
    assert [(p.architecture, p.available, p.layer_sizes) for p in record.platforms] == [
        ("arm64", True, [0]),
        ("amd64", True, [2]),
    ]
    assert list(rig.world.layers.layers) == [digest_of(amd.layers[0])]
    resolved = await rig.images.get("multi:1", Platform(os="linux", architecture="arm64"))
    assert resolved.platform.architecture == "arm64"
    assert digest_of(arm.layers[0]) in rig.world.layers.layers


async def test_an_index_may_lack_platforms_but_not_all() -> None:
    rig = await rig_up()
    arm, amd = image(architecture="arm64", layers=[layer(entry("arm"))]), image()
    data, index = multi_platform(arm, amd, leave_out=0)
    await rig.load_bytes(data)
    assert [p.architecture for p in rig.ledger.images[index].platforms] == ["amd64"]
    alone, _ = multi_platform(arm, leave_out=0)
    with pytest.raises(InvalidParameter):
        await rig.load_bytes(alone)


async def test_only_the_platforms_asked_for_and_all_of_them() -> None:
    rig = await rig_up()
    arm, amd = image(architecture="arm64", layers=[layer(entry("arm"))]), image()
    data, _ = multi_platform(arm, amd)
    with pytest.raises(NotFound, match=r"requested platform \(linux/s390x\) not found"):
        await rig.load_bytes(data, [Platform(os="linux", architecture="s390x")])
    assert rig.is_empty()
    await rig.load_bytes(data, [Platform(os="linux", architecture="arm64")])
    assert list(rig.world.layers.layers) == [digest_of(arm.layers[0])]


async def test_a_name_moves_and_its_old_image_stays_without() -> None:
    rig = await rig_up()
    old = await rig.loaded("app:1", layers=[layer(entry("old"))])
    new = await rig.loaded("app:1", layers=[layer(entry("new"))])
    assert rig.ledger.images[old.id].tags == rig.ledger.images[old.id].digests == []
    assert rig.ledger.images[new.id].tags == ["docker.io/library/app:1"]


async def test_loading_again_changes_nothing_but_the_time() -> None:
    rig = await rig_up()
    first = await rig.loaded("app:1", "app:2")
    again = await rig.loaded("app:1")
    assert again.tags == first.tags
    assert again.stored_ns == first.stored_ns
    assert again.tagged_ns > first.tagged_ns


def broken_archives() -> dict[str, bytes]:
    packed = image("x:1")
    whole = archive(packed)
    manifest = [{"Config": "c.json", "RepoTags": ["x:1"], "Layers": ["l.tar"]}]

    def docker(*members: object, listing: object = manifest) -> bytes:
        return tar_of(*members, entry("manifest.json", msgspec.json.encode(listing)))  # type: ignore[arg-type]

    config, content = entry("c.json", packed.config), entry("l.tar", packed.layers[0])
    oci = archive(packed, oci=True)
    return {
        "empty": b"",
        "text": b"this is not an archive" * 100,
        "cut": whole[: len(whole) // 2],
        "no manifest": tar_of(entry("readme", b"hello")),
        "no layer": docker(config),
        "no config": docker(content),
        "config is no json": docker(entry("c.json", b"{"), content),
        "manifest is no json": tar_of(config, content, entry("manifest.json", b"[")),
        "manifest is no list": docker(config, content, listing={"a": 1}),
        "empty manifest": docker(config, content, listing=[]),
        "path upwards": docker(config, content, listing=[{"Config": "../c.json", "Layers": []}]),
        "layer count": docker(config, content, listing=[{"Config": "c.json", "RepoTags": None, "Layers": []}]),
        "bad name": docker(config, content, listing=[{**manifest[0], "RepoTags": ["UPPER:1"]}]),
        "wrong diff id": archive(image("x:1", diff_ids=[Digest("sha256:" + "0" * 64)])),
        "broken layer": archive(image("x:1", layers=[b"no tar at all" * 100])),
        "hostile layer": archive(image("x:1", layers=[layer(entry("../../etc/passwd", b"x"))])),
        "second image broken": archive(image("a:1"), image("b:1", layers=[layer(entry("../x"))])),
        "layout without blobs": tar_of(entry("index.json", oci_index(packed))),
        "damaged blob": oci.replace(b"root:x:0:0", b"root:x:0:1"),
        "layout of the future": tar_of(
            entry("oci-layout", b'{"imageLayoutVersion":"2.0.0"}'), entry("index.json", oci_index(packed))
        ),
        "empty index": tar_of(entry("index.json", encode(Index(manifests=[])))),
    }


def oci_index(packed: PackedImage) -> bytes:
    manifest = packed.manifest()
    return encode(
        Index(manifests=[Descriptor(media_type=OCI_MANIFEST, digest=digest_of(manifest), size=len(manifest))])
    )


BROKEN = broken_archives()


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN.keys())
async def test_a_broken_archive_is_refused_and_leaves_nothing(data: bytes) -> None:
    rig = await rig_up()
    with pytest.raises(InvalidParameter):
        await rig.load_bytes(data)
    assert rig.is_empty()
    assert rig.ledger.images == {}
    assert rig.events() == []


async def test_a_failing_load_leaves_what_others_have() -> None:
    rig = await rig_up()
    base = layer()
    await rig.loaded("good:1", layers=[base])
    before = dict(rig.world.content.blobs), dict(rig.world.layers.layers)
    with pytest.raises(InvalidParameter):
        await rig.load(image("bad:1", layers=[base, layer(entry("../x"))]))
    assert (dict(rig.world.content.blobs), dict(rig.world.layers.layers)) == before


class Killed(BaseException):
    """The engine dies here: nothing after it runs."""


async def calls_of_a_load() -> list[str]:
    rig = await rig_up()
    plan = FaultPlan()
    await load_under(rig, plan)
    return plan.calls


async def load_under(rig: ImageRig, plan: FaultPlan) -> None:
    rig.load_images.content = rig.unpacking.content = faulty("content", rig.world.content, plan)
    rig.load_images.layers = rig.unpacking.layers = faulty("layers", rig.world.layers, plan)
    rig.ledger.store = faulty("records", rig.world.records, plan)
    await rig.load_images(stream(archive(image("x:1", layers=[layer(), layer(entry("f"))]))), lambda _: None)


async def test_a_kill_at_any_call_leaves_no_image_or_a_whole_one() -> None:
    calls = await calls_of_a_load()
    assert {"content.writer", "layers.unpack", "records.commit"} <= set(calls)
    seen: dict[str, int] = {}
    for call in calls:
        seen[call] = seen.get(call, 0) + 1
        for phase in Phase:
            await killed_at(call, seen[call], phase)


async def killed_at(call: str, nth: int, phase: Phase) -> None:
    def die() -> None:
        raise Killed

    rig = await rig_up()
    rig.garbage.collect = no_clean_up  # type: ignore[assignment, method-assign]
    plan = FaultPlan(Fault(call, nth=nth, phase=phase, action=die))
    with pytest.raises((Killed, EngineError, BaseExceptionGroup)):
        await load_under(rig, plan)
    rig = await rig.reborn()
    if rig.ledger.images:
        resolved = await rig.images.get("x:1")
        assert all(chain_id in rig.world.layers.layers for chain_id in resolved.platform.chain_ids)
    else:
        assert rig.is_empty()


async def no_clean_up(_: object) -> int:
    return 0
