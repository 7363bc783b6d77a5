"""Remove a volume that no container mounts."""

from collections.abc import Mapping

from wharfd.engine.happenings import volume_event
from wharfd.engine.ledger import Ledger
from wharfd.engine.locks import KeyedLocks
from wharfd.engine.volumes.list import users
from wharfd.engine.volumes.shared import SharedListing
from wharfd.model.errors import Conflict, Internal, NotFound, VolumeNotFound
from wharfd.model.volume import VolumeRecord
from wharfd.ports.clock import Clock
from wharfd.ports.records import Deletion
from wharfd.ports.volumes import VolumeDriver


class RemoveVolume:
    def __init__(self, *, ledger: Ledger, locks: KeyedLocks, clock: Clock, drivers: Mapping[str, VolumeDriver]) -> None:
        self.shared = SharedListing(ledger=ledger, clock=clock, drivers=drivers)
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
            volume = await self.shared.find(name)
            if volume is None:
                if force:
                    return
                raise VolumeNotFound(name)
            await self.destroy(volume, force=force)

    async def destroy(self, volume: VolumeRecord, *, force: bool = False) -> None:
        """As the call; its lock is held."""
        holders = users(self.ledger).get(volume.name)
        if holders:
            raise Conflict(f"remove {volume.name}: volume is in use - [{', '.join(holders)}]")
        try:
            await self.drivers[volume.driver].remove(volume)
        except NotFound:  # the plugin has gone
            if not force:
                raise
        except Internal as e:
            text = f"remove {volume.name}: "
            raise (e if str(e).startswith(text) else e.prefixed(text)) from e
        event = volume_event(volume, "destroy", self.clock.now_ns())
        await self.ledger.commit(Deletion(kind="volume", id=volume.name), events=[event], durable=True)
