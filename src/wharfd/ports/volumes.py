"""Port: where named and anonymous volumes live."""

from collections.abc import Sequence
from typing import Protocol

from wharfd.model.ids import VolumeName
from wharfd.model.volume import VolumeRecord


class VolumeDriver(Protocol):
    async def open(self) -> None: ...

    async def create(self, volume: VolumeRecord) -> VolumeRecord:
        """Make its directory and fill in `mountpoint`.  Raises InvalidParameter for options it does not know, or a name it
        cannot keep."""

    async def remove(self, volume: VolumeRecord) -> None:
        """Delete its content.  Idempotent."""

    async def mount(self, volume: VolumeRecord) -> str:
        """Make it usable; returns the host directory to bind."""

    async def unmount(self, volume: VolumeRecord) -> None: ...

    async def copy_up(self, volume: VolumeRecord, source_root: str, path: str) -> None:
        """Fill an empty volume with what lies at `path` inside `source_root`, owners and modes kept; links stay inside the root."""

    async def size(self, volume: VolumeRecord) -> int: ...

    async def leftovers(self) -> Sequence[VolumeName]: ...
