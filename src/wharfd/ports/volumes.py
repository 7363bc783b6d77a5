"""Port: where named and anonymous volumes live."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from wharfd.model.ids import VolumeName
from wharfd.model.json import JsonObject
from wharfd.model.volume import VolumeRecord


class VolumeDriver(Protocol):
    async def open(self) -> None: ...

    async def create(self, volume: VolumeRecord) -> VolumeRecord:
        """Make its directory and fill in `mountpoint`.  Raises InvalidParameter for options it does not know, or a name it
        cannot keep."""

    async def remove(self, volume: VolumeRecord) -> None:
        """Delete its content.  Idempotent."""

    async def mount(self, volume: VolumeRecord, holder: str) -> str:
        """Make it usable for `holder` (the container, or whoever looks into it); returns the host directory to bind."""

    async def unmount(self, volume: VolumeRecord, holder: str) -> None: ...

    async def copy_up(self, volume: VolumeRecord, source_root: str, path: str) -> None:
        """Fill an empty volume with what lies at `path` inside `source_root`, owners and modes kept; links stay inside the root."""

    async def size(self, volume: VolumeRecord) -> int:
        """Bytes.  Raises NotFound where it cannot be told."""

    async def leftovers(self) -> Sequence[VolumeName]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundVolume:
    """As the driver knows it now.  `created_ns` 0: not known."""

    name: VolumeName
    mountpoint: str = ""
    created_ns: int = 0
    status: JsonObject | None = None
    scope: str = "local"


@runtime_checkable
class SharedVolumes(Protocol):
    """The ability of a `VolumeDriver` whose volumes others can make and remove, too."""

    async def find(self, name: str) -> FoundVolume | None: ...

    async def list(self) -> Sequence[FoundVolume]: ...
