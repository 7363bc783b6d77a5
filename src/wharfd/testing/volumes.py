"""Volumes in memory."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from wharfd.model.errors import InvalidParameter, NotFound
from wharfd.model.ids import VolumeName
from wharfd.model.volume import VolumeRecord
from wharfd.testing.fake import Fake

KNOWN_OPTIONS = frozenset({"type", "o", "device", "size"})


class FakeVolumes(Fake):
    """Port `volumes`.  `content[name]` is the volume's files; `mounts` counts mounts not undone.

    A root to copy up from is found in `roots[source_root]`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.content: dict[str, dict[str, bytes]] = {}
        self.mounts: Counter[str] = Counter()
        self.roots: dict[str, dict[str, bytes]] = {}

    async def open(self) -> None:
        self.enter("open")

    async def create(self, volume: VolumeRecord) -> VolumeRecord:
        self.enter("create")
        for option in volume.options or {}:
            if option not in KNOWN_OPTIONS:
                raise InvalidParameter(f"invalid option: {option!r}")
        self.content.setdefault(volume.name, {})
        return msgspec.structs.replace(volume, mountpoint=f"/fake/volumes/{volume.name}/_data")

    async def remove(self, volume: VolumeRecord) -> None:
        self.enter("remove")
        self.content.pop(volume.name, None)

    async def mount(self, volume: VolumeRecord, holder: str) -> str:
        self.enter("mount")
        self.demand(volume)
        self.mounts[volume.name] += 1
        return volume.mountpoint

    async def unmount(self, volume: VolumeRecord, holder: str) -> None:
        self.enter("unmount")
        if self.mounts[volume.name]:
            self.mounts[volume.name] -= 1

    async def copy_up(self, volume: VolumeRecord, source_root: str, path: str) -> None:
        self.enter("copy_up")
        files = self.demand(volume)
        if files:
            return
        below = path.rstrip("/") + "/"
        for source, data in self.roots.get(source_root, {}).items():
            if source.startswith(below):
                files[source.removeprefix(below)] = data

    async def size(self, volume: VolumeRecord) -> int:
        self.enter("size")
        return sum(map(len, self.demand(volume).values()))

    async def leftovers(self) -> Sequence[VolumeName]:
        self.enter("leftovers")
        return [VolumeName(name) for name in sorted(self.content)]

    def demand(self, volume: VolumeRecord) -> dict[str, bytes]:
        if volume.name not in self.content:
            raise NotFound(f"volume {volume.name} has no directory")
        return self.content[volume.name]
