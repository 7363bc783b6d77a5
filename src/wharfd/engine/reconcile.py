"""After a start of the engine: records against what is really there, before the API opens.

    running, and its process lives      taken up again
    running, and its process is gone    the exit is recorded with its code and time; without an exit file (the machine went down) 255
    starting                            undone, as a start that fails
    at rest, but something is mounted   a start that was not even written down: undone
    removing                            finished
    restarting                          started
    at rest, and its policy says so     started
    no record                           deleted, whatever it is

Nothing that a record explains is deleted.  A container that cannot be put in order is logged and does not keep the others from it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar, assert_never

import msgspec

from wharfd.engine import lifecycle
from wharfd.engine.containers import restart_policy
from wharfd.engine.containers.attachment import Attachment
from wharfd.engine.containers.debts import Debts
from wharfd.engine.containers.exits import Exits
from wharfd.engine.containers.removal import Removal
from wharfd.engine.ledger import Ledger
from wharfd.engine.locks import KeyedLocks
from wharfd.model.container import ContainerRecord, State
from wharfd.model.errors import EngineError
from wharfd.model.ids import ContainerId, VolumeName
from wharfd.model.network import Endpoint
from wharfd.model.volume import VolumeRecord
from wharfd.ports.clock import Clock
from wharfd.ports.files import ContainerFiles
from wharfd.ports.network import NetworkDriver, SandboxDriver
from wharfd.ports.records import Deletion
from wharfd.ports.runtime import Exit, Observation, RuntimeDriver
from wharfd.ports.storage import RootfsStore
from wharfd.ports.volumes import VolumeDriver

log = logging.getLogger(__name__)

AT_ONCE = 16  # containers that are looked at or put in order at the same time
GONE_CODE = 255  # Docker: the exit code of a container whose end nobody saw
GONE_ERROR = "the container's process was gone when the engine came up"
SANDBOX_NAME = 12  # characters of a sandbox id that its traces may be cut to


@dataclass(slots=True)
class Findings:
    """What is there.  `observed`: of containers that are recorded as running."""

    observed: dict[ContainerId, Observation] = field(default_factory=dict)
    runtime: set[ContainerId] = field(default_factory=set)
    rootfs: set[ContainerId] = field(default_factory=set)
    files: set[ContainerId] = field(default_factory=set)
    sandboxes: set[str] = field(default_factory=set)
    volumes: dict[str, set[VolumeName]] = field(default_factory=dict)  # by driver


class Reconcile:
    """Drivers of networks and volumes by name.  All drivers are open but the network drivers, which are opened here."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        locks: KeyedLocks,
        clock: Clock,
        runtime: RuntimeDriver,
        rootfs: RootfsStore,
        files: ContainerFiles,
        sandboxes: SandboxDriver,
        networks: Mapping[str, NetworkDriver],
        volumes: Mapping[str, VolumeDriver],
        attachment: Attachment,
        debts: Debts,
        removal: Removal,
        exits: Exits,
    ) -> None:
        self.ledger = ledger
        self.locks = locks
        self.clock = clock
        self.runtime = runtime
        self.rootfs = rootfs
        self.files = files
        self.sandboxes = sandboxes
        self.networks = networks
        self.volumes = volumes
        self.attachment = attachment
        self.debts = debts
        self.removal = removal
        self.exits = exits

    async def __call__(self) -> None:
        """Everything is in order when this returns; containers that are to be started are started after it."""
        findings = await self.look()
        await self.open_networks(findings)
        records = list(self.ledger.containers)
        await each(records, lambda record: self.settle(record, findings))
        await self.sweep(records, findings)
        self.exits.open()
        await self.start_again()

    # Looking

    async def look(self) -> Findings:
        findings = Findings()

        async def observe(record: ContainerRecord) -> None:
            findings.observed[record.id] = await self.runtime.observe(record.id, record.pid, record.pid_start)

        async def traces() -> None:
            findings.runtime = set(await self.runtime.leftovers())
            findings.rootfs = set(await self.rootfs.leftovers())
            findings.files = set(await self.files.leftovers())
            findings.sandboxes = set(await self.sandboxes.leftovers())
            for name, driver in self.volumes.items():
                findings.volumes[name] = set(await driver.leftovers())

        async with asyncio.TaskGroup() as group:
            group.create_task(traces())
            group.create_task(each([record for record in self.ledger.containers if record.is_running], observe))
        return findings

    async def open_networks(self, findings: Findings) -> None:
        """With the endpoints of what runs; the drivers remove all others."""
        endpoints: dict[str, list[Endpoint]] = {}
        for record in self.ledger.containers:
            if is_alive(record, findings):
                for network_id, endpoint in record.endpoints.items():
                    endpoints.setdefault(network_id, []).append(endpoint)
        for name, driver in self.networks.items():
            networks = [network for network in self.ledger.networks if network.driver == name]
            await driver.open(networks, endpoints)

    # Putting in order

    async def settle(self, record: ContainerRecord, findings: Findings) -> None:
        async with self.locks.hold("container", record.id):
            if record.frozen:
                record = await self.thaw(record, findings)
            match record.state:
                case State.RUNNING | State.PAUSED:
                    await self.settle_running(record, findings)
                case State.STARTING:
                    await self.undo_start(record)
                case State.CREATING:
                    await self.undo_creation(record)
                case State.REMOVING:
                    await self.removal.finish(record)
                case State.CREATED | State.RESTARTING | State.EXITED | State.DEAD:
                    await self.settle_at_rest(record, findings)
                case _:
                    assert_never(record.state)

    async def thaw(self, record: ContainerRecord, findings: Findings) -> ContainerRecord:
        """The engine died in the middle of a commit."""
        seen = findings.observed.get(record.id)
        if seen is not None and seen.alive and seen.paused and record.state is State.RUNNING:
            await self.runtime.resume(record.id)
            findings.observed[record.id] = msgspec.structs.replace(seen, paused=False)
        record = msgspec.structs.replace(record, frozen=False)
        await self.ledger.commit(record)
        return record

    async def settle_running(self, record: ContainerRecord, findings: Findings) -> None:
        seen = findings.observed.get(record.id)
        if seen is None:
            return  # it could not be looked at: left as it is, and as it is recorded
        if not seen.alive:
            unseen = Exit(container_id=record.id, code=GONE_CODE, at_ns=self.clock.now_ns())
            error = "" if seen.exit else GONE_ERROR
            await self.exits.settle(await self.exits.record(record, seen.exit or unseen, error=error))
            return
        try:
            await self.attachment.resume(record)
        except EngineError as error:
            log.error("container=%s finds no names: error=%s", record.id, error)
        if seen.paused and record.state is State.RUNNING:
            await self.ledger.commit(lifecycle.apply(record, lifecycle.PauseAsked()))
        elif not seen.paused and record.state is State.PAUSED:
            await self.ledger.commit(lifecycle.apply(record, lifecycle.UnpauseAsked()))

    async def undo_start(self, record: ContainerRecord) -> None:
        by_policy = record.restart_count > 0  # a start by hand begins the count anew
        steps = await self.debts.settle(record)
        record = lifecycle.apply(record, lifecycle.Paid(steps=steps))
        record = lifecycle.apply(record, lifecycle.StartUndone())
        if by_policy:
            record = lifecycle.apply(record, lifecycle.RestartAsked())
        await self.ledger.commit(record)
        await self.remove_if_ended(record)

    async def undo_creation(self, record: ContainerRecord) -> None:
        await self.runtime.delete(record.id)
        await self.rootfs.remove(record.id)
        await self.files.remove(record.id)
        await self.ledger.commit(Deletion(kind="container", id=record.id))

    async def settle_at_rest(self, record: ContainerRecord, findings: Findings) -> None:
        if record.owed:
            record = await self.debts.pay(record)
        else:
            # A start may have begun that was never written down.
            if record.id in findings.runtime:
                await self.runtime.delete(record.id)
            if record.rootfs is not None and await self.rootfs.is_mounted(record.id):
                await self.rootfs.unmount(record.id, record.rootfs)
        await self.remove_if_ended(record)

    async def remove_if_ended(self, record: ContainerRecord) -> None:
        """Of a container that removes itself: the engine died before that, or in the middle of a restart by hand."""
        if record.state is State.EXITED and has_ended(record):
            await self.removal.automatic(record)

    async def sweep(self, records: Iterable[ContainerRecord], findings: Findings) -> None:
        """Delete what no record explains."""
        known = {record.id for record in records}
        in_use = {record.sandbox_id[:SANDBOX_NAME] for record in self.ledger.containers if record.is_running}
        work: list[Callable[[], Awaitable[None]]] = [
            *(partial(self.runtime.delete, gone) for gone in findings.runtime - known),
            *(partial(self.rootfs.remove, gone) for gone in findings.rootfs - known),
            *(partial(self.files.remove, gone) for gone in findings.files - known),
            *(partial(self.sandboxes.destroy, s) for s in findings.sandboxes if s[:SANDBOX_NAME] not in in_use),
        ]
        for driver, names in findings.volumes.items():
            for name in names - self.ledger.volumes.keys():
                gone = VolumeRecord(name=name, driver=driver, mountpoint="", created_ns=0)
                work.append(partial(self.volumes[driver].remove, gone))
        if work:
            log.info("traces=%d without a record are deleted", len(work))
        await each(work, lambda delete: delete())

    async def start_again(self) -> None:
        """Containers that the restart policy wants to run."""
        for record in self.ledger.containers:
            if record.state is State.EXITED and record.started_ns and restart_policy.wants_start_at_boot(record):
                after = lifecycle.apply(record, lifecycle.RestartAsked())
                await self.ledger.commit(after)
                self.exits.start_after(after, 0)
            elif record.state is State.RESTARTING and record.id not in self.exits.timers:
                self.exits.start_after(record, 0)


def is_alive(record: ContainerRecord, findings: Findings) -> bool:
    """Or not known to be dead."""
    seen = findings.observed.get(record.id)
    return record.is_running and (seen is None or seen.alive)


def has_ended(record: ContainerRecord) -> bool:
    """Rather than that its start was broken off, which nobody was told to have begun."""
    return bool(record.finished_ns or record.error)


T = TypeVar("T")


async def each(items: Iterable[T], action: Callable[[T], Awaitable[None]]) -> None:
    """Act on all, a few at a time; what fails is logged."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(item: T) -> None:
        async with places:
            try:
                await action(item)
            except Exception as error:
                what = f"container={item.id}" if isinstance(item, ContainerRecord) else "leftover"
                log.error("%s not put in order: error=%s", what, error, exc_info=error)

    async with asyncio.TaskGroup() as group:
        for item in items:
            group.create_task(one(item))
