"""Creates a container: everything is checked and made ready, nothing runs.

Steps: look at the request, the image, the merged whole; reserve the name; the writable layer; volumes; then one durable commit of the
record with its event, after which the client is told.  Until that commit nothing but this call knows of the container: a failed step undoes
those before it, and what a crash leaves (a layer, a volume's directory, without record) is removed by reconcile.
"""

import logging
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from random import Random
from typing import Protocol

import msgspec

from wharfd.engine.containers.adapt import adapt
from wharfd.engine.containers.endpoints import check_endpoints, join_networks
from wharfd.engine.containers.host_mounts import key_of
from wharfd.engine.containers.linked import with_links
from wharfd.engine.containers.logging_choice import with_log
from wharfd.engine.containers.merge import merge
from wharfd.engine.containers.mounts import PlannedMount, plan_mounts
from wharfd.engine.containers.unserved import unserved
from wharfd.engine.containers.validate import (
    check_config,
    check_host_config,
    check_request,
    check_security,
    size_of_layer,
)
from wharfd.engine.happenings import container_event, volume_event
from wharfd.engine.images.resolve import ResolvedImage
from wharfd.engine.ledger import Ledger
from wharfd.engine.lifecycle import Created, apply
from wharfd.engine.locks import KeyedLocks
from wharfd.engine.volumes.make import VolumeMaker
from wharfd.model.config import ContainerConfig, EndpointSettings, HostConfig
from wharfd.model.container import ContainerRecord, MountPart, MountPoint, Rootfs
from wharfd.model.errors import NameInUse
from wharfd.model.ids import ChainId, ContainerId, ImageId, short_id
from wharfd.model.image import ImagePlatform
from wharfd.model.settings import Settings
from wharfd.model.volume import VolumeRecord
from wharfd.ports.clock import Clock
from wharfd.ports.files import ContainerFiles
from wharfd.ports.host import Host
from wharfd.ports.logs import LogDriver
from wharfd.ports.mounts import ContainerMounts
from wharfd.ports.paths import HostPaths
from wharfd.ports.runtime import RuntimeDriver
from wharfd.ports.storage import RootfsStore
from wharfd.wire.names import new_id, parse_container_name, random_name
from wharfd.wire.oci.documents import Platform
from wharfd.wire.oci.platforms import best_match, format_platform, from_machine, parse_platform, runnable

log = logging.getLogger(__name__)

NAME_TRIES = 6
RUNTIMES = ("crun", "runc", "io.containerd.runc.v2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A decoded create request.  `name` empty: one is made up; `platform` empty: the host's.

    `warnings` of the decoding go before those of the engine.  The two flags are ways of older clients.
    """

    config: ContainerConfig
    host_config: HostConfig
    endpoints: Mapping[str, EndpointSettings | None] = field(default_factory=dict)
    name: str = ""
    platform: str = ""
    warnings: list[str] = field(default_factory=list)
    read_only_non_recursive: bool = False
    cgroupns_default_host: bool = False


@dataclass(frozen=True, slots=True)
class CreatedContainer:
    id: ContainerId
    warnings: list[str]


class Images(Protocol):
    async def get(self, ref: str, platform: Platform | None = None) -> ResolvedImage:
        """As long as its answer is kept, the image's layers are.

        Raises ImageNotFound, NotFound (not for that platform), InvalidParameter (no reference).
        """


class CreateContainer:
    """What a container asks for and this engine does not carry out yet draws a warning each (`unserved`).

    `randbytes` makes ids, `rng` names.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        ledger: Ledger,
        locks: KeyedLocks,
        clock: Clock,
        host: Host,
        paths: HostPaths,
        files: ContainerFiles,
        images: Images,
        rootfs: RootfsStore,
        runtime: RuntimeDriver,
        log_drivers: Mapping[str, LogDriver],
        volumes: VolumeMaker,
        mounts: ContainerMounts,
        rng: Random,
        randbytes: Callable[[int], bytes],
    ) -> None:
        self.settings = settings
        self.ledger = ledger
        self.locks = locks
        self.clock = clock
        self.host = host
        self.paths = paths
        self.files = files
        self.images = images
        self.rootfs = rootfs
        self.runtime = runtime
        self.log_drivers = log_drivers
        self.volumes = volumes
        self.mounts = mounts
        self.rng = rng
        self.randbytes = randbytes

    async def __call__(self, asked: Asked) -> CreatedContainer:
        """Raises InvalidParameter, ImageNotFound, NotFound, NameInUse."""
        facts = self.host.facts()
        check_request(asked.config, asked.host_config, facts)
        config = check_config(asked.config)
        host_config, warnings = check_host_config(
            asked.host_config, facts, self.settings, await self.runtimes(), self.paths.exists
        )
        own_platform = from_machine(facts.architecture)
        platform = parse_platform(asked.platform, own_platform) if asked.platform else None
        image = await self.images.get(config.image, platform) if config.image else None
        if image is not None and platform is None:
            warnings += warn_of_platform(image.platform, own_platform)
        check_endpoints(asked.endpoints, self.ledger.networks.find)
        host_config = adapt(
            host_config,
            self.settings,
            facts,
            self.find,
            cgroupns_default_host=asked.cgroupns_default_host,
        )
        config = merge(config, image.config.config if image else None)
        host_config = with_log(host_config, self.settings, self.log_drivers)
        check_security(host_config)
        host_config = with_links(host_config, self.find)
        warnings += unserved(config, host_config, facts)
        created = await self.make(asked, config, host_config, image)
        return CreatedContainer(created.id, warnings + asked.warnings)

    async def runtimes(self) -> set[str]:
        return {*RUNTIMES, *self.settings.runtimes, *(info.name for info in await self.runtime.infos())}

    def find(self, ref: str) -> ContainerRecord | None:
        return self.ledger.containers.find(ref)

    async def make(
        self, asked: Asked, config: ContainerConfig, host_config: HostConfig, image: ResolvedImage | None
    ) -> ContainerRecord:
        planned = plan_mounts(config, host_config, self.find, self.settings.data_root)
        mounted = {mount.image: await self.images.get(mount.image) for mount in planned if mount.image}
        mounts = [with_layers(mount, mounted) for mount in planned]
        container_id = ContainerId(new_id(self.randbytes))
        async with AsyncExitStack() as held, AsyncExitStack() as undo:
            await self.hold_volumes(held, mounts)
            name = self.reserve_name(asked.name, container_id)
            undo.callback(self.ledger.containers.release, name, container_id)
            layers = [ChainId(chain_id) for chain_id in image.platform.chain_ids] if image else []
            undo.push_async_callback(self.rootfs.remove, container_id)
            size = size_of_layer(host_config, can_limit=self.rootfs.can_limit_size()) if host_config.storage_opt else 0
            rootfs = await self.rootfs.prepare(container_id, layers, size_bytes=size)
            points, fresh = await self.bring_volumes(undo, container_id, rootfs, mounts)
            parts = {mount.point.destination: mount.part for mount in mounts if mount.part is not None}
            record = apply(
                self.record(asked, config, host_config, image, container_id, name, rootfs, points, parts), Created()
            )
            await self.commit(record, fresh)
            undo.pop_all()
        return record

    async def hold_volumes(self, held: AsyncExitStack, mounts: list[PlannedMount]) -> None:
        """Nobody else makes or removes the named volumes meanwhile."""
        for name in sorted({mount.point.name for mount in mounts if is_named(mount)}):
            await held.enter_async_context(self.locks.hold("volume", name))

    def reserve_name(self, wanted: str, container_id: ContainerId) -> str:
        """Raises InvalidParameter, NameInUse."""
        index = self.ledger.containers
        if wanted:
            name = parse_container_name(wanted)
            holder = index.reserve(name, container_id)
            if holder is not None:
                raise NameInUse(name, holder)
            return name
        for attempt in range(NAME_TRIES):
            name = random_name(self.rng, attempt)
            if index.reserve(name, container_id) is None:
                return name
        name = short_id(container_id)
        index.reserve(name, container_id)
        return name

    async def bring_volumes(
        self, undo: AsyncExitStack, container_id: ContainerId, rootfs: Rootfs, mounts: list[PlannedMount]
    ) -> tuple[list[MountPoint], list[VolumeRecord]]:
        """Mount points with their sources, and the volumes that were made for them."""
        points: list[MountPoint] = []
        fresh: dict[str, VolumeRecord] = {}
        to_fill: list[tuple[VolumeRecord, str]] = []
        for mount in mounts:
            point = mount.point
            if mount.part is not None and mount.part.layers:
                place = self.mounts.place(container_id, key_of(point.destination))
                points.append(msgspec.structs.replace(point, source=place))
                continue
            if point.type != "volume" or mount.is_shared:
                points.append(point)
                continue
            volume = fresh.get(point.name) or await self.volumes.existing(point.name, point.driver)
            if volume is None:
                volume = await self.make_volume(mount)
                fresh[volume.name] = volume
                undo.push_async_callback(self.volumes.driver(volume.driver).remove, volume)
            if mount.copy_data:
                to_fill.append((volume, point.destination))
            points.append(
                msgspec.structs.replace(point, name=volume.name, driver=volume.driver, source=volume.mountpoint)
            )
        if to_fill:
            await self.fill(container_id, rootfs, to_fill)
        return points, list(fresh.values())

    async def make_volume(self, mount: PlannedMount) -> VolumeRecord:
        driver = mount.options.driver_config
        return await self.volumes.make(
            mount.point.name or self.volumes.fresh_name(),
            mount.point.driver,
            labels=mount.options.labels,
            options=driver.options if driver else None,
            anonymous=not mount.point.name,
        )

    async def fill(self, container_id: ContainerId, rootfs: Rootfs, volumes: list[tuple[VolumeRecord, str]]) -> None:
        """Docker: an empty volume begins with what the image has at its place."""
        root = await self.rootfs.mount(container_id, rootfs)
        try:
            for volume, destination in volumes:
                await self.volumes.driver(volume.driver).copy_up(volume, root, destination)
        finally:
            await self.rootfs.unmount(container_id, rootfs)

    def record(
        self,
        asked: Asked,
        config: ContainerConfig,
        host_config: HostConfig,
        image: ResolvedImage | None,
        container_id: ContainerId,
        name: str,
        rootfs: Rootfs,
        points: list[MountPoint],
        parts: dict[str, MountPart],
    ) -> ContainerRecord:
        if not config.hostname:
            own = self.host.facts().hostname if host_config.network_mode == "host" else short_id(container_id)
            config = msgspec.structs.replace(config, hostname=own)
        directory = self.files.directory(container_id)
        return ContainerRecord(
            id=container_id,
            name=name,
            created_ns=self.clock.now_ns(),
            image_ref=config.image,
            image_id=image.record.id if image else ImageId(""),
            platform=(image.platform.os if image else "") or "linux",
            architecture=image.platform.architecture if image else "",
            manifest=image.platform.manifest if image else None,
            config=config,
            host_config=host_config,
            networks=join_networks(config, host_config, asked.endpoints, self.ledger.networks.find),
            driver=self.rootfs.facts().driver,
            rootfs=rootfs,
            mounts=points,
            parts=parts,
            read_only_non_recursive=asked.read_only_non_recursive,
            log_path=self.log_drivers[host_config.log_config.type].path(directory, container_id),
        )

    async def commit(self, record: ContainerRecord, volumes: list[VolumeRecord]) -> None:
        """One transaction: the record never names a volume that does not exist."""
        events = [volume_event(volume, "create", volume.created_ns) for volume in volumes]
        events.append(container_event(record, "create", record.created_ns))
        await self.ledger.commit(*volumes, record, events=events, durable=True)
        log.info("container=%s created name=%s image=%s", record.id, record.name, record.image_ref)


def with_layers(mount: PlannedMount, images: Mapping[str, ResolvedImage]) -> PlannedMount:
    image = images.get(mount.image)
    if image is None or mount.part is None:
        return mount
    return replace(mount, part=msgspec.structs.replace(mount.part, layers=list(image.platform.chain_ids)))


def warn_of_platform(image: ImagePlatform, host: Platform) -> list[str]:
    own = Platform(os=image.os, architecture=image.architecture, variant=image.variant)
    if best_match([own], runnable(host)) is not None:
        return []
    return [
        f"The requested image's platform ({format_platform(own)}) does not match the detected host platform "
        f"({format_platform(host)}) and no specific platform was requested"
    ]


def is_named(mount: PlannedMount) -> bool:
    return mount.point.type == "volume" and bool(mount.point.name) and not mount.is_shared
