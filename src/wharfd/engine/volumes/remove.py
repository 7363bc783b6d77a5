"""Remove a volume that no container mounts."""

from collections.abc import Mapping

from wharfd.engine.happenings import volume_event
from wharfd.engine.ledger import Ledger
from wharfd.engine.locks import KeyedLocks
from wharfd.engine.volumes.list import users
from wharfd.model.errors import Conflict, VolumeNotFound
from wharfd.model.volume import VolumeRecord
from wharfd.ports.clock import Clock
from wharfd.ports.records import Deletion
from wharfd.ports.volumes import VolumeDriver


class RemoveVolume:
    def __init__(self, *, ledger: Ledger, locks: KeyedLocks, clock: Clock, drivers: Mapping[str, VolumeDriver]) -> None:
        self.ledger = ledger
        self.locks = locks
        self.clock = clock
        self.drivers = drivers

    async def __call__(self, name: str, *, force: bool = False) -> None:
        """Docker: `force` passes over a volume that does not exist, not over one that is in use.

        Raises:
            VolumeNotFound, Conflict (in use), Internal (it could not be deleted; it stays).
        """
        async with self.locks.hold("volume", name):
            volume = self.ledger.volumes.get(name)
            if volume is None:
                if force:
                    return
                raise VolumeNotFound(name)
            await self.destroy(volume)

    async def destroy(self, volume: VolumeRecord) -> None:
        """As the call; its lock is held."""
        holders = users(self.ledger).get(volume.name)
        if holders:
            raise Conflict(f"remove {volume.name}: volume is in use - [{', '.join(holders)}]")
        await self.drivers[volume.driver].remove(volume)
        event = volume_event(volume, "destroy", self.clock.now_ns())
        await self.ledger.commit(Deletion(kind="volume", id=volume.name), events=[event], durable=True)
