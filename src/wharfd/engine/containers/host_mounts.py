"""What the host mounts for a container before its process is made: shared /dev/shm, parts of volumes, images."""

import hashlib
from collections.abc import Callable, Mapping, Sequence

from wharfd.engine.containers.plan_mounts import DEFAULT_SHM_BYTES
from wharfd.engine.ledger import Ledger
from wharfd.model.container import ContainerRecord, MountPart, MountPoint
from wharfd.model.errors import InvalidParameter
from wharfd.ports.mounts import ContainerMounts

HOST, SHAREABLE, JOINS = "host", "shareable", "container:"
OF_HOST = "/dev/shm"
SHM = "shm"


def key_of(destination: str) -> str:
    return hashlib.sha256(destination.encode()).hexdigest()[:16]


def part_key(destination: str) -> str:
    return key_of(destination) + "-part"


class HostMounts:
    """`lower` gives the directories of layers (chain ids, the lowest first), the uppermost first."""

    def __init__(
        self, *, ledger: Ledger, mounts: ContainerMounts, lower: Callable[[Sequence[str]], Sequence[str]]
    ) -> None:
        self.ledger = ledger
        self.mounts = mounts
        self.lower = lower

    async def shm(self, record: ContainerRecord) -> str:
        """The host's directory to bind; empty: it has one of its own.

        Raises:
            ContainerNotFound.
            InvalidParameter: the other container shares its IPC namespace with nobody.
        """
        mode = record.host_config.ipc_mode
        if mode == HOST:
            return OF_HOST
        if mode == SHAREABLE:
            return await self.mounts.memory(record.id, SHM, record.host_config.shm_size or DEFAULT_SHM_BYTES)
        if not mode.startswith(JOINS):
            return ""
        other = self.ledger.container(mode.removeprefix(JOINS))
        if other.host_config.ipc_mode == HOST:
            return OF_HOST
        if other.host_config.ipc_mode != SHAREABLE:
            raise InvalidParameter(
                f"failed to join IPC namespace: container {other.id}: non-shareable IPC "
                "(hint: use IpcMode:shareable for the donor container)"
            )
        return self.mounts.place(other.id, SHM)

    async def parts(self, record: ContainerRecord, sources: Mapping[str, str]) -> dict[str, str]:
        """Destination -> the host's file or directory, of the mounts that are not bound from the source that is recorded.

        `sources`: destination -> where the volume is mounted now.

        Raises:
            NotFound: a part that is not there, or a layer.
            InvalidParameter: a part that leads out of its volume or image.
        """
        found = dict(sources)
        for point in record.mounts:
            part = record.parts.get(point.destination)
            if part is not None:
                base = sources.get(point.destination, point.source)
                found[point.destination] = await self.part(record, point, base, part)
        return found

    async def part(self, record: ContainerRecord, point: MountPoint, base: str, part: MountPart) -> str:
        if part.layers:
            base = await self.mounts.layers(record.id, key_of(point.destination), self.lower(part.layers))
        if not part.subpath:
            return base
        return await self.mounts.part(record.id, part_key(point.destination), base, part.subpath)

    async def release(self, record: ContainerRecord) -> None:
        """Idempotent."""
        if record.parts or record.host_config.ipc_mode == SHAREABLE:
            await self.mounts.release(record.id)
