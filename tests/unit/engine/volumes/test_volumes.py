"""Volumes for their own sake: create, list, remove, prune."""

from typing import Any

import pytest

from tests.unit.engine.containers.maker import Maker
from wharfd.engine.volumes.create import CreateVolume
from wharfd.engine.volumes.list import list_volumes
from wharfd.engine.volumes.prune import PruneVolumes
from wharfd.engine.volumes.remove import RemoveVolume
from wharfd.model.errors import Conflict, Internal, InvalidParameter, NotFound, VolumeNotFound
from wharfd.wire.filters import Filters


class Volumes(Maker):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        drivers = {"local": self.world.volumes}
        self.create_volume = CreateVolume(ledger=self.ledger, locks=self.locks, maker=self.volume_maker)
        self.remove_volume = RemoveVolume(ledger=self.ledger, locks=self.locks, clock=self.clock, drivers=drivers)
        self.prune_volumes = PruneVolumes(
            ledger=self.ledger, clock=self.clock, drivers=drivers, remove=self.remove_volume
        )

    def names(self, **filters: Any) -> list[str]:
        return [volume.name for volume in list_volumes(self.ledger, Filters.of(**filters))]


async def volumes() -> Volumes:
    made = await Volumes.of()
    assert isinstance(made, Volumes)
    return made


async def test_a_volume_is_made_recorded_and_told_of() -> None:
    engine = await volumes()
    volume = await engine.create_volume("data", labels={"a": "b"}, options={"type": "tmpfs", "device": "tmpfs"})
    assert engine.ledger.volume("data") == volume
    assert (volume.driver, volume.scope, volume.labels, volume.anonymous) == ("local", "local", {"a": "b"}, False)
    assert [(e.type, e.action, e.attributes) for e in engine.events("data")] == [
        ("volume", "create", {"driver": "local"})
    ]
    engine.world.records.lose_power()
    assert "data" in (await engine.reborn()).ledger.volumes


async def test_without_a_name_it_is_anonymous() -> None:
    engine = await volumes()
    volume = await engine.create_volume()
    assert len(volume.name) == 64
    assert volume.anonymous
    assert volume.labels == {"com.docker.volume.anonymous": ""}


async def test_an_existing_one_is_given_back_as_it_is() -> None:
    engine = await volumes()
    first = await engine.create_volume("data", labels={"a": "b"})
    engine.events()
    assert await engine.create_volume("data", "local", labels={"c": "d"}) == first
    assert engine.events() == []


@pytest.mark.parametrize(
    ("name", "more", "kind", "text"),
    [
        ("a", {}, InvalidParameter, "create a: volume name is too short"),
        ("a/b", {}, InvalidParameter, 'create a/b: "a/b" includes invalid characters for a local volume name'),
        ("ab", {"driver": "nope"}, NotFound, 'create ab: error looking up volume plugin nope: plugin "nope" not found'),
        ("ab", {"options": {"x": "y"}}, InvalidParameter, "create ab: invalid option"),
    ],
)
async def test_what_cannot_be_made(name: str, more: dict[str, Any], kind: type[Exception], text: str) -> None:
    engine = await volumes()
    with pytest.raises(kind) as caught:
        await engine.create_volume(name, **more)
    assert str(caught.value).startswith(text)
    assert not engine.world.volumes.content
    assert not engine.locks.locks


async def test_an_existing_one_with_an_unknown_driver() -> None:
    engine = await volumes()
    await engine.create_volume("data")
    with pytest.raises(NotFound, match='create data: error looking up volume plugin nope: plugin "nope" not found'):
        await engine.create_volume("data", "nope")


async def test_one_that_cannot_be_recorded_leaves_nothing() -> None:
    engine = await volumes()
    engine.world.records.fail_next("commit", Internal("no luck"))
    with pytest.raises(Internal):
        await engine.create_volume("data")
    assert not engine.world.volumes.content


async def test_lists() -> None:
    engine = await volumes()
    await engine.create_volume("one", labels={"a": "b"})
    await engine.create_volume("two")
    await engine.make(binds=["one:/x"])
    assert engine.names() == ["one", "two"]
    assert engine.names(dangling="true") == ["two"]
    assert engine.names(dangling="0") == ["one"]
    assert engine.names(name="o") == ["one", "two"]
    assert engine.names(name="^t") == ["two"]
    assert engine.names(label="a") == ["one"]
    assert engine.names(label="a=c") == []
    assert engine.names(driver="local") == ["one", "two"]
    assert engine.names(driver="nope") == []
    for filters in ({"dangling": "x"}, {"foo": "x"}):
        with pytest.raises(InvalidParameter):
            engine.names(**filters)


async def test_remove() -> None:
    engine = await volumes()
    await engine.create_volume("data")
    engine.events()
    await engine.remove_volume("data")
    assert not engine.world.volumes.content
    assert [event.action for event in engine.events("data")] == ["destroy"]
    with pytest.raises(VolumeNotFound, match="get data: no such volume"):
        await engine.remove_volume("data")
    await engine.remove_volume("data", force=True)


async def test_one_in_use_stays() -> None:
    engine = await volumes()
    record = await engine.make(binds=["data:/data"])
    for force in (False, True):
        with pytest.raises(Conflict, match=rf"remove data: volume is in use - \[{record.id}\]"):
            await engine.remove_volume("data", force=force)
    assert "data" in engine.ledger.volumes


async def test_one_that_cannot_be_deleted_stays() -> None:
    engine = await volumes()
    await engine.create_volume("data")
    engine.world.volumes.fail_next("remove", Internal("busy"))
    with pytest.raises(Internal):
        await engine.remove_volume("data")
    assert "data" in engine.ledger.volumes


async def test_prune_takes_anonymous_ones_or_all() -> None:
    engine = await volumes()
    anonymous = await engine.create_volume()
    await engine.create_volume("named", labels={"a": "b"})
    await engine.make(binds=["used:/u"])
    engine.world.volumes.content[anonymous.name]["file"] = b"123"
    engine.events()
    pruned = await engine.prune_volumes(Filters())
    assert (pruned.names, pruned.reclaimed_bytes) == ([anonymous.name], 3)
    assert engine.events()[-1].attributes == {"reclaimed": "3"}
    assert (await engine.prune_volumes(Filters.of(**{"all": "true", "label!": "a=b"}))).names == []
    assert (await engine.prune_volumes(Filters.of(all="1"))).names == ["named"]
    assert engine.names() == ["used"]


async def test_prune_of_old_clients_takes_all() -> None:
    engine = await volumes()
    await engine.create_volume("named")
    assert (await engine.prune_volumes(Filters(), all_volumes=True)).names == ["named"]


@pytest.mark.parametrize("filters", [{"all": "x"}, {"name": "x"}])
async def test_bad_prune_filters(filters: dict[str, Any]) -> None:
    engine = await volumes()
    with pytest.raises(InvalidParameter):
        await engine.prune_volumes(Filters.of(**filters))
