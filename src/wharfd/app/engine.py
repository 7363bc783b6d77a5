"""The use cases, built from the drivers, and the routes that lead to them; order of opening and closing."""

import logging
import os
import random
import shutil
import subprocess  # noqa: TID251 - asked once for the commit of a checkout, before the loop runs
import sys
from functools import partial
from pathlib import Path

import wharfd
from wharfd.api.handlers.attach import AttachHandlers
from wharfd.api.handlers.build import BuildHandlers
from wharfd.api.handlers.container_files import ContainerFileHandlers
from wharfd.api.handlers.container_life import ContainerLifeHandlers
from wharfd.api.handlers.containers import ContainerHandlers
from wharfd.api.handlers.events import EventHandlers
from wharfd.api.handlers.exec import ExecHandlers
from wharfd.api.handlers.images import ImageHandlers
from wharfd.api.handlers.logs import LogHandlers
from wharfd.api.handlers.networks import NetworkHandlers
from wharfd.api.handlers.plugins import plugin_routes
from wharfd.api.handlers.registry import RegistryHandlers
from wharfd.api.handlers.stats import StatsHandlers
from wharfd.api.handlers.swarm import swarm_routes
from wharfd.api.handlers.system import SystemHandlers
from wharfd.api.handlers.usage import UsageHandlers
from wharfd.api.handlers.volumes import VolumeHandlers
from wharfd.api.router import Route, RouteTable
from wharfd.api.versions.version import Version
from wharfd.app.buildkit import buildkit_handlers
from wharfd.app.drivers import Drivers
from wharfd.engine.build.assembly import BuildPorts, assemble_build
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
from wharfd.engine.containers.logging_choice import NO_LOG, with_log
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
from wharfd.engine.events import EventBus, EventFeed
from wharfd.engine.execs.create import CreateExec
from wharfd.engine.execs.inspect import InspectExec
from wharfd.engine.execs.registry import Execs
from wharfd.engine.execs.resize import ResizeContainer, ResizeExec
from wharfd.engine.execs.start import StartExec
from wharfd.engine.execs.users import Users
from wharfd.engine.images.assembly import assemble
from wharfd.engine.images.budget import ImageBudget
from wharfd.engine.images.exchange import assemble_exchange
from wharfd.engine.ledger import Ledger
from wharfd.engine.locks import KeyedLocks
from wharfd.engine.networks.connect import ConnectNetwork, DisconnectNetwork
from wharfd.engine.networks.create import CreateNetwork
from wharfd.engine.networks.defaults import ensure_default_networks
from wharfd.engine.networks.prune import PruneNetworks
from wharfd.engine.networks.remove import RemoveNetwork
from wharfd.engine.probes.probe import Probe
from wharfd.engine.probes.watch import HealthWatch
from wharfd.engine.reconcile import Reconcile
from wharfd.engine.system import Build, System
from wharfd.engine.tasks import Tasks
from wharfd.engine.usage import DiskUsage
from wharfd.engine.volumes.create import CreateVolume
from wharfd.engine.volumes.make import VolumeMaker
from wharfd.engine.volumes.prune import PruneVolumes
from wharfd.engine.volumes.remove import RemoveVolume
from wharfd.engine.volumes.shared import SharedListing
from wharfd.model.config import HostConfig
from wharfd.model.errors import InvalidParameter
from wharfd.model.ids import ChainId
from wharfd.model.settings import Settings
from wharfd.ports.runtime import Exit
from wharfd.sys import sdnotify
from wharfd.wire.names import new_id

log = logging.getLogger(__name__)


class Engine:
    """The use cases, and the routes that lead to them."""

    def __init__(self, settings: Settings, drivers: Drivers) -> None:
        self.settings = settings
        self.drivers = d = drivers
        self.tasks = Tasks()
        self.locks = KeyedLocks()
        self.bus = EventBus()
        self.ledger = ledger = Ledger(d.records, self.bus)
        locks, clock, tasks = self.locks, d.clock, self.tasks
        fresh_id = partial(new_id, os.urandom)
        waiters = Waiters()
        audience = Audience(ledger=ledger, tasks=tasks, waiters=waiters, streams=d.streams)
        check_log_defaults(settings, d)
        logs = Logs(ledger=ledger, waiters=waiters, drivers=d.logs)
        self.keep_logs = KeepLogs(ledger=ledger, tasks=tasks, host=d.host, runtime=d.runtime, drivers=d.logs)
        self.execs = Execs(ledger)
        self.images = assemble(
            ledger=ledger,
            locks=locks,
            clock=clock,
            content=d.content,
            spools=d.content,
            layers=d.layers,
            ingester=d.workers,
            host=d.host,
        )
        self.image_budget = ImageBudget(
            ledger=ledger,
            locks=locks,
            clock=clock,
            garbage=self.images.garbage,
            leases=self.images.leases,
            delete=self.images.delete,
            limit_bytes=settings.image_budget,
        )
        self.exchange = assemble_exchange(
            self.images,
            ledger=ledger,
            clock=clock,
            host=d.host,
            content=d.content,
            layers=d.layers,
            registry=d.registry,
            max_downloads=settings.max_concurrent_downloads,
            max_uploads=settings.max_concurrent_uploads,
            signatures=d.signatures,
        )
        name_files = NameFiles(
            ledger=ledger,
            files=d.files,
            host=d.host,
            dns=settings.dns,
            dns_search=settings.dns_search,
            dns_options=settings.dns_options,
            host_gateways=settings.host_gateway_ips,
        )
        attachment = Attachment(
            ledger=ledger,
            sandboxes=d.sandboxes,
            drivers=d.networks,
            name_servers=d.name_servers,
            new_id=fresh_id,
            upstreams=name_files.upstreams,
        )
        host_mounts = HostMounts(
            ledger=ledger,
            mounts=d.mounts,
            lower=lambda layers: d.snapshots.view([ChainId(chain_id) for chain_id in layers]).lower,
        )
        debts = Debts(
            ledger=ledger,
            runtime=d.runtime,
            attachment=attachment,
            rootfs=d.rootfs,
            volumes=d.volumes,
            host_mounts=host_mounts,
        )
        removal = Removal(
            ledger=ledger,
            locks=locks,
            clock=clock,
            debts=debts,
            rootfs=d.rootfs,
            files=d.files,
            volumes=d.volumes,
            waiters=waiters,
            logs=self.keep_logs,
        )
        self.planner = ContainerPlanner(
            ledger=ledger,
            settings=settings,
            host=d.host,
            paths=d.paths,
            rootfs=d.rootfs,
            bundle_root=d.bundle_root,
            cgroup_parent=d.cgroup_parent,
            cgroup_driver=d.cgroup_driver,
            init_path=d.init_path,
        )
        start = Start(
            ledger=ledger,
            locks=locks,
            clock=clock,
            new_id=fresh_id,
            rootfs=d.rootfs,
            volumes=d.volumes,
            attachment=attachment,
            files=name_files,
            planner=self.planner,
            runtime=d.runtime,
            debts=debts,
            removal=removal,
            host_mounts=host_mounts,
            waiters=waiters,
            logs=d.logs,
            onlookers=audience,
        )
        self.exits = Exits(
            ledger=ledger,
            locks=locks,
            tasks=tasks,
            clock=clock,
            debts=debts,
            removal=removal,
            waiters=waiters,
            start=start,
            new_id=fresh_id,
        )
        self.build = assemble_build(
            BuildPorts(
                content=d.content,
                spools=d.content,
                layers=d.layers,
                rootfs=d.rootfs,
                snapshots=d.snapshots,
                files=d.build_files,
                trees=d.trees,
                run_files=d.run_files,
                fetcher=d.fetcher,
                runtime=d.runtime,
                streams=d.streams,
                container_files=d.files,
                host=d.host,
                registry=d.registry,
            ),
            ledger=ledger,
            clock=clock,
            tasks=tasks,
            images=self.images,
            pull=self.exchange.pull,
            push=self.exchange.push,
            downloads=self.exchange.pull.downloads,
            planner=self.planner,
            name_files=name_files,
            attachment=attachment,
            new_id=fresh_id,
            shm_size=settings.default_shm_size,
        )
        signals = Signals(ledger=ledger, clock=clock, runtime=d.runtime)
        self.shutdown = Shutdown(
            ledger=ledger,
            locks=locks,
            clock=clock,
            runtime=d.runtime,
            signals=signals,
            waiters=waiters,
            exits=self.exits,
        )
        stop = Stop(ledger=ledger, locks=locks, clock=clock, signals=signals, waiters=waiters)
        kill = Kill(ledger=ledger, locks=locks, signals=signals, waiters=waiters)
        remove = Remove(ledger=ledger, locks=locks, kill=kill, removal=removal)
        self.reconcile = Reconcile(
            ledger=ledger,
            locks=locks,
            clock=clock,
            runtime=d.runtime,
            rootfs=d.rootfs,
            files=d.files,
            sandboxes=d.sandboxes,
            networks=d.networks,
            volumes=d.volumes,
            attachment=attachment,
            debts=debts,
            removal=removal,
            exits=self.exits,
        )
        self.system = System(
            settings=settings,
            build=this_build(),
            ledger=ledger,
            store=d.records,
            host=d.host,
            clock=clock,
            runtime=d.runtime,
            rootfs=d.rootfs,
            log_drivers=[name for name in d.logs if name != NO_LOG],  # Docker: it is not told of
            network_drivers=list(d.networks),
            volume_drivers=d.volumes,
        )
        self.buildkit = buildkit_handlers(self.build, system=self.system, name_files=name_files, clock=clock)
        maker = VolumeMaker(ledger=ledger, clock=clock, drivers=d.volumes, randbytes=os.urandom)
        list_containers = ListContainers(ledger=ledger, clock=d.clock, rootfs=d.rootfs, layers=d.layers)
        self.usage = DiskUsage(
            ledger=ledger,
            tasks=tasks,
            list_containers=list_containers,
            images=self.images.views,
            volumes=d.volumes,
            build_cache=self.build.usage,
        )
        self.containers = ContainerHandlers(
            create=CreateContainer(
                settings=settings,
                ledger=ledger,
                locks=locks,
                clock=clock,
                host=d.host,
                paths=d.paths,
                files=d.files,
                images=self.images.images,
                rootfs=d.rootfs,
                runtime=d.runtime,
                log_drivers=d.logs,
                volumes=maker,
                mounts=d.mounts,
                rng=random.Random(),
                randbytes=os.urandom,
            ),
            list_containers=list_containers,
            inspect=InspectContainer(
                ledger=ledger,
                files=d.files,
                rootfs=d.rootfs,
                layers=d.layers,
                exec_ids=self.execs.of,
                by_hand=removal.kept,
            ),
            rename=RenameContainer(ledger=ledger, locks=locks, clock=clock),
            top=TopContainer(ledger=ledger, clock=clock, runtime=d.runtime),
            update=UpdateContainer(ledger=ledger, locks=locks, clock=clock, host=d.host, runtime=d.runtime),
            remove=remove,
            prune=PruneContainers(ledger=ledger, clock=clock, rootfs=d.rootfs, layers=d.layers, remove=remove),
        )
        views = Views(
            ledger=ledger, locks=locks, rootfs=d.rootfs, files=d.files, volumes=d.volumes, host_mounts=host_mounts
        )
        self.files = ContainerFileHandlers(
            stat_path=StatPath(views=views, archiver=d.archiver),
            copy_out=CopyOut(views=views, archiver=d.archiver, ledger=ledger, clock=clock),
            copy_in=CopyIn(views=views, archiver=d.archiver, ledger=ledger, clock=clock, rootfs=d.rootfs),
            export=Export(views=views, archiver=d.archiver, ledger=ledger, clock=clock),
            changes=ListChanges(ledger=ledger, lister=d.archiver),
            commit=CommitContainer(
                ledger=ledger,
                locks=locks,
                clock=clock,
                host=d.host,
                runtime=d.runtime,
                lister=d.archiver,
                content=d.content,
                spools=d.content,
                unpacking=self.images.unpacking,
                publisher=self.images.publisher,
                garbage=self.images.garbage,
                leases=self.images.leases,
            ),
        )
        remove_volume = RemoveVolume(ledger=ledger, locks=locks, clock=clock, drivers=d.volumes)
        self.volumes = VolumeHandlers(
            ledger=ledger,
            shared=SharedListing(ledger=ledger, clock=clock, drivers=d.volumes),
            create=CreateVolume(ledger=ledger, locks=locks, maker=maker),
            remove=remove_volume,
            prune=PruneVolumes(ledger=ledger, clock=clock, drivers=d.volumes, remove=remove_volume),
        )
        remove_network = RemoveNetwork(ledger=ledger, locks=locks, clock=clock, drivers=d.networks)
        self.networks = NetworkHandlers(
            ledger=ledger,
            create=CreateNetwork(
                ledger=ledger,
                clock=clock,
                drivers=d.networks,
                new_id=fresh_id,
                default_options=settings.default_network_opts,
            ),
            remove=remove_network,
            prune=PruneNetworks(ledger=ledger, clock=clock, remove=remove_network),
            connect=ConnectNetwork(ledger=ledger, locks=locks, clock=clock, attachment=attachment, files=name_files),
            disconnect=DisconnectNetwork(
                ledger=ledger, locks=locks, clock=clock, attachment=attachment, files=name_files
            ),
        )
        self.stats = StatsContainer(ledger=ledger, runtime=d.runtime, sandboxes=d.sandboxes)
        self.logs = LogHandlers(logs, clock.now_ns)
        self.attach = AttachHandlers(
            attach=Attach(ledger=ledger, locks=locks, clock=clock, audience=audience, logs=logs),
            resize=ResizeContainer(ledger=ledger, streams=d.streams),
        )
        users = Users(d.rootfs)
        start_exec = StartExec(
            ledger=ledger, clock=clock, tasks=tasks, host=d.host, execs=self.execs, users=users, driver=d.streams
        )
        self.health = HealthWatch(
            ledger=ledger,
            locks=locks,
            clock=clock,
            tasks=tasks,
            probe=Probe(ledger=ledger, clock=clock, execs=self.execs, start=start_exec, new_id=fresh_id),
        )
        self.exec = ExecHandlers(
            create=CreateExec(ledger=ledger, clock=clock, execs=self.execs, users=users, new_id=fresh_id),
            start=start_exec,
            inspect=InspectExec(execs=self.execs),
            resize=ResizeExec(execs=self.execs),
        )
        self.lives = ContainerLifeHandlers(
            start=start,
            stop=stop,
            restart=Restart(
                ledger=ledger, locks=locks, clock=clock, new_id=fresh_id, stop=stop, start=start, removal=removal
            ),
            kill=kill,
            pause=Pause(ledger=ledger, locks=locks, clock=clock, runtime=d.runtime),
            unpause=Unpause(ledger=ledger, locks=locks, clock=clock, runtime=d.runtime),
            wait=Wait(ledger=ledger, waiters=waiters),
        )

    def routes(self, min_version: Version) -> RouteTable:
        """Every route, in an order that reads well in docs/status.md."""
        machine = self.drivers.host.facts().architecture
        registries = RegistryHandlers(self.exchange, machine=machine)
        found: list[Route] = [
            *SystemHandlers(self.system, min_version).routes(),
            *UsageHandlers(self.usage).routes(),
            *EventHandlers(EventFeed(self.bus, self.drivers.records, self.drivers.clock.now_ns)).routes(),
            *self.containers.routes(),
            *self.files.routes(),
            *self.lives.routes(),
            *self.attach.routes(),
            *self.exec.routes(),
            *self.logs.routes(),
            *StatsHandlers(self.stats).routes(),
            *ImageHandlers(
                self.images, driver=self.drivers.rootfs.facts().driver, machine=machine, pull=registries.pull
            ).routes(),
            *self.networks.routes(),
            *self.volumes.routes(),
            *BuildHandlers(
                builds=self.build.builds,
                classic=self.build.classic,
                prune=self.build.prune,
                over_session=self.buildkit.build,
            ).routes(),
            *self.buildkit.routes(),
            *registries.routes(),
            *plugin_routes(),
            *swarm_routes(),
        ]
        return RouteTable(found)

    async def open(self) -> None:
        """Everything is as the records say when this returns."""
        await self.ledger.open()
        await self.system.open(new_id(os.urandom))
        self.planner.open()
        await self.drivers.open(self.on_exit)
        await ensure_default_networks(self.ledger, self.drivers.networks)
        await self.reconcile()
        await self.build.open()
        await self.images.garbage.open()
        self.tasks.spawn(self.images.garbage.follow(), "image-garbage")
        if self.settings.image_budget:
            self.tasks.spawn(self.image_budget.follow(), "image-budget")
        self.health.open()
        self.keep_logs.open()

    def on_exit(self, exit_seen: Exit) -> None:
        """Of a build step, or of a container."""
        if not self.build.exits.take(exit_seen):
            self.exits.on_exit(exit_seen)

    async def end_containers(self) -> None:
        """The machine goes down."""
        log.info("the machine goes down: containers are ended")
        sdnotify.extend_timeout(self.shutdown.longest_s())
        await self.shutdown()

    async def close(self) -> None:
        self.exits.close()
        self.execs.close()
        await self.tasks.close()
        await self.drivers.close()


def check_log_defaults(settings: Settings, drivers: Drivers) -> None:
    """Raises InvalidParameter with dockerd's words."""
    try:
        with_log(HostConfig(), settings, drivers.logs)
    except InvalidParameter as e:
        raise e.prefixed("failed to set log opts: ") from e


def this_build() -> Build:
    """Of a checkout: the commit and its time."""
    commit = built = ""
    root = Path(__file__).parents[3]
    if (root / ".git").exists() and (git := shutil.which("git")):
        shown = subprocess.run(
            [git, "-C", str(root), "-c", "safe.directory=*", "show", "-s", "--format=%h %cI", "HEAD"],
            capture_output=True,
            text=True,
            check=False,
        ).stdout.split()
        commit, built = (shown[0], shown[1]) if len(shown) == 2 else ("", "")
    return Build(version=wharfd.__version__, commit=commit, built=built, python=sys.version.split()[0])
