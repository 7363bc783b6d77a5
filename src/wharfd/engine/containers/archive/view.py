"""What of a container the copy calls see, made ready and kept for as long as they need it.

Its root file system, with what the container itself has mounted in it: volumes, binds, hosts, hostname and resolv.conf, and while it
runs its tmpfs.  It works the same whether the container runs, is paused, has exited or was never started.
"""

import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from wharfd.engine.containers.host_mounts import HostMounts
from wharfd.engine.containers.mounts import placed_mounts
from wharfd.engine.containers.volumes import volumes_of
from wharfd.engine.ledger import Ledger
from wharfd.engine.locks import KeyedLocks
from wharfd.model.container import ContainerRecord, Rootfs, State
from wharfd.model.errors import Conflict, ContainerFileNotFound, Internal, NotFound
from wharfd.model.files import FileView, PlacedPath
from wharfd.model.ids import ContainerId
from wharfd.ports.archives import ArchiveStream
from wharfd.ports.files import ContainerFiles
from wharfd.ports.storage import HeldRootfs
from wharfd.ports.volumes import VolumeDriver
from wharfd.wire.binds import clean

NAME_FILES = ("hosts", "hostname", "resolv.conf")


@dataclass(frozen=True, slots=True)
class Held:
    """`bare` is the root without anything mounted in it."""

    record: ContainerRecord
    view: FileView

    @property
    def bare(self) -> FileView:
        return FileView(root=self.view.root)


class Views:
    """`volumes`: drivers by name."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        locks: KeyedLocks,
        rootfs: HeldRootfs,
        files: ContainerFiles,
        volumes: Mapping[str, VolumeDriver],
        host_mounts: HostMounts,
    ) -> None:
        self.ledger = ledger
        self.locks = locks
        self.rootfs = rootfs
        self.files = files
        self.volumes = volumes
        self.host_mounts = host_mounts
        self.numbers = itertools.count(1)

    @asynccontextmanager
    async def open(self, ref: str, verb: str) -> AsyncIterator[Held]:
        """`verb` completes "You cannot … container X which is Dead".

        Raises:
            ContainerNotFound.
            Conflict: it is being removed.
        """
        container_id = self.ledger.container(ref).id
        async with AsyncExitStack() as held:
            async with self.locks.hold("container", container_id):
                record = self.ledger.container(container_id)
                rootfs = usable_rootfs(record, verb)
                root = await held.enter_async_context(self.rootfs.hold(record.id, rootfs))
                holder, sources = f"view-{next(self.numbers)}-{record.id}", {}
                for mount, volume in volumes_of(self.ledger, record):
                    sources[mount.destination] = await self.volumes[volume.driver].mount(volume, holder)
                    held.push_async_callback(self.volumes[volume.driver].unmount, volume, holder)
                if record.parts:
                    held.push_async_callback(self.release, record.id)
                view = self.view(record, root, await self.host_mounts.parts(record, sources))
            yield Held(record, view)

    async def release(self, container_id: ContainerId) -> None:
        """Unless the container has begun to run meanwhile, and gives it back itself."""
        async with self.locks.hold("container", container_id):
            record = self.ledger.containers.get(container_id)
            if record is not None and not record.is_running and not record.owed:
                await self.host_mounts.release(record)

    def view(self, record: ContainerRecord, root: str, parts: Mapping[str, str]) -> FileView:
        asked = record.host_config
        return FileView(
            root=root,
            read_only=asked.readonly_rootfs,
            places=[*self.name_files(record), *own_places(record, parts)],
            tmpfs=tmpfs_places(record) if record.is_running else [],
            pid=record.pid if record.is_running else 0,
            pid_start=record.pid_start if record.is_running else 0,
        )

    def name_files(self, record: ContainerRecord) -> list[PlacedPath]:
        """Of the container whose network it shares, if it does.  They exist from the first start on."""
        mode = record.host_config.network_mode
        other = self.ledger.containers.find(mode.removeprefix("container:")) if mode.startswith("container:") else None
        directory = self.files.directory((other or record).id)
        read_only = record.host_config.readonly_rootfs
        return [
            PlacedPath(source=f"{directory}/{name}", destination=f"/etc/{name}", read_only=read_only)
            for name in NAME_FILES
        ]


def usable_rootfs(record: ContainerRecord, verb: str) -> Rootfs:
    if record.state is State.DEAD:
        raise Conflict(f"You cannot {verb} container {record.id} which is Dead")
    if record.state is State.REMOVING:
        raise Conflict(f"You cannot {verb} container {record.id} which is being removed")
    if record.rootfs is None:
        raise Internal(f"container {record.id} has no root file system")
    return record.rootfs


def own_places(record: ContainerRecord, parts: Mapping[str, str]) -> list[PlacedPath]:
    return [
        PlacedPath(
            source=mount.source,
            destination=mount.destination,
            read_only=mount.read_only,
            recursive=mount.recursive,
            recursive_read_only=mount.recursive_read_only,
        )
        for mount in placed_mounts(record, parts)
    ]


def tmpfs_places(record: ContainerRecord) -> list[str]:
    asked = record.host_config
    specs = [spec.target for spec in asked.mounts or () if spec.type == "tmpfs"]
    return sorted({clean(target) for target in [*(asked.tmpfs or ()), *specs]})


class HeldStream:
    """An archive, and what must stay as it is until it has been read."""

    def __init__(self, stream: ArchiveStream, held: AsyncExitStack) -> None:
        self.stream = stream
        self.held = held

    def __aiter__(self) -> "HeldStream":
        return self

    async def __anext__(self) -> bytes:
        return await self.stream.__anext__()

    async def aclose(self) -> None:
        """Idempotent."""
        try:
            await self.stream.aclose()
        finally:
            await self.held.aclose()


@asynccontextmanager
async def missing_told(path: str, ref: str) -> AsyncIterator[None]:
    """A path that is not there becomes Docker's words for it."""
    try:
        yield
    except NotFound as e:
        raise ContainerFileNotFound(path, ref) from e
