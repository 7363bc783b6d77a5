"""An image made of a container, on fakes."""

import msgspec
import pytest

from tests.unit.engine.images.rig import ImageRig
from wharfd.engine.containers.commit import CommitContainer, CommitRequest, run_config
from wharfd.engine.images.tag import new_name
from wharfd.model.config import ContainerConfig
from wharfd.model.container import ContainerRecord, State
from wharfd.model.errors import Internal, InvalidParameter, NotFound
from wharfd.model.image import ImageRecord
from wharfd.testing.archives import FakeArchiver
from wharfd.testing.builders import a_container
from wharfd.wire.oci import decode_config, decode_manifest


class CommitRig(ImageRig):
    def __init__(self) -> None:
        super().__init__()
        self.archiver = FakeArchiver(self.spools)
        self.commit = CommitContainer(
            ledger=self.ledger,
            locks=self.locks,
            clock=self.world.clock,
            host=self.world.host,
            runtime=self.world.runtime,
            lister=self.archiver,
            content=self.world.content,
            spools=self.spools,
            unpacking=self.unpacking,
            publisher=self.cases.publisher,
            garbage=self.garbage,
            leases=self.leases,
        )

    async def made(self, state: State = State.EXITED) -> tuple[ImageRecord, ContainerRecord]:
        image = await self.loaded("base:1")
        container = await self.container(image, state)
        container = msgspec.structs.replace(container, manifest=image.platforms[0].manifest)
        await self.ledger.commit(container)
        assert container.rootfs is not None
        self.archiver.files[container.rootfs.merged] = {"/new": b"n"}
        self.events()
        return image, container


@pytest.fixture
async def rig() -> CommitRig:
    rig = CommitRig()
    await rig.up()
    return rig


async def test_an_image_with_one_layer_more(rig: CommitRig) -> None:
    base, container = await rig.made()
    asked = CommitRequest(
        ref=container.name, name=new_name("new", ""), author="me", comment="words", changes=["LABEL a=b"]
    )
    image = rig.ledger.images[await rig.commit(asked)]
    assert image.tags == ["docker.io/library/new:latest"]
    assert (image.parent, image.comment, image.labels) == (
        base.id,
        "words",
        {**(container.config.labels or {}), "a": "b"},
    )
    run = image.platforms[0]
    assert run.chain_ids[:-1] == base.platforms[0].chain_ids
    manifest = decode_manifest(await rig.world.content.read(run.manifest))
    config = decode_config(await rig.world.content.read(manifest.config.digest))
    assert (config.author, config.history[-1].comment, config.history[-1].author) == ("me", "words", "me")
    assert config.history[-1].created_by == " ".join(container.config.cmd or [])
    assert rig.world.layers.files[run.chain_ids[-1]]["/new"] == b"n"
    assert [action for action, _ in rig.events()] == ["create", "tag", "commit"]
    assert not rig.leases.held
    assert not rig.spools.spools


async def test_nothing_changed_means_no_layer(rig: CommitRig) -> None:
    base, container = await rig.made()
    rig.archiver.files.clear()
    image = rig.ledger.images[await rig.commit(CommitRequest(ref=container.id))]
    assert image.platforms[0].chain_ids == base.platforms[0].chain_ids
    assert image.id != base.id


async def test_a_container_without_an_image(rig: CommitRig) -> None:
    container = a_container(state=State.EXITED, rootfs=(await rig.made())[1].rootfs)
    await rig.ledger.commit(container)
    image = rig.ledger.images[await rig.commit(CommitRequest(ref=container.id))]
    assert len(image.platforms[0].chain_ids) == 1


async def test_what_is_broken_off_leaves_nothing(rig: CommitRig) -> None:
    await rig.made()
    before = set(rig.world.content.blobs)
    container = next(iter(rig.ledger.containers))
    rig.archiver.fail_next("pack", Internal("broken"))
    with pytest.raises(Internal, match="broken"):
        await rig.commit(CommitRequest(ref=container.id))
    assert set(rig.world.content.blobs) == before
    assert not rig.leases.held
    assert not rig.spools.spools


async def test_a_failed_unpacking_leaves_nothing(rig: CommitRig) -> None:
    _, container = await rig.made()
    before = set(rig.world.content.blobs)
    rig.world.layers.fail_next("unpack", Internal("disk"))
    with pytest.raises(Internal, match="disk"):
        await rig.commit(CommitRequest(ref=container.id))
    assert set(rig.world.content.blobs) == before
    assert rig.events() == []


async def test_the_base_may_be_gone(rig: CommitRig) -> None:
    base, container = await rig.made()
    await rig.delete(base.id, force=True)
    assert base.id not in rig.ledger.images
    with pytest.raises(NotFound):
        await rig.commit(CommitRequest(ref=container.id))
    assert not rig.leases.held


async def test_changes_are_looked_at_first(rig: CommitRig) -> None:
    _, container = await rig.made()
    with pytest.raises(InvalidParameter, match="RUN is not a valid change command"):
        await rig.commit(CommitRequest(ref=container.id, changes=["RUN true"]))
    assert rig.archiver.calls == []


def test_the_containers_config_fills_what_the_request_leaves_open() -> None:
    record = a_container(
        config=ContainerConfig(
            cmd=["own"], env=["A=1", "B=2"], user="me", labels={"l": "1"}, working_dir="/w", image="i"
        )
    )
    run = run_config(
        CommitRequest(ref="", config=ContainerConfig(cmd=["given"], env=["A=9"]), changes=["ENV C=3", "WORKDIR sub"]),
        record,
    )
    assert (run.cmd, run.env, run.user, run.labels, run.working_dir) == (
        ["given"],
        ["A=9", "C=3", "B=2"],
        "me",
        {"l": "1"},
        "/sub",
    )
    assert run_config(CommitRequest(ref="", changes=["WORKDIR sub"]), record).working_dir == "/w/sub"
    assert run_config(CommitRequest(ref=""), record).cmd == ["own"]
