"""Start a container: set up what it needs, run it, and take everything down again if that fails.

What a start sets up is owed from its beginning (`ContainerRecord.owed`): a step that fails and an engine that dies between two steps
are the same case, and `Debts` undoes both.  Files under their own names: root file system, network, hosts and the like, OCI spec,
process.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

import msgspec

from wharfd.engine import lifecycle
from wharfd.engine.containers.attachment import Attached, Attachment
from wharfd.engine.containers.debts import Debts
from wharfd.engine.containers.files import FilePaths, NameFiles
from wharfd.engine.containers.host_mounts import HostMounts
from wharfd.engine.containers.removal import Removal
from wharfd.engine.containers.volumes import volumes_of
from wharfd.engine.containers.waiters import Waiters
from wharfd.engine.happenings import container_event, network_event, volume_mount_event, volume_unmount_event
from wharfd.engine.ledger import Ledger
from wharfd.engine.locks import KeyedLocks
from wharfd.model.container import ContainerRecord
from wharfd.model.errors import EngineError, Internal, InvalidParameter, StartFailed
from wharfd.model.event import Event
from wharfd.model.ids import ContainerId
from wharfd.ports.clock import Clock
from wharfd.ports.logs import LogDriver
from wharfd.ports.runtime import Launch, Launched, RuntimeDriver
from wharfd.ports.storage import RootfsStore
from wharfd.ports.volumes import VolumeDriver

CONTAINER = "container:"
FAILED = 128  # Docker: the exit code of a container that could not be started for a reason that has none of its own


@dataclass(frozen=True, slots=True)
class Ground:
    """What the start has set up for the process to stand on.  `rootfs` may still be on its way to being mounted.

    `shm_path`: a host directory for /dev/shm; empty for one of the container's own.  `parts`: destination -> what is to be bound there
    instead of the mount's source.
    """

    rootfs: str
    sandbox_key: str
    files: FilePaths
    shm_path: str = ""
    parts: Mapping[str, str] = field(default_factory=dict)


class Planner(Protocol):
    async def __call__(self, record: ContainerRecord, ground: Ground) -> Launch:
        """What the runtime is to launch.  Raises InvalidParameter, NotFound, StartFailed."""


class Onlookers(Protocol):
    async def connect(self, container_id: ContainerId) -> None:
        """Its process is there and waits: clients that were attached before the start shall miss nothing.  Never raises."""


class Nobody:
    async def connect(self, container_id: ContainerId) -> None:
        return


@dataclass(slots=True)
class Attempt:
    """How far a start has come."""

    record: ContainerRecord
    attached: Attached | None = None
    launch: Launch | None = None

    def as_owed(self) -> ContainerRecord:
        """The record with what is to be given back."""
        if self.attached is None:
            return self.record
        return lifecycle.holding(self.record, self.attached.sandbox_key, self.attached.endpoints)


class Start:
    """`new_id` makes 64 hex digits."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        locks: KeyedLocks,
        clock: Clock,
        new_id: Callable[[], str],
        rootfs: RootfsStore,
        volumes: Mapping[str, VolumeDriver],
        attachment: Attachment,
        files: NameFiles,
        planner: Planner,
        runtime: RuntimeDriver,
        debts: Debts,
        removal: Removal,
        waiters: Waiters,
        host_mounts: HostMounts,
        logs: Mapping[str, LogDriver] = MappingProxyType({}),
        onlookers: Onlookers | None = None,
    ) -> None:
        self.ledger = ledger
        self.locks = locks
        self.clock = clock
        self.new_id = new_id
        self.logs = logs
        self.onlookers = onlookers or Nobody()
        self.host_mounts = host_mounts
        self.rootfs = rootfs
        self.volumes = volumes
        self.attachment = attachment
        self.files = files
        self.planner = planner
        self.runtime = runtime
        self.debts = debts
        self.removal = removal
        self.waiters = waiters

    async def __call__(self, ref: str) -> None:
        """Returns when its process runs.  A take-down of its last run that is still under way is waited for.

        Raises:
            NotModified: it runs already.
            Conflict: it is paused, or marked for removal.
            StartFailed: its process could not be started; the record keeps exit code and error.
        """
        container_id = self.ledger.container(ref).id
        async with self.locks.hold("container", container_id):
            await self.begin(self.ledger.container(container_id), lifecycle.StartAsked(sandbox_id=self.new_id()))

    async def begin(
        self, record: ContainerRecord, event: lifecycle.StartAsked | lifecycle.RestartDue
    ) -> ContainerRecord:
        """As the call; the container's lock is held."""
        lifecycle.apply(record, event)
        if record.owed:
            record = await self.debts.pay(record)
            if record.owed:
                raise Internal(f"container {record.id}: its last run could not be taken down")
        attempt = Attempt(lifecycle.apply(record, event))
        self.ledger.post(attempt.record)  # not waited for: reconcile finds a start that was begun by what it left
        try:
            at_ns, launched = await self.launch(attempt)
            running = self.running(attempt, launched, at_ns)
            await self.ledger.commit(running, events=self.started_events(running))
            self.files.tell_linked(running)
        except asyncio.CancelledError:
            await self.undo(attempt)
            raise
        except Exception as error:
            await self.fail(attempt, error)
            raise
        return running

    async def launch(self, attempt: Attempt) -> tuple[int, Launched]:
        record = attempt.record
        if record.rootfs is None:
            raise Internal(f"container {record.id} has no root file system")
        outcomes = await asyncio.gather(
            self.rootfs.mount(record.id, record.rootfs),
            self.prepare(attempt, record.rootfs.merged),
            return_exceptions=True,
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        if attempt.launch is None:
            raise Internal(f"container {record.id} has no plan")
        launched = await self.runtime.create(attempt.launch)
        await self.onlookers.connect(record.id)
        at_ns = self.clock.now_ns()
        await self.runtime.start(record.id)
        return at_ns, launched

    async def prepare(self, attempt: Attempt, rootfs: str) -> None:
        """All that can be done while the root file system is being mounted."""
        log_config = attempt.record.host_config.log_config
        log_driver = self.logs.get(log_config.type)
        if log_driver is not None:
            try:
                log_driver.begin(attempt.record.log_path, log_config.config or {})
            except EngineError as error:
                words = "failed to create task for container: failed to initialize logging driver: "
                raise error.prefixed(words) from error
        sources = {}
        for mount, volume in volumes_of(self.ledger, attempt.record):
            sources[mount.destination] = await self.volumes[volume.driver].mount(volume, attempt.record.id)
        attempt.attached = await self.attachment.attach(attempt.record)
        attempt.record = self.named_as_its_neighbour(attempt.record)
        paths = self.files.write(attempt.record, attempt.attached.networks)
        ground = Ground(
            rootfs=rootfs,
            sandbox_key=attempt.attached.sandbox_key,
            files=paths,
            shm_path=await self.host_mounts.shm(attempt.record),
            parts=await self.host_mounts.parts(attempt.record, sources),
        )
        try:
            attempt.launch = await self.planner(attempt.record, ground)
        except InvalidParameter as error:
            # Docker: what is wrong with the container is no fault of the request that starts it.
            raise Internal(str(error)) from error

    def named_as_its_neighbour(self, record: ContainerRecord) -> ContainerRecord:
        """Docker: who joins another's network has its hostname, too, and keeps it."""
        mode = record.host_config.network_mode
        if not mode.startswith(CONTAINER):
            return record
        other = self.ledger.container(mode.removeprefix(CONTAINER)).config
        config = msgspec.structs.replace(record.config, hostname=other.hostname, domainname=other.domainname)
        return msgspec.structs.replace(record, config=config)

    def running(self, attempt: Attempt, launched: Launched, at_ns: int) -> ContainerRecord:
        attached, launch = attempt.attached, attempt.launch
        if attached is None or launch is None:
            raise Internal(f"container {attempt.record.id} was started without a network or a plan")
        return lifecycle.apply(
            attempt.record,
            lifecycle.Started(
                pid=launched.pid,
                pid_start=launched.pid_start,
                monitor_pid=launched.monitor_pid,
                at_ns=at_ns,
                sandbox_key=attached.sandbox_key,
                networks=attached.networks,
                endpoints=attached.endpoints,
                apparmor_profile=launch.spec.get("process", {}).get("apparmorProfile", ""),
            ),
        )

    def started_events(self, record: ContainerRecord) -> list[Event]:
        now = self.clock.now_ns()
        return [
            *(volume_mount_event(volume, mount, record.id, now) for mount, volume in volumes_of(self.ledger, record)),
            *self.network_events("connect", record, now),
            container_event(record, "start", now),
        ]

    def network_events(self, action: str, record: ContainerRecord, now: int) -> list[Event]:
        networks = (self.ledger.networks.get(network_id) for network_id in record.endpoints)
        return [network_event(network, action, now, container=record.id) for network in networks if network]

    async def undo(self, attempt: Attempt) -> None:
        """The engine goes down in the middle: as if the start had never begun, unless it has just come to its end."""
        now = self.ledger.containers.get(attempt.record.id)
        if now is not None and now.is_running:
            return
        record = attempt.as_owed()
        steps = await self.debts.settle(record)
        record = lifecycle.apply(record, lifecycle.Paid(steps=steps))
        self.ledger.post(lifecycle.apply(record, lifecycle.StartUndone()))

    async def fail(self, attempt: Attempt, error: Exception) -> None:
        """Docker: no `die` is told of a container that never ran; its networks are left again."""
        record = attempt.as_owed()
        now = self.clock.now_ns()
        events = [*self.network_events("connect", record, now), *self.network_events("disconnect", record, now)]
        if attempt.attached is not None:
            for mount, volume in volumes_of(self.ledger, record):
                events.append(volume_mount_event(volume, mount, record.id, now))
                events.append(volume_unmount_event(volume, record.id, now))
        steps = await self.debts.settle(record)
        code = error.exit_code if isinstance(error, StartFailed) else FAILED
        record = lifecycle.apply(record, lifecycle.Paid(steps=steps))
        record = lifecycle.apply(record, lifecycle.StartFailed(exit_code=code, error=str(error)))
        await self.ledger.commit_or_post(record, events=events)
        self.waiters.not_started(record)
        await self.removal.automatic(record)
