"""All use cases of containers, put together over the ports and what they share.

`Ground` is what a container stands on and what builds, execs and networks use too; the use cases are made over it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol

from wharfd.engine.containers.archive.changes import ListChanges
from wharfd.engine.containers.archive.copy_in import CopyIn
from wharfd.engine.containers.archive.copy_out import CopyOut
from wharfd.engine.containers.archive.export import Export
from wharfd.engine.containers.archive.stat_path import StatPath
from wharfd.engine.containers.archive.view import Views
from wharfd.engine.containers.attach import Attach
from wharfd.engine.containers.attachment import Attachment
from wharfd.engine.containers.audience import Audience
from wharfd.engine.containers.commit import CommitContainer
from wharfd.engine.containers.create import CreateContainer
from wharfd.engine.containers.debts import Debts
from wharfd.engine.containers.exits import Exits
from wharfd.engine.containers.files import NameFiles
from wharfd.engine.containers.host_mounts import HostMounts
from wharfd.engine.containers.inspect import InspectContainer
from wharfd.engine.containers.keep_logs import KeepLogs
from wharfd.engine.containers.kill import Kill
from wharfd.engine.containers.list import ListContainers
from wharfd.engine.containers.logs import Logs
from wharfd.engine.containers.pause import Pause, Unpause
from wharfd.engine.containers.planner import ContainerPlanner
from wharfd.engine.containers.prune import PruneContainers
from wharfd.engine.containers.removal import Removal
from wharfd.engine.containers.remove import Remove
from wharfd.engine.containers.rename import RenameContainer
from wharfd.engine.containers.restart import Restart
from wharfd.engine.containers.shutdown import Shutdown
from wharfd.engine.containers.signals import Signals
from wharfd.engine.containers.start import Start
from wharfd.engine.containers.stats import StatsContainer
from wharfd.engine.containers.stop import Stop
from wharfd.engine.containers.top import TopContainer
from wharfd.engine.containers.update import UpdateContainer
from wharfd.engine.containers.wait import Wait
from wharfd.engine.containers.waiters import Waiters
from wharfd.engine.images.assembly import ImageUseCases
from wharfd.engine.ledger import Ledger
from wharfd.engine.locks import KeyedLocks
from wharfd.engine.tasks import Tasks
from wharfd.engine.volumes.make import VolumeMaker
from wharfd.model.container import ContainerRecord
from wharfd.model.ids import ChainId
from wharfd.model.settings import Settings
from wharfd.ports.archives import ChangeLister, FileArchiver
from wharfd.ports.clock import Clock
from wharfd.ports.content import ContentStore, SpoolStore
from wharfd.ports.files import ContainerFiles
from wharfd.ports.host import Host
from wharfd.ports.logs import LogDriver
from wharfd.ports.mounts import ContainerMounts
from wharfd.ports.network import NameServers, NetworkDriver, SandboxDriver
from wharfd.ports.paths import HostPaths
from wharfd.ports.runtime import RuntimeDriver
from wharfd.ports.snapshots import SnapshotStore
from wharfd.ports.storage import HeldRootfs, LayerStore, RootfsStore
from wharfd.ports.streams import StdioDriver
from wharfd.ports.volumes import VolumeDriver


class Roots(RootfsStore, HeldRootfs, Protocol):
    """Roots that are mounted, and held while somebody works in them."""


class Archives(FileArchiver, ChangeLister, Protocol):
    """Files of containers in and out, and what has changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerPorts:
    clock: Clock
    host: Host
    paths: HostPaths
    files: ContainerFiles
    mounts: ContainerMounts
    rootfs: Roots
    layers: LayerStore
    snapshots: SnapshotStore
    runtime: RuntimeDriver
    streams: StdioDriver
    archiver: Archives
    sandboxes: SandboxDriver
    name_servers: NameServers
    networks: Mapping[str, NetworkDriver]
    volumes: Mapping[str, VolumeDriver]
    logs: Mapping[str, LogDriver]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where containers' bundles and cgroups are, and what runs as their init."""

    bundle_root: str
    cgroup_parent: str
    cgroup_driver: str
    init_path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """`planner.open` and `keep_logs.open` belong to the start."""

    waiters: Waiters
    audience: Audience
    logs: Logs
    keep_logs: KeepLogs
    name_files: NameFiles
    attachment: Attachment
    host_mounts: HostMounts
    debts: Debts
    removal: Removal
    planner: ContainerPlanner


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerUseCases:
    """`exits` is told of each exit; close it at the end."""

    exits: Exits
    shutdown: Shutdown
    start: Start
    stop: Stop
    restart: Restart
    kill: Kill
    pause: Pause
    unpause: Unpause
    wait: Wait
    create: CreateContainer
    list: ListContainers
    inspect: InspectContainer
    rename: RenameContainer
    top: TopContainer
    stats: StatsContainer
    update: UpdateContainer
    remove: Remove
    prune: PruneContainers
    attach: Attach
    stat_path: StatPath
    copy_out: CopyOut
    copy_in: CopyIn
    export: Export
    changes: ListChanges
    commit: CommitContainer


def lay_ground(
    ports: ContainerPorts,
    placement: Placement,
    settings: Settings,
    *,
    ledger: Ledger,
    locks: KeyedLocks,
    tasks: Tasks,
    new_id: Callable[[], str],
) -> Ground:
    waiters = Waiters()
    name_files = NameFiles(
        ledger=ledger,
        files=ports.files,
        host=ports.host,
        dns=settings.dns,
        dns_search=settings.dns_search,
        dns_options=settings.dns_options,
        host_gateways=settings.host_gateway_ips,
    )
    attachment = Attachment(
        ledger=ledger,
        sandboxes=ports.sandboxes,
        drivers=ports.networks,
        name_servers=ports.name_servers,
        new_id=new_id,
        upstreams=name_files.upstreams,
    )
    host_mounts = HostMounts(
        ledger=ledger,
        mounts=ports.mounts,
        lower=lambda layers: ports.snapshots.view([ChainId(chain_id) for chain_id in layers]).lower,
    )
    debts = Debts(
        ledger=ledger,
        runtime=ports.runtime,
        attachment=attachment,
        rootfs=ports.rootfs,
        volumes=ports.volumes,
        host_mounts=host_mounts,
    )
    keep_logs = KeepLogs(ledger=ledger, tasks=tasks, host=ports.host, runtime=ports.runtime, drivers=ports.logs)
    return Ground(
        waiters=waiters,
        audience=Audience(ledger=ledger, tasks=tasks, waiters=waiters, streams=ports.streams),
        logs=Logs(ledger=ledger, waiters=waiters, drivers=ports.logs),
        keep_logs=keep_logs,
        name_files=name_files,
        attachment=attachment,
        host_mounts=host_mounts,
        debts=debts,
        removal=Removal(
            ledger=ledger,
            locks=locks,
            clock=ports.clock,
            debts=debts,
            rootfs=ports.rootfs,
            files=ports.files,
            volumes=ports.volumes,
            waiters=waiters,
            logs=keep_logs,
        ),
        planner=ContainerPlanner(
            ledger=ledger,
            settings=settings,
            host=ports.host,
            paths=ports.paths,
            rootfs=ports.rootfs,
            bundle_root=placement.bundle_root,
            cgroup_parent=placement.cgroup_parent,
            cgroup_driver=placement.cgroup_driver,
            init_path=placement.init_path,
        ),
    )


def assemble_containers(
    ports: ContainerPorts,
    ground: Ground,
    settings: Settings,
    *,
    ledger: Ledger,
    locks: KeyedLocks,
    tasks: Tasks,
    images: ImageUseCases,
    content: ContentStore,
    spools: SpoolStore,
    volumes: VolumeMaker,
    exec_ids: Callable[[ContainerRecord], Sequence[str]],
    new_id: Callable[[], str],
    rng: Random,
    randbytes: Callable[[int], bytes],
) -> ContainerUseCases:
    """`new_id` makes 64 hex digits."""
    clock, runtime, rootfs, waiters = ports.clock, ports.runtime, ports.rootfs, ground.waiters
    start = Start(
        ledger=ledger,
        locks=locks,
        clock=clock,
        new_id=new_id,
        rootfs=rootfs,
        volumes=ports.volumes,
        attachment=ground.attachment,
        files=ground.name_files,
        planner=ground.planner,
        runtime=runtime,
        debts=ground.debts,
        removal=ground.removal,
        host_mounts=ground.host_mounts,
        waiters=waiters,
        logs=ports.logs,
        onlookers=ground.audience,
    )
    exits = Exits(
        ledger=ledger,
        locks=locks,
        tasks=tasks,
        clock=clock,
        debts=ground.debts,
        removal=ground.removal,
        waiters=waiters,
        start=start,
        new_id=new_id,
    )
    signals = Signals(ledger=ledger, clock=clock, runtime=runtime)
    stop = Stop(ledger=ledger, locks=locks, clock=clock, signals=signals, waiters=waiters)
    kill = Kill(ledger=ledger, locks=locks, signals=signals, waiters=waiters)
    remove = Remove(ledger=ledger, locks=locks, kill=kill, removal=ground.removal)
    views = Views(
        ledger=ledger,
        locks=locks,
        rootfs=rootfs,
        files=ports.files,
        volumes=ports.volumes,
        host_mounts=ground.host_mounts,
    )
    return ContainerUseCases(
        exits=exits,
        shutdown=Shutdown(
            ledger=ledger, locks=locks, clock=clock, runtime=runtime, signals=signals, waiters=waiters, exits=exits
        ),
        start=start,
        stop=stop,
        restart=Restart(
            ledger=ledger, locks=locks, clock=clock, new_id=new_id, stop=stop, start=start, removal=ground.removal
        ),
        kill=kill,
        pause=Pause(ledger=ledger, locks=locks, clock=clock, runtime=runtime),
        unpause=Unpause(ledger=ledger, locks=locks, clock=clock, runtime=runtime),
        wait=Wait(ledger=ledger, waiters=waiters),
        create=CreateContainer(
            settings=settings,
            ledger=ledger,
            locks=locks,
            clock=clock,
            host=ports.host,
            paths=ports.paths,
            files=ports.files,
            images=images.images,
            rootfs=rootfs,
            runtime=runtime,
            log_drivers=ports.logs,
            volumes=volumes,
            mounts=ports.mounts,
            rng=rng,
            randbytes=randbytes,
        ),
        list=ListContainers(ledger=ledger, clock=clock, rootfs=rootfs, layers=ports.layers),
        inspect=InspectContainer(
            ledger=ledger,
            files=ports.files,
            rootfs=rootfs,
            layers=ports.layers,
            exec_ids=exec_ids,
            by_hand=ground.removal.kept,
        ),
        rename=RenameContainer(ledger=ledger, locks=locks, clock=clock),
        top=TopContainer(ledger=ledger, clock=clock, runtime=runtime),
        stats=StatsContainer(ledger=ledger, runtime=runtime, sandboxes=ports.sandboxes),
        update=UpdateContainer(ledger=ledger, locks=locks, clock=clock, host=ports.host, runtime=runtime),
        remove=remove,
        prune=PruneContainers(ledger=ledger, clock=clock, rootfs=rootfs, layers=ports.layers, remove=remove),
        attach=Attach(ledger=ledger, locks=locks, clock=clock, audience=ground.audience, logs=ground.logs),
        stat_path=StatPath(views=views, archiver=ports.archiver),
        copy_out=CopyOut(views=views, archiver=ports.archiver, ledger=ledger, clock=clock),
        copy_in=CopyIn(views=views, archiver=ports.archiver, ledger=ledger, clock=clock, rootfs=rootfs),
        export=Export(views=views, archiver=ports.archiver, ledger=ledger, clock=clock),
        changes=ListChanges(ledger=ledger, lister=ports.archiver),
        commit=CommitContainer(
            ledger=ledger,
            locks=locks,
            clock=clock,
            host=ports.host,
            runtime=runtime,
            lister=ports.archiver,
            content=content,
            spools=spools,
            unpacking=images.unpacking,
            publisher=images.publisher,
            garbage=images.garbage,
            leases=images.leases,
        ),
    )
