"""How a container that is at rest is removed: by request, by `AutoRemove`, or by an engine that finds the work half done.

The record says REMOVING, durably, before anything is deleted; its deletion is the last step.  So what a crash or a power cut leaves is
either a whole container or one whose removal is finished by reconcile.
"""

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from typing import Protocol

from wharfd.engine import lifecycle
from wharfd.engine.containers.debts import Debts
from wharfd.engine.containers.volumes import anonymous_alone
from wharfd.engine.containers.waiters import Waiters
from wharfd.engine.happenings import container_event, volume_event
from wharfd.engine.ledger import Ledger
from wharfd.engine.locks import KeyedLocks
from wharfd.model.container import ContainerRecord
from wharfd.model.errors import Conflict, EngineError, Internal
from wharfd.model.ids import ContainerId
from wharfd.model.volume import VolumeRecord
from wharfd.ports.clock import Clock
from wharfd.ports.files import ContainerFiles
from wharfd.ports.records import Deletion
from wharfd.ports.storage import RootfsStore
from wharfd.ports.volumes import VolumeDriver

log = logging.getLogger(__name__)


class LogKeeper(Protocol):
    async def drained(self, container_id: ContainerId) -> None:
        """What it has written was sent to where it is to go, or too much time has passed.  Never raises."""


class NoKeeper:
    async def drained(self, container_id: ContainerId) -> None:
        return


class Removal:
    def __init__(
        self,
        *,
        ledger: Ledger,
        locks: KeyedLocks,
        clock: Clock,
        debts: Debts,
        rootfs: RootfsStore,
        files: ContainerFiles,
        volumes: Mapping[str, VolumeDriver],
        waiters: Waiters,
        logs: LogKeeper | None = None,
    ) -> None:
        self.ledger = ledger
        self.locks = locks
        self.clock = clock
        self.debts = debts
        self.rootfs = rootfs
        self.files = files
        self.volumes = volumes
        self.waiters = waiters
        self.logs = logs or NoKeeper()
        self.claimed: set[ContainerId] = set()
        self.kept: set[ContainerId] = set()

    @contextmanager
    def claim(self, container_id: ContainerId, ref: str) -> Iterator[None]:
        """Only one removal of a container at a time.

        Raises:
            Conflict: another is under way (dockerd's text; clients take it for success).
        """
        if container_id in self.claimed:
            raise Conflict(f"removal of container {ref} is already in progress")
        self.claimed.add(container_id)
        try:
            yield
        finally:
            self.claimed.discard(container_id)

    @contextmanager
    def keep(self, container_id: ContainerId) -> Iterator[None]:
        """`AutoRemove` is out of force meanwhile: somebody restarts the container by hand."""
        self.kept.add(container_id)
        try:
            yield
        finally:
            self.kept.discard(container_id)

    async def automatic(self, record: ContainerRecord) -> None:
        """Remove it if it is to be removed at its end, unless somebody else does.  The container's lock is held.

        Failures are logged: nobody asked.
        """
        if not record.host_config.auto_remove or record.id in self.kept or record.id in self.claimed:
            return
        with self.claim(record.id, record.id):
            try:
                await self.destroy(record, volumes=True)
            except EngineError as error:
                log.error("container=%s not removed automatically: error=%s", record.id, error)

    async def destroy(self, record: ContainerRecord, *, volumes: bool) -> None:
        """Remove a container at rest.  Its lock is held.

        Raises:
            Conflict: it is not at rest.
            Internal: something could not be deleted; the container is DEAD, its removal may be tried again.
        """
        removing = lifecycle.apply(record, lifecycle.RemoveAsked(volumes=volumes or record.host_config.auto_remove))
        await self.ledger.commit(removing, durable=True)
        await self.finish(removing)

    async def finish(self, record: ContainerRecord) -> None:
        """Delete everything of a container that is REMOVING, then its record.  May be repeated after a crash."""
        try:
            record = await self.debts.pay(record)
            if record.owed:
                raise Internal(f"container {record.id}: its last run could not be taken down")
            await self.logs.drained(record.id)
            async with AsyncExitStack() as held:
                volumes = await self.volumes_to_go(record, held)
                outcomes = await asyncio.gather(
                    self.rootfs.remove(record.id),
                    self.files.remove(record.id),
                    *(self.volumes[volume.driver].remove(volume) for volume in volumes),
                    return_exceptions=True,
                )
                for outcome in outcomes:
                    if isinstance(outcome, BaseException):
                        raise outcome
                await self.forget(record, volumes)
        except Exception as error:
            dead = lifecycle.apply(record, lifecycle.RemovalFailed(error=str(error)))
            await self.ledger.commit_or_post(dead)
            self.waiters.removed(dead, dead.error)
            raise

    async def volumes_to_go(self, record: ContainerRecord, held: AsyncExitStack) -> Sequence[VolumeRecord]:
        """Anonymous volumes that go with it, their locks held."""
        if not record.removing_volumes:
            return []
        names = sorted(volume.name for volume in anonymous_alone(self.ledger, record))
        for name in names:
            await held.enter_async_context(self.locks.hold("volume", name))
        return [volume for volume in anonymous_alone(self.ledger, record) if volume.name in names]

    async def forget(self, record: ContainerRecord, volumes: Sequence[VolumeRecord]) -> None:
        now = self.clock.now_ns()
        await self.ledger.commit(
            Deletion(kind="container", id=record.id),
            *(Deletion(kind="volume", id=volume.name) for volume in volumes),
            events=[
                *(volume_event(volume, "destroy", now) for volume in volumes),
                container_event(record, "destroy", now),
            ],
        )
        self.waiters.removed(record)
