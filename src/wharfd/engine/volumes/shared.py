"""Volumes that others have made with a driver which this engine uses, too (plugins): they are taken over when they are met."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from wharfd.engine.ledger import Ledger
from wharfd.model.errors import EngineError, VolumeNotFound
from wharfd.model.json import JsonObject
from wharfd.model.volume import VolumeRecord
from wharfd.ports.clock import Clock
from wharfd.ports.volumes import FoundVolume, SharedVolumes, VolumeDriver


@dataclass(frozen=True, slots=True)
class VolumeView:
    """`status`: what its driver says of it."""

    record: VolumeRecord
    status: JsonObject | None = None


class SharedListing:
    """`drivers` by name; those that are shared are asked, the others know what the records know."""

    def __init__(self, *, ledger: Ledger, clock: Clock, drivers: Mapping[str, VolumeDriver]) -> None:
        self.ledger = ledger
        self.clock = clock
        self.drivers = drivers

    def shared(self) -> Iterator[tuple[str, SharedVolumes]]:
        for name in self.drivers:
            driver = self.drivers[name]
            if isinstance(driver, SharedVolumes):
                yield name, driver

    async def find(self, name: str) -> VolumeRecord | None:
        """One that is not recorded yet is looked for with every driver, and recorded."""
        record = self.ledger.volumes.get(name)
        if record is not None:
            return record
        for driver_name, driver in self.shared():
            try:
                found = await driver.find(name)
            except EngineError:
                continue
            if found is not None:
                return await self.take_over(driver_name, found)
        return None

    async def inspect(self, name: str) -> VolumeView:
        """Raises VolumeNotFound."""
        record = await self.find(name)
        if record is None:
            raise VolumeNotFound(name)
        driver: object = self.drivers.get(record.driver)
        if not isinstance(driver, SharedVolumes):
            return VolumeView(record)
        try:
            found = await driver.find(name)
        except EngineError:
            found = None
        return VolumeView(record, found.status if found else None)

    async def refresh(self) -> list[str]:
        """All that there are are recorded; returns a warning for each driver that does not answer."""
        warnings = []
        for driver_name, driver in self.shared():
            try:
                volumes = await driver.list()
            except EngineError as error:
                warnings.append(f"list {driver_name}: {error}")
                continue
            for found in volumes:
                if found.name not in self.ledger.volumes:
                    await self.take_over(driver_name, found)
        return warnings

    async def take_over(self, driver: str, found: FoundVolume) -> VolumeRecord:
        record = VolumeRecord(
            name=found.name,
            driver=driver,
            mountpoint=found.mountpoint,
            created_ns=found.created_ns or self.clock.now_ns(),
            scope=found.scope,
        )
        await self.ledger.commit(record)
        return record
