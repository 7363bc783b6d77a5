"""Copies out of and into containers, on fakes: what is seen, what is told, and that nothing is held longer than needed."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from tests.images import stream
from tests.tars import entry, tar_of
from tests.unit.engine.rig import Machine, Rig
from wharfd.engine.containers.archive.changes import ListChanges
from wharfd.engine.containers.archive.copy_in import CopyIn
from wharfd.engine.containers.archive.copy_out import CopyOut
from wharfd.engine.containers.archive.export import Export
from wharfd.engine.containers.archive.stat_path import StatPath
from wharfd.engine.containers.archive.view import Views
from wharfd.model.config import MountSpec
from wharfd.model.container import ContainerRecord, MountPoint, State
from wharfd.model.errors import Conflict, ContainerFileNotFound, ContainerNotFound, Internal, InvalidParameter
from wharfd.model.files import Extraction, PlacedPath
from wharfd.model.volume import VolumeRecord
from wharfd.testing.archives import FakeArchiver
from wharfd.testing.builders import a_config, a_host_config


@dataclass
class Copies:
    rig: Rig
    archiver: FakeArchiver

    def __post_init__(self) -> None:
        rig, archiver = self.rig, self.archiver
        views = Views(
            ledger=rig.ledger,
            locks=rig.locks,
            rootfs=rig.world.rootfs,
            files=rig.world.files,
            volumes={"local": rig.world.volumes},
            host_mounts=rig.host_mounts,
        )
        self.stat = StatPath(views=views, archiver=archiver)
        self.out = CopyOut(views=views, archiver=archiver, ledger=rig.ledger, clock=rig.clock)
        self.into = CopyIn(views=views, archiver=archiver, ledger=rig.ledger, clock=rig.clock, rootfs=rig.world.rootfs)
        self.export = Export(views=views, archiver=archiver, ledger=rig.ledger, clock=rig.clock)
        self.changes = ListChanges(ledger=rig.ledger, lister=archiver)

    async def container(self, **over: Any) -> ContainerRecord:
        record = await self.rig.created(**over)
        assert record.rootfs is not None
        self.archiver.files[record.rootfs.merged] = {"/etc/passwd": b"root", "/tmp/f": b"1"}
        self.rig.events()
        return record


@pytest.fixture
async def copies() -> AsyncIterator[Copies]:
    copies = Copies(await Rig.up(Machine()), FakeArchiver())
    yield copies
    world = copies.rig.world
    assert copies.archiver.open_streams == 0
    assert not +world.rootfs.holders
    assert world.rootfs.mounted == {each.id for each in copies.rig.ledger.containers if each.is_running}
    assert copies.archiver.unfired() == []


async def read(archive: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in archive])


async def test_an_archive_is_read_while_its_root_is_held(copies: Copies) -> None:
    record = await copies.container()
    status, archive = await copies.out(record.name, "/tmp/f")
    assert (status.name, status.size) == (b"f", 1)
    assert copies.rig.told(record) == ["archive-path"]
    assert copies.rig.world.rootfs.mounted == {record.id}
    assert await read(archive)
    await archive.aclose()
    await archive.aclose()


async def test_a_running_container_stays_mounted_when_the_copy_ends(copies: Copies) -> None:
    record = await copies.container()
    await copies.rig.start(record.id)
    assert (await copies.stat(record.id, "/tmp/f")).size == 1
    assert copies.rig.world.rootfs.mounted == {record.id}


async def test_one_that_ends_during_the_copy_is_unmounted_after_it(copies: Copies) -> None:
    record = await copies.container()
    await copies.rig.start(record.id)
    _, archive = await copies.out(record.id, "/tmp/f")
    copies.rig.world.runtime.exit(record.id, 0)
    await copies.rig.settle()
    assert copies.rig.world.rootfs.mounted == {record.id}
    await archive.aclose()


async def test_one_that_starts_during_the_copy_stays_mounted(copies: Copies) -> None:
    record = await copies.container()
    _, archive = await copies.out(record.id, "/tmp/f")
    await copies.rig.start(record.id)
    await archive.aclose()


async def test_what_is_not_there_is_told_in_the_clients_words(copies: Copies) -> None:
    record = await copies.container(name="web")
    for call in (copies.stat("web", "nope"), copies.out("web", "nope"), copies.into("web", "nope", stream(b""))):
        with pytest.raises(ContainerFileNotFound, match=r"^Could not find the file nope in container web$"):
            await call
    with pytest.raises(ContainerNotFound):
        await copies.out("none", "/")
    assert copies.rig.told(record) == []


async def test_a_failure_leaves_nothing_held(copies: Copies) -> None:
    record = await copies.container()
    for method in ("read", "stat", "write", "export"):
        copies.archiver.fail_next(method, Internal("broken"))
    for call in (
        copies.out(record.id, "/tmp/f"),
        copies.stat(record.id, "/tmp/f"),
        copies.into(record.id, "/tmp", stream(tar_of(entry("f")))),
        copies.export(record.id),
    ):
        with pytest.raises(Internal, match="broken"):
            await call


async def test_an_archive_is_put_in(copies: Copies) -> None:
    record = await copies.container()
    await copies.into(record.id, "/tmp", stream(tar_of(entry("new", b"n"))), keep_kinds=True)
    assert record.rootfs is not None
    assert copies.archiver.files[record.rootfs.merged]["/tmp/new"] == b"n"
    assert copies.archiver.hows == [Extraction(keep_kinds=True)]
    assert copies.rig.told(record) == ["extract-to-dir"]
    with pytest.raises(InvalidParameter):
        await copies.into(record.id, "/tmp", stream(b"garbage"))
    assert copies.rig.told(record) == []


@pytest.mark.parametrize(("user", "owner"), [("", None), ("5:6", (5, 6)), ("daemon", (1, 2))])
async def test_the_owner_is_the_containers_user(copies: Copies, user: str, owner: tuple[int, int] | None) -> None:
    config = msgspec.structs.replace(a_config(), user=user)
    record = await copies.container(config=config)
    copies.rig.world.rootfs.files[record.id]["/etc/passwd"] = b"daemon:x:1:2::/:/bin/sh\n"
    await copies.into(record.id, "/tmp", stream(tar_of(entry("f"))), as_user=True)
    assert copies.archiver.hows == [Extraction(owner=owner)]


async def test_what_is_seen(copies: Copies) -> None:
    volume = VolumeRecord(name="data", driver="local", mountpoint="/fake/volumes/data/_data", created_ns=1)  # type: ignore[arg-type]
    points = [
        MountPoint(type="volume", name="data", source="/fake/volumes/data/_data", destination="/data", driver="local"),
        MountPoint(type="bind", source="/host", destination="/bound", rw=False),
    ]
    asked = msgspec.structs.replace(
        a_host_config(),
        readonly_rootfs=True,
        tmpfs={"/scratch/": "size=1m"},
        mounts=[MountSpec(type="tmpfs", target="/t")],
    )
    record = await copies.container(volumes=[volume], mounts=points, host_config=asked)
    await copies.stat(record.id, "/tmp/f")
    await copies.rig.start(record.id)
    await copies.stat(record.id, "/tmp/f")
    at_rest, running = copies.archiver.views
    names = {place.destination: place for place in at_rest.places}
    assert set(names) == {"/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/data", "/bound"}
    assert names["/data"] == PlacedPath(
        source="/fake/volumes/data/_data", destination="/data", recursive_read_only=True
    )
    assert (names["/bound"].source, names["/bound"].read_only) == ("/host", True)
    assert (at_rest.read_only, at_rest.tmpfs, at_rest.pid) == (True, [], 0)
    now = copies.rig.now(record)
    assert (running.tmpfs, running.pid, running.pid_start) == (["/scratch", "/t"], now.pid, now.pid_start)


async def test_files_of_names_are_those_of_the_network(copies: Copies) -> None:
    other = await copies.container()
    asked = msgspec.structs.replace(a_host_config(), network_mode=f"container:{other.id}")
    record = await copies.container(host_config=asked)
    await copies.stat(record.id, "/tmp/f")
    sources = {place.source for place in copies.archiver.views[-1].places}
    assert all(other.id in source for source in sources)


async def test_an_export_shows_nothing_that_is_mounted(copies: Copies) -> None:
    record = await copies.container(mounts=[MountPoint(type="bind", source="/host", destination="/bound")])
    archive = await copies.export(record.id)
    assert await read(archive)
    await archive.aclose()
    assert copies.archiver.views[-1].places == []
    assert copies.rig.told(record) == ["export"]


@pytest.mark.parametrize(("state", "words"), [(State.DEAD, "which is Dead"), (State.REMOVING, "being removed")])
async def test_what_goes_away_is_not_looked_at(copies: Copies, state: State, words: str) -> None:
    record = await copies.container()
    await copies.rig.ledger.commit(msgspec.structs.replace(record, state=state))
    with pytest.raises(Conflict, match=f"^You cannot export container {record.id} .*{words}$"):
        await copies.export(record.id)
    with pytest.raises(Conflict, match=words):
        await copies.changes(record.id)


async def test_changes(copies: Copies) -> None:
    record = await copies.container()
    assert [each.path for each in await copies.changes(record.name)] == [b"/etc/passwd", b"/tmp/f"]
