"""Deletion and prune: names, conflicts with containers, what is freed."""

import asyncio

import msgspec
import pytest

from tests.images import layer
from tests.tars import entry
from tests.unit.engine.images.rig import ImageRig
from wharfd.engine.happenings import container_event
from wharfd.engine.images.prune import Pruned
from wharfd.model.container import State
from wharfd.model.errors import Conflict, ImageNotFound
from wharfd.model.ids import short_id
from wharfd.ports.records import Deletion
from wharfd.wire.filters import Filters


async def test_the_last_name_takes_the_image_along() -> None:
    rig = await ImageRig().up()
    record = await rig.loaded("app:1")
    rig.events()
    outcome = await rig.delete("app:1")
    assert (outcome.untagged, outcome.deleted) == (["app:1"], [record.id])
    assert rig.events() == [("untag", "app:1"), ("delete", record.id)]
    assert rig.is_empty()


async def test_one_of_several_names_is_only_a_name() -> None:
    rig = await ImageRig().up()
    record = await rig.loaded("app:1", "app:2", "other:1")
    await rig.container(record, State.RUNNING)
    outcome = await rig.delete("app:1")
    assert (outcome.untagged, outcome.deleted) == (["app:1"], [])
    await rig.delete("app:2")
    left = rig.ledger.images[record.id]
    assert left.tags == ["docker.io/library/other:1"]
    assert left.digests == [f"docker.io/library/other@{record.id}"]


async def test_by_digest_all_tags_of_the_repository_go() -> None:
    rig = await ImageRig().up()
    record = await rig.loaded("app:1", "app:2", "other:1")
    outcome = await rig.delete(f"app@{record.id}")
    assert sorted(outcome.untagged) == ["app:1", "app:2"]
    assert rig.ledger.images[record.id].tags == ["docker.io/library/other:1"]


async def test_by_id_with_several_names_it_must_be_forced() -> None:
    rig = await ImageRig().up()
    record = await rig.loaded("app:1", "other:1")
    with pytest.raises(Conflict) as caught:
        await rig.delete(record.id)
    assert str(caught.value) == (
        f"conflict: unable to delete {short_id(record.id)} (must be forced) - image is referenced in multiple repositories"
    )
    outcome = await rig.delete(short_id(record.id), force=True)
    assert (sorted(outcome.untagged), outcome.deleted) == (["app:1", "other:1"], [record.id])
    assert rig.is_empty()


async def test_by_its_only_name_under_a_container() -> None:
    rig = await ImageRig().up()
    record = await rig.loaded("app:1")
    container = await rig.container(record)
    with pytest.raises(Conflict) as caught:
        await rig.delete("app:1")
    assert str(caught.value) == (
        f"conflict: unable to delete app:1 (must be forced) - container {short_id(container.id)} "
        f"is using its referenced image {short_id(record.id)}"
    )
    outcome = await rig.delete("app:1", force=True)
    assert (outcome.untagged, outcome.deleted) == (["app:1"], [])
    assert rig.ledger.images[record.id].tags == []


async def test_by_id_under_a_stopped_container() -> None:
    rig = await ImageRig().up()
    record = await rig.loaded("app:1")
    container = await rig.container(record)
    with pytest.raises(Conflict) as caught:
        await rig.delete(record.id)
    assert str(caught.value) == (
        f"conflict: unable to delete {short_id(record.id)} (must be forced) - "
        f"image is being used by stopped container {short_id(container.id)}"
    )
    await rig.delete(record.id, force=True)
    assert record.id not in rig.ledger.images
    assert rig.world.content.blobs == {}
    assert list(rig.world.layers.layers) == record.platforms[0].chain_ids, "the container stands on them"


async def test_by_id_under_a_running_container_it_cannot_be_forced() -> None:
    rig = await ImageRig().up()
    record = await rig.loaded("app:1")
    container = await rig.container(record, State.RUNNING)
    with pytest.raises(Conflict) as caught:
        await rig.delete(record.id, force=True)
    assert str(caught.value) == (
        f"conflict: unable to delete {short_id(record.id)} (cannot be forced) - "
        f"image is being used by running container {short_id(container.id)}"
    )


async def test_layers_that_outlived_their_image_go_with_the_container() -> None:
    rig = await ImageRig().up()
    record = await rig.loaded("app:1")
    container = await rig.container(record)
    following = asyncio.ensure_future(rig.garbage.follow())
    await asyncio.sleep(0)
    await rig.delete(record.id, force=True)
    gone = Deletion(kind="container", id=container.id)
    await rig.ledger.commit(gone, events=[container_event(container, "destroy", 1)])
    for _ in range(20):
        await asyncio.sleep(0)
    assert rig.is_empty()
    following.cancel()


async def test_what_others_share_stays() -> None:
    rig = await ImageRig().up()
    base = layer()
    one = await rig.loaded("one:1", layers=[base, layer(entry("one"))])
    two = await rig.loaded("two:1", layers=[base, layer(entry("two"))])
    await rig.delete("one:1")
    assert set(rig.world.layers.layers) == set(two.platforms[0].chain_ids)
    assert not set(one.platforms[0].chain_ids[1:]) & set(rig.world.layers.layers)
    await rig.delete("two:1")
    assert rig.is_empty()


async def test_an_image_that_others_were_made_from_loses_its_names_only() -> None:
    rig = await ImageRig().up()
    parent = await rig.loaded("parent:1")
    child = await rig.loaded("child:1", layers=[layer(entry("child"))])
    await rig.ledger.commit(msgspec.structs.replace(child, parent=parent.id))
    outcome = await rig.delete("parent:1")
    assert (outcome.untagged, outcome.deleted) == (["parent:1"], [])
    outcome = await rig.delete("child:1", prune_parents=False)
    assert outcome.deleted == [child.id]
    assert list(rig.ledger.images) == [parent.id]


async def test_nameless_parents_go_along() -> None:
    rig = await ImageRig().up()
    parent = await rig.loaded()
    child = await rig.loaded("child:1", layers=[layer(entry("child"))])
    await rig.ledger.commit(msgspec.structs.replace(child, parent=parent.id))
    outcome = await rig.delete("child:1")
    assert outcome.deleted == [child.id, parent.id]
    assert rig.is_empty()


async def test_nothing_there() -> None:
    rig = await ImageRig().up()
    with pytest.raises(ImageNotFound):
        await rig.delete("app:1")


async def test_a_kill_between_record_and_content_is_cleaned_up_at_the_next_start() -> None:
    rig = await ImageRig().up()
    await rig.loaded("app:1")
    await rig.ledger.commit(*(Deletion(kind="image", id=each) for each in rig.ledger.images), durable=True)
    rig = await rig.reborn()
    assert rig.is_empty()


async def test_an_image_whose_content_is_lost_is_not_listed() -> None:
    rig = await ImageRig().up()
    record = await rig.loaded("app:1")
    await rig.loaded("app:2", layers=[layer(entry("x"))])
    await rig.world.content.delete(record.id)  # type: ignore[arg-type]
    rig = await rig.reborn()
    assert [each.tags for each in rig.ledger.images.values()] == [["docker.io/library/app:2"]]


async def test_prune_takes_the_nameless() -> None:
    rig = await ImageRig().up()
    kept = await rig.loaded("app:1")
    used = await rig.loaded(layers=[layer(entry("used"))])
    await rig.container(used)
    nameless = await rig.loaded(layers=[layer(entry("x", b"12345"))])
    rig.events()
    pruned = await rig.prune(Filters())
    assert [(step.name, step.deleted) for step in pruned.steps] == [(nameless.id, True)]
    assert pruned.reclaimed_bytes > 5
    assert set(rig.ledger.images) == {kept.id, used.id}
    assert rig.events() == [("delete", nameless.id), ("prune", "")]


async def test_prune_all_takes_what_no_container_uses() -> None:
    rig = await ImageRig().up()
    used = await rig.loaded("used:1")
    await rig.container(used)
    unused = await rig.loaded("unused:1", "unused:2", layers=[layer(entry("x"))])
    pruned = await rig.prune(Filters.of(dangling="false"))
    assert [(step.name, step.deleted) for step in pruned.steps] == [
        ("unused:1", False),
        ("unused:2", False),
        (unused.id, True),
    ]
    assert list(rig.ledger.images) == [used.id]


@pytest.mark.parametrize(
    ("filters", "left"),
    [
        ({"label": "keep"}, {"b"}),
        ({"label!": "keep"}, {"a"}),
        ({"label": "keep=yes"}, {"b"}),
        ({"label": "keep=no"}, {"a", "b"}),
        ({"until": "1970-01-01"}, {"a", "b"}),
        ({"until": "2100-01-01"}, set()),
    ],
)
async def test_prune_filters(filters: dict[str, str], left: set[str]) -> None:
    rig = await ImageRig().up()
    await rig.loaded("a", labels={"keep": "yes"})
    await rig.loaded("b", layers=[layer(entry("x"))])
    await rig.prune(Filters.of(dangling="false", **filters))
    names = {name for record in rig.ledger.images.values() for name in record.tags}
    assert names == {f"docker.io/library/{name}:latest" for name in left}


async def test_one_prune_at_a_time() -> None:
    rig = await ImageRig().up()
    rig.prune.is_running = True
    with pytest.raises(Conflict, match="a prune operation is already running"):
        await rig.prune(Filters())
    rig.prune.is_running = False
    assert await rig.prune(Filters()) == Pruned()
