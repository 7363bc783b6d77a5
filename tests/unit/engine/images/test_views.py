"""List, inspect, history, tag, import, usage."""

import bz2
import gzip
import lzma
from collections.abc import Callable

import pytest
import zstandard

from tests.images import image, layer, stream
from tests.tars import entry
from tests.unit.engine.images.rig import ImageRig
from tests.unit.engine.images.test_load import multi_platform
from wharfd.engine.images.importing import Import
from wharfd.engine.images.sizes import images_usage
from wharfd.engine.images.tag import new_name
from wharfd.model.errors import ImageNotFound, InvalidParameter
from wharfd.model.image import RunConfig
from wharfd.wire.filters import Filters, InvalidFilter
from wharfd.wire.oci import digest_of
from wharfd.wire.reference import parse_normalised


async def listed(rig: ImageRig, **filters: str) -> list[list[str]]:
    return [
        [name.rpartition("/")[2] for name in each.tags] for each in await rig.views.summaries(Filters.of(**filters))
    ]


async def test_the_newest_comes_first() -> None:
    rig = await ImageRig().up()
    await rig.loaded("old", created="2020-01-01T00:00:00Z", layers=[layer(entry("o"))])
    await rig.loaded("new", created="2024-01-01T00:00:00Z", layers=[layer(entry("n"))])
    await rig.loaded("middle", created="2022-01-01T00:00:00Z", layers=[layer(entry("m"))])
    assert await listed(rig) == [["new:latest"], ["middle:latest"], ["old:latest"]]
    assert await listed(rig, before="middle") == [["old:latest"]]
    assert await listed(rig, since="middle") == [["new:latest"]]
    with pytest.raises(ImageNotFound):
        await listed(rig, since="nothing")


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("alpine", [["alpine:3.19", "alpine:3.20"]]),
        ("alpine:3.20", [["alpine:3.20"]]),
        ("alpine:*", [["alpine:3.19", "alpine:3.20"]]),
        ("al*:3.?9", [["alpine:3.19"]]),
        ("*", [["alpine:3.19", "alpine:3.20"]]),
        ("*/*", [["app:dev"]]),
        ("me/a[o-q]p", [["app:dev"]]),
        ("nothing", []),
        ("[", []),
    ],
)
async def test_reference_patterns_narrow_the_names(pattern: str, found: list[list[str]]) -> None:
    rig = await ImageRig().up()
    await rig.loaded("alpine:3.19", "alpine:3.20")
    await rig.loaded("me/app:dev", layers=[layer(entry("x"))])
    assert await listed(rig, reference=pattern) == found


async def test_reference_patterns_narrow_the_digests_too() -> None:
    """The docker command line shows a digest whose repository has no tag as an image of its own."""
    rig = await ImageRig().up()
    await rig.loaded("alpine:3.20", "me/app:dev")
    (summary,) = await rig.views.summaries(Filters.of(reference="me/*"))
    assert [name.partition("@")[0] for name in summary.digests] == ["docker.io/me/app"]


async def test_dangling_and_labels() -> None:
    rig = await ImageRig().up()
    await rig.loaded("named", labels={"a": "1", "b": "2"})
    await rig.loaded(layers=[layer(entry("x"))])
    assert await listed(rig, dangling="true") == [[]]
    assert await listed(rig, dangling="false") == [["named:latest"]]
    assert len(await listed(rig)) == 2
    assert await listed(rig, label="a") == [["named:latest"]]
    assert await listed(rig, label="a=2") == []
    assert await listed(rig, **{"label!": "a"}) == [[]]
    for bad in ({"nothing": "x"}, {"dangling": "perhaps"}):
        with pytest.raises(InvalidFilter):
            await listed(rig, **bad)


async def test_sizes_and_counts() -> None:
    rig = await ImageRig().up()
    base = layer(entry("base", b"x" * 1000))
    one = await rig.loaded("one", layers=[base, layer(entry("a", b"1" * 10))])
    await rig.loaded("two", layers=[base, layer(entry("b", b"2" * 20))], created="2000-01-01T00:00:00Z")
    await rig.container(one)
    first, second = await rig.views.summaries(Filters(), shared_size=True)
    assert first.size_bytes == 1010 + one.platforms[0].content_size
    assert (first.shared_bytes, second.shared_bytes) == (1000, 1000)
    assert (first.containers, second.containers) == (1, 0)
    usage = images_usage(rig.ledger)
    assert usage.active == 1
    assert usage.total_bytes == first.size_bytes + second.size_bytes - 1000
    assert usage.reclaimable_bytes == second.size_bytes - 1000


async def test_inspect() -> None:
    rig = await ImageRig().up()
    record = await rig.loaded("one:1")
    details = await rig.views.inspect("one:1")
    assert details.record == record
    assert details.size_bytes == record.platforms[0].content_size
    assert details.config.config.cmd == ["sh"]
    assert details.manifests is None


async def test_manifests_of_an_index() -> None:
    rig = await ImageRig().up()
    arm, amd = image(architecture="arm64", layers=[layer(entry("arm"))]), image()
    data, index = multi_platform(arm, amd, leave_out=0)
    await rig.load_bytes(data)
    details = await rig.views.inspect("multi:1", manifests=True)
    assert details.manifests is not None
    rows = [(row.kind, row.available, row.platform.architecture if row.platform else "") for row in details.manifests]
    assert rows == [("image", True, "amd64"), ("image", False, "arm64")]
    assert details.size_bytes == rig.ledger.images[index].size + details.platform.content_size


async def test_history_has_the_newest_first_and_sizes_of_real_layers() -> None:
    rig = await ImageRig().up()
    record = await rig.loaded("one:1", layers=[layer(entry("a", b"1")), layer(entry("b", b"22"))])
    rows = await rig.views.history("one:1")
    assert [(row.entry.created_by, row.size_bytes, row.id) for row in rows] == [
        ('CMD ["sh"]', 0, record.id),
        ("RUN step 1", 2, ""),
        ("ADD rootfs.tar /", 1, ""),
    ]
    assert rows[0].tags == record.tags


async def test_tagging() -> None:
    rig = await ImageRig().up()
    record = await rig.loaded("one:1")
    other = await rig.loaded("two:1", layers=[layer(entry("x"))])
    rig.events()
    await rig.tag("one:1", "example.org/me/app", "v2")
    await rig.tag(record.id, "two", "1")
    assert rig.ledger.images[record.id].tags == [
        "docker.io/library/one:1",
        "docker.io/library/two:1",
        "example.org/me/app:v2",
    ]
    assert rig.ledger.images[other.id].tags == []
    assert rig.events() == [("tag", "example.org/me/app:v2"), ("tag", "two:1")]
    rig = await rig.reborn()
    assert rig.images.find("two:1").id == record.id


@pytest.mark.parametrize(
    ("repository", "tag", "text"),
    [
        ("", "", "invalid reference format"),
        ("UPPER", "", "invalid reference format: repository name (UPPER) must be lowercase"),
        ("a", "b c", "invalid tag format"),
        ("a@sha256:" + "0" * 64, "", "cannot import digest reference"),
        ("sha256", "x", "refusing to create an ambiguous tag using digest algorithm as name"),
    ],
)
def test_names_that_are_none(repository: str, tag: str, text: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        new_name(repository, tag)
    assert str(caught.value).startswith(text.split(" (", maxsplit=1)[0])


def test_a_tag_of_the_query_wins() -> None:
    assert str(new_name("a:b", "c")) == "docker.io/library/a:c"
    assert str(new_name("a:b", "")) == "docker.io/library/a:b"
    assert str(new_name("a", "")) == "docker.io/library/a:latest"


@pytest.mark.parametrize(
    ("pack", "stored"),
    [(bytes, ""), (gzip.compress, "+gzip"), (zstandard.compress, "+zstd"), (bz2.compress, ""), (lzma.compress, "")],
    ids=["plain", "gzip", "zstd", "bzip2", "xz"],
)
async def test_import(pack: Callable[[bytes], bytes], stored: str) -> None:
    rig = await ImageRig().up()
    plain = layer()
    asked = Import(name=parse_normalised("mine:1"), message="from a test", changes=['CMD ["sh"]\nENV A=1', "LABEL x=y"])
    image_id = await rig.import_image(asked, stream(pack(plain)))
    record = rig.ledger.images[image_id]
    assert record.tags == ["docker.io/library/mine:1"]
    assert (record.comment, record.labels) == ("from a test", {"x": "y"})
    resolved = await rig.images.get("mine:1")
    assert resolved.config.config == RunConfig(cmd=["sh"], env=["A=1"], labels={"x": "y"})
    assert resolved.platform.diff_ids == [digest_of(plain)]
    assert resolved.platform.architecture == "amd64"
    manifest = await rig.world.content.read(resolved.platform.manifest)
    assert f'layer.v1.tar{stored}"'.encode() in manifest
    assert rig.events() == [("import", image_id)]
    del resolved
    assert not rig.leases.held


@pytest.mark.parametrize("data", [b"no tar" * 100, gzip.compress(layer())[:-10]], ids=["text", "cut"])
async def test_a_broken_import_leaves_nothing(data: bytes) -> None:
    rig = await ImageRig().up()
    with pytest.raises(InvalidParameter):
        await rig.import_image(Import(), stream(data))
    assert rig.is_empty()
    assert not rig.ledger.images


async def test_changes_are_checked_before_anything_is_read() -> None:
    rig = await ImageRig().up()
    with pytest.raises(InvalidParameter, match="RUN is not a valid change command"):
        await rig.import_image(Import(changes=["RUN rm -rf /"]), stream(layer()))
    assert rig.ingester.calls == []
