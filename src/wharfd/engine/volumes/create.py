"""Create a volume for its own sake."""

from wharfd.engine.happenings import volume_event
from wharfd.engine.ledger import Ledger
from wharfd.engine.locks import KeyedLocks
from wharfd.engine.volumes.make import VolumeMaker
from wharfd.model.volume import VolumeRecord


class CreateVolume:
    def __init__(self, *, ledger: Ledger, locks: KeyedLocks, maker: VolumeMaker) -> None:
        self.ledger = ledger
        self.locks = locks
        self.maker = maker

    async def __call__(
        self,
        name: str = "",
        driver: str = "",
        *,
        labels: dict[str, str] | None = None,
        options: dict[str, str] | None = None,
    ) -> VolumeRecord:
        """The volume, made or found.  Without a name it is anonymous, and one is made up.

        Raises:
            InvalidParameter: a bad name, or bad options.
            NotFound: no such driver.
            Conflict: the name is another driver's.
        """
        is_anonymous = not name
        name = name or self.maker.fresh_name()
        async with self.locks.hold("volume", name):
            found = await self.maker.existing(name, driver)
            if found is not None:
                return found
            volume = await self.maker.make(name, driver, labels=labels, options=options, anonymous=is_anonymous)
            try:
                event = volume_event(volume, "create", volume.created_ns)
                await self.ledger.commit(volume, events=[event], durable=True)
            except BaseException:
                await self.maker.driver(volume.driver).remove(volume)
                raise
            return volume
