"""The use cases that make, show and change containers, on the machine of the engine's rig.

maker = await Maker.up()
created = await maker.create(asked(cmd=["true"]))
record = maker.ledger.container(created.id)
"""

import random
from typing import Any

import msgspec

from tests.unit.engine.rig import BASE, Machine, Rig
from wharfd.engine.containers.create import Asked, CreateContainer, CreatedContainer
from wharfd.engine.containers.inspect import InspectContainer
from wharfd.engine.containers.list import ListContainers
from wharfd.engine.containers.prune import PruneContainers
from wharfd.engine.containers.rename import RenameContainer
from wharfd.engine.containers.top import TopContainer
from wharfd.engine.containers.update import UpdateContainer
from wharfd.engine.images.leases import Leases
from wharfd.engine.images.resolve import ResolvedImage
from wharfd.engine.volumes.make import VolumeMaker
from wharfd.model.config import ContainerConfig, HostConfig
from wharfd.model.container import ContainerRecord
from wharfd.model.errors import ImageNotFound
from wharfd.model.image import ImageConfig, RunConfig
from wharfd.model.settings import Settings
from wharfd.testing.builders import a_digest, an_image
from wharfd.testing.paths import FakePaths
from wharfd.wire.oci.documents import Platform
from wharfd.wire.reference import parse_any

ASKED_HOST = HostConfig(network_mode="bridge")


class FakeImages:
    """`images.get`: one image, `alpine`, whose run config a test may set."""

    def __init__(self) -> None:
        self.config = RunConfig(env=["PATH=/bin"], cmd=["sh"])
        record = an_image(tags=["docker.io/library/alpine:latest"])
        platform = msgspec.structs.replace(record.platforms[0], chain_ids=[BASE], manifest=a_digest(b"manifest"))
        self.record = msgspec.structs.replace(record, platforms=[platform])
        self.asked: list[Platform | None] = []
        self.leases = Leases()

    async def get(self, ref: str, platform: Platform | None = None) -> ResolvedImage:
        parsed = parse_any(ref)
        self.asked.append(platform)
        if not isinstance(parsed, str) and parsed.familiar_name == "alpine":
            return ResolvedImage(
                self.record, self.record.platforms[0], ImageConfig(config=self.config), self.leases.open()
            )
        raise ImageNotFound(parsed if isinstance(parsed, str) else parsed.with_default_tag().familiar())


class Maker(Rig):
    def __init__(self, world: Machine, *args: Any, **kwargs: Any) -> None:
        super().__init__(world, *args, **kwargs)
        self.settings = Settings(data_root="/var/lib/wharfd")
        self.images = FakeImages()
        self.paths = FakePaths()
        self.random = random.Random(1)
        self.volume_maker = VolumeMaker(
            ledger=self.ledger, clock=self.clock, drivers={"local": world.volumes}, randbytes=self.random.randbytes
        )
        self.create = CreateContainer(
            settings=self.settings,
            ledger=self.ledger,
            locks=self.locks,
            clock=self.clock,
            host=world.host,
            paths=self.paths,
            files=world.files,
            images=self.images,
            rootfs=world.rootfs,
            runtime=world.runtime,
            log_drivers=world.logs,
            volumes=self.volume_maker,
            mounts=world.mounts,
            rng=self.random,
            randbytes=self.random.randbytes,
        )
        self.list = ListContainers(ledger=self.ledger, clock=self.clock, rootfs=world.rootfs, layers=world.layers)
        self.inspect = InspectContainer(ledger=self.ledger, files=world.files, rootfs=world.rootfs, layers=world.layers)
        self.rename = RenameContainer(ledger=self.ledger, locks=self.locks, clock=self.clock)
        self.top = TopContainer(ledger=self.ledger, clock=self.clock, runtime=world.runtime)
        self.update = UpdateContainer(
            ledger=self.ledger, locks=self.locks, clock=self.clock, host=world.host, runtime=world.runtime
        )
        self.prune = PruneContainers(
            ledger=self.ledger, clock=self.clock, rootfs=world.rootfs, layers=world.layers, remove=self.remove
        )

    @classmethod
    async def of(cls) -> "Maker":
        maker = cls(Machine())
        await maker.open()
        await maker.ledger.commit(maker.images.record)
        maker.events()
        return maker

    async def record(self, created: CreatedContainer) -> ContainerRecord:
        return self.ledger.container(created.id)

    async def make(self, **over: Any) -> ContainerRecord:
        """A container that was created in the ordinary way.  `name` and fields of config and host config by their names."""
        return self.ledger.container((await self.create(asked(**over))).id)


def asked(**over: Any) -> Asked:
    """A request for `alpine`.  Fields of `Asked`, of the config and of the host config are told apart by their names."""
    own = {key: over.pop(key) for key in list(over) if key in Asked.__slots__}
    host = {key: over.pop(key) for key in list(over) if key in HostConfig.__struct_fields__}
    config: dict[str, Any] = {"image": "alpine", "cmd": ["true"], **over}
    return Asked(
        config=own.pop("config", None) or ContainerConfig(**config),
        host_config=own.pop("host_config", None) or msgspec.structs.replace(ASKED_HOST, **host),
        **own,
    )
