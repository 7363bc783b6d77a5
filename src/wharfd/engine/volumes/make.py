"""How a volume comes to be, for its own sake or as part of a container."""

from collections.abc import Callable, Mapping

from wharfd.engine.ledger import Ledger
from wharfd.engine.volumes.shared import SharedListing
from wharfd.model.errors import Conflict, Internal, InvalidParameter, NotFound
from wharfd.model.ids import VolumeName
from wharfd.model.volume import VolumeRecord
from wharfd.ports.clock import Clock
from wharfd.ports.volumes import VolumeDriver
from wharfd.wire.names import new_id, parse_volume_name

LOCAL = "local"
ANONYMOUS_LABEL = "com.docker.volume.anonymous"


class VolumeMaker:
    """Makes a volume's directory and record; the caller commits the record, and holds the lock of the name meanwhile."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        clock: Clock,
        drivers: Mapping[str, VolumeDriver],
        randbytes: Callable[[int], bytes],
        shared: SharedListing | None = None,
    ) -> None:
        self.ledger = ledger
        self.clock = clock
        self.drivers = drivers
        self.randbytes = randbytes
        self.shared = shared or SharedListing(ledger=ledger, clock=clock, drivers=drivers)

    def driver(self, name: str) -> VolumeDriver:
        """Raises NotFound with dockerd's text."""
        driver = self.drivers.get(name or LOCAL)
        if driver is None:
            raise NotFound(f'error looking up volume plugin {name}: plugin "{name}" not found')
        return driver

    def fresh_name(self) -> VolumeName:
        return VolumeName(new_id(self.randbytes))

    async def existing(self, name: str, driver: str) -> VolumeRecord | None:
        """The volume of that name, if there is one.  Docker: other options for a volume that exists are passed over.

        Raises:
            NotFound: no such driver.
            Conflict: it exists with another driver.
        """
        found = await self.shared.find(name) if name else None
        if found is None or not driver or driver == found.driver:
            return found
        try:
            self.driver(driver)
        except NotFound as e:
            raise e.prefixed(f"create {name}: ") from e
        raise Conflict(
            f"create {name}: driver '{found.driver}' already has volume '{name}': volume name must be unique"
        )

    async def make(
        self,
        name: str,
        driver: str = "",
        *,
        labels: dict[str, str] | None = None,
        options: dict[str, str] | None = None,
        anonymous: bool = False,
    ) -> VolumeRecord:
        """A volume that does not exist yet; not committed.  Whoever gives up removes it with its driver.

        Raises:
            InvalidParameter: a bad name, or options that the driver does not know.
            NotFound: no such driver.
        """
        try:
            chosen = self.driver(driver)
            checked = parse_volume_name(name)
            if anonymous:
                labels = {**(labels or {}), ANONYMOUS_LABEL: ""}
            return await chosen.create(
                VolumeRecord(
                    name=checked,
                    driver=driver or LOCAL,
                    mountpoint="",
                    created_ns=self.clock.now_ns(),
                    labels=labels,
                    options=options,
                    anonymous=anonymous,
                )
            )
        except (InvalidParameter, NotFound, Internal) as e:
            raise e.prefixed(f"create {name}: ") from e
