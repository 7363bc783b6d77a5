"""A container's /dev/shm where it is more than its own: shared with whoever joins its IPC namespace, joined, or the host's."""

from wharfd.engine.containers.plan_mounts import DEFAULT_SHM_BYTES
from wharfd.engine.ledger import Ledger
from wharfd.model.container import ContainerRecord
from wharfd.model.errors import InvalidParameter
from wharfd.ports.files import ContainerFiles

HOST, SHAREABLE, JOINS = "host", "shareable", "container:"
OF_HOST = "/dev/shm"


class SharedMemory:
    def __init__(self, *, ledger: Ledger, files: ContainerFiles) -> None:
        self.ledger = ledger
        self.files = files

    async def prepare(self, record: ContainerRecord) -> str:
        """The host's directory to bind; empty: it has one of its own.

        Raises:
            ContainerNotFound.
            InvalidParameter: the other container shares its IPC namespace with nobody.
        """
        mode = record.host_config.ipc_mode
        if mode == HOST:
            return OF_HOST
        if mode == SHAREABLE:
            size = record.host_config.shm_size or DEFAULT_SHM_BYTES
            return await self.files.mount_shm(record.id, size)
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
        return self.files.shm(other.id)

    async def release(self, record: ContainerRecord) -> None:
        """Idempotent.  Linux: whoever has joined it has a mount of his own."""
        if record.host_config.ipc_mode == SHAREABLE:
            await self.files.unmount_shm(record.id)
