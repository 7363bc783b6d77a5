"""What a start has set up must be taken down: the debts of a container, kept in its record's `owed`.

The same code pays them after an exit, after a start that failed at any step, and for an engine that died in between.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import assert_never

from wharfd.engine import lifecycle
from wharfd.engine.containers.attachment import Attachment
from wharfd.engine.containers.host_mounts import HostMounts
from wharfd.engine.containers.volumes import volumes_of
from wharfd.engine.ledger import Ledger
from wharfd.model.container import ContainerRecord, Step
from wharfd.ports.runtime import RuntimeDriver
from wharfd.ports.storage import RootfsStore
from wharfd.ports.volumes import VolumeDriver

log = logging.getLogger(__name__)


class Debts:
    """`volumes`: drivers by the name in `VolumeRecord.driver`."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        runtime: RuntimeDriver,
        attachment: Attachment,
        rootfs: RootfsStore,
        volumes: Mapping[str, VolumeDriver],
        host_mounts: HostMounts,
    ) -> None:
        self.ledger = ledger
        self.runtime = runtime
        self.attachment = attachment
        self.rootfs = rootfs
        self.volumes = volumes
        self.host_mounts = host_mounts

    async def pay(self, record: ContainerRecord) -> ContainerRecord:
        """Pay all at the same time and note it; what could not be paid stays owed.  The container's lock is held."""
        steps = await self.settle(record)
        if not steps:
            return record
        record = lifecycle.apply(record, lifecycle.Paid(steps=steps))
        self.ledger.post(record)  # an engine that dies before this is written pays once more
        return record

    async def settle(self, record: ContainerRecord) -> list[Step]:
        """Pay without noting it.  Returns what is paid; failures are logged."""
        if not record.owed:
            return []
        outcomes = await asyncio.gather(*(self.take_down(step, record) for step in record.owed), return_exceptions=True)
        paid = []
        for step, outcome in zip(record.owed, outcomes, strict=True):
            if outcome is None:
                paid.append(step)
            elif isinstance(outcome, Exception):
                log.error("container=%s step=%s not taken down: error=%s", record.id, step, outcome, exc_info=outcome)
            else:
                raise outcome
        return paid

    async def take_down(self, step: Step, record: ContainerRecord) -> None:
        match step:
            case Step.RUNTIME:
                await self.runtime.delete(record.id)
            case Step.NETWORK:
                await self.attachment.detach(record)
            case Step.ROOTFS:
                if record.rootfs is not None:
                    await self.rootfs.unmount(record.id, record.rootfs)
                for _, volume in volumes_of(self.ledger, record):
                    await self.volumes[volume.driver].unmount(volume, record.id)
                await self.host_mounts.release(record)
            case _:
                assert_never(step)
