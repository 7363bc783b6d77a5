"""Containers' small files, kept in memory."""

from collections.abc import Mapping, Sequence

from wharfd.model.errors import InvalidParameter, NotFound
from wharfd.model.ids import ContainerId
from wharfd.testing.fake import Fake


class FakeFiles(Fake):
    """Port `files`.  `content[container_id][name]` is what a container would read."""

    def __init__(self) -> None:
        super().__init__()
        self.content: dict[str, dict[str, bytes]] = {}

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

    async def remove(self, container_id: ContainerId) -> None:
        self.enter("remove")
        self.content.pop(container_id, None)

    async def leftovers(self) -> Sequence[ContainerId]:
        self.enter("leftovers")
        return [ContainerId(each) for each in self.content]


class FakeMounts(Fake):
    """Port `mounts`.  `mounted[container_id][key]` is what lies there."""

    def __init__(self) -> None:
        super().__init__()
        self.mounted: dict[str, dict[str, object]] = {}
        self.missing: set[str] = set()  # subpaths that there are not

    def place(self, container_id: ContainerId, key: str) -> str:
        return f"/fake/containers/{container_id}/mounts/{key}"

    def put(self, container_id: ContainerId, key: str, what: object) -> str:
        self.mounted.setdefault(container_id, {}).setdefault(key, what)
        return self.place(container_id, key)

    async def memory(self, container_id: ContainerId, key: str, size_bytes: int) -> str:
        self.enter("memory")
        return self.put(container_id, key, size_bytes)

    async def part(self, container_id: ContainerId, key: str, base: str, subpath: str) -> str:
        self.enter("part")
        if subpath in self.missing:
            raise NotFound(f"cannot access path {base}/{subpath}: lstat {base}/{subpath}: no such file or directory")
        if ".." in subpath.split("/"):
            raise InvalidParameter(f"path concatenation escapes the base directory, base: {base}, subpath: {subpath}")
        return self.put(container_id, key, f"{base}/{subpath}")

    async def layers(self, container_id: ContainerId, key: str, lower: Sequence[str]) -> str:
        self.enter("layers")
        return self.put(container_id, key, list(lower))

    async def release(self, container_id: ContainerId) -> None:
        self.enter("release")
        self.mounted.pop(container_id, None)
