"""Containers' small files, kept in memory."""

from collections.abc import Mapping, Sequence

from wharfd.model.ids import ContainerId
from wharfd.testing.fake import Fake


class FakeFiles(Fake):
    """Port `files`.  `content[container_id][name]` is what a container would read."""

    def __init__(self) -> None:
        super().__init__()
        self.content: dict[str, dict[str, bytes]] = {}
        self.shared: dict[str, int] = {}

    async def open(self) -> None:
        self.enter("open")

    def directory(self, container_id: ContainerId) -> str:
        return f"/fake/containers/{container_id}"

    def write(self, container_id: ContainerId, files: Mapping[str, bytes]) -> None:
        self.enter("write")
        self.content.setdefault(container_id, {}).update(files)

    def rewrite(self, container_id: ContainerId, files: Mapping[str, bytes]) -> None:
        self.enter("rewrite")
        self.content[container_id].update(files)

    def shm(self, container_id: ContainerId) -> str:
        return f"{self.directory(container_id)}/shm"

    async def mount_shm(self, container_id: ContainerId, size_bytes: int) -> str:
        self.enter("mount_shm")
        self.shared[container_id] = size_bytes
        return self.shm(container_id)

    async def unmount_shm(self, container_id: ContainerId) -> None:
        self.enter("unmount_shm")
        self.shared.pop(container_id, None)

    async def remove(self, container_id: ContainerId) -> None:
        self.enter("remove")
        self.content.pop(container_id, None)

    async def leftovers(self) -> Sequence[ContainerId]:
        self.enter("leftovers")
        return [ContainerId(each) for each in self.content]
