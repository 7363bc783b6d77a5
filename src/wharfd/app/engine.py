"""The use cases of each area, built over the drivers, and the routes that lead to them; order of opening and closing."""

import logging
import os
import random
from functools import partial

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
from wharfd.app.checkout import this_build
from wharfd.app.drivers import Drivers
from wharfd.engine.build.assembly import BuildPorts, assemble_build
from wharfd.engine.containers.assembly import ContainerPorts, Placement, assemble_containers, lay_ground
from wharfd.engine.containers.logging_choice import NO_LOG, with_log
from wharfd.engine.events import EventBus, EventFeed
from wharfd.engine.execs.assembly import assemble_execs
from wharfd.engine.images.assembly import assemble
from wharfd.engine.images.budget import ImageBudget
from wharfd.engine.images.exchange import assemble_exchange
from wharfd.engine.images.web_import import ImportFromWeb
from wharfd.engine.ledger import Ledger
from wharfd.engine.locks import KeyedLocks
from wharfd.engine.networks.assembly import assemble_networks
from wharfd.engine.networks.defaults import ensure_default_networks
from wharfd.engine.probes.probe import Probe
from wharfd.engine.probes.watch import HealthWatch
from wharfd.engine.reconcile import Reconcile
from wharfd.engine.system import System
from wharfd.engine.tasks import Tasks
from wharfd.engine.usage import DiskUsage
from wharfd.engine.volumes.assembly import assemble_volumes
from wharfd.model.config import HostConfig
from wharfd.model.errors import InvalidParameter
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
        self.tasks = tasks = Tasks()
        self.locks = locks = KeyedLocks()
        self.bus = EventBus()
        self.ledger = ledger = Ledger(d.records, self.bus)
        clock = d.clock
        fresh_id = partial(new_id, os.urandom)
        check_log_defaults(settings, d)
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
        self.volumes = assemble_volumes(d.volumes, ledger=ledger, locks=locks, clock=clock, randbytes=os.urandom)
        self.execs = assemble_execs(
            ledger=ledger,
            clock=clock,
            tasks=tasks,
            host=d.host,
            rootfs=d.rootfs,
            streams=d.streams,
            new_id=fresh_id,
        )
        container_ports = container_ports_of(d)
        self.ground = ground = lay_ground(
            container_ports,
            Placement(
                bundle_root=d.bundle_root,
                cgroup_parent=d.cgroup_parent,
                cgroup_driver=d.cgroup_driver,
                init_path=d.init_path,
            ),
            settings,
            ledger=ledger,
            locks=locks,
            tasks=tasks,
            new_id=fresh_id,
        )
        self.containers = assemble_containers(
            container_ports,
            ground,
            settings,
            ledger=ledger,
            locks=locks,
            tasks=tasks,
            images=self.images,
            content=d.content,
            spools=d.content,
            volumes=self.volumes.maker,
            exec_ids=self.execs.execs.of,
            new_id=fresh_id,
            rng=random.Random(),
            randbytes=os.urandom,
        )
        self.networks = assemble_networks(
            d.networks,
            ledger=ledger,
            locks=locks,
            clock=clock,
            attachment=ground.attachment,
            name_files=ground.name_files,
            new_id=fresh_id,
            default_options=settings.default_network_opts,
        )
        self.build = assemble_build(
            build_ports_of(d),
            ledger=ledger,
            clock=clock,
            tasks=tasks,
            images=self.images,
            pull=self.exchange.pull,
            push=self.exchange.push,
            downloads=self.exchange.pull.downloads,
            planner=ground.planner,
            name_files=ground.name_files,
            attachment=ground.attachment,
            new_id=fresh_id,
            shm_size=settings.default_shm_size,
        )
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
            attachment=ground.attachment,
            debts=ground.debts,
            removal=ground.removal,
            exits=self.containers.exits,
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
        self.buildkit = buildkit_handlers(self.build, system=self.system, name_files=ground.name_files, clock=clock)
        self.usage = DiskUsage(
            ledger=ledger,
            tasks=tasks,
            list_containers=self.containers.list,
            images=self.images.views,
            volumes=d.volumes,
            build_cache=self.build.usage,
        )
        self.health = HealthWatch(
            ledger=ledger,
            locks=locks,
            clock=clock,
            tasks=tasks,
            probe=Probe(ledger=ledger, clock=clock, execs=self.execs.execs, start=self.execs.start, new_id=fresh_id),
        )

    def routes(self, min_version: Version) -> RouteTable:
        """Every route, in an order that reads well in docs/status.md."""
        machine = self.drivers.host.facts().architecture
        registries = RegistryHandlers(self.exchange, machine=machine)
        found: list[Route] = [
            *SystemHandlers(self.system, min_version).routes(),
            *UsageHandlers(self.usage).routes(),
            *EventHandlers(EventFeed(self.bus, self.drivers.records, self.drivers.clock.now_ns)).routes(),
            *self.container_routes(),
            *ImageHandlers(
                self.images,
                driver=self.drivers.rootfs.facts().driver,
                machine=machine,
                pull=registries.pull,
                import_from_web=ImportFromWeb(self.drivers.web, self.images.import_image),
            ).routes(),
            *NetworkHandlers(
                ledger=self.ledger,
                create=self.networks.create,
                remove=self.networks.remove,
                prune=self.networks.prune,
                connect=self.networks.connect,
                disconnect=self.networks.disconnect,
            ).routes(),
            *VolumeHandlers(
                ledger=self.ledger,
                shared=self.volumes.shared,
                create=self.volumes.create,
                remove=self.volumes.remove,
                prune=self.volumes.prune,
            ).routes(),
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

    def container_routes(self) -> list[Route]:
        each, execs = self.containers, self.execs
        return [
            *ContainerHandlers(
                create=each.create,
                list_containers=each.list,
                inspect=each.inspect,
                rename=each.rename,
                top=each.top,
                update=each.update,
                remove=each.remove,
                prune=each.prune,
            ).routes(),
            *ContainerFileHandlers(
                stat_path=each.stat_path,
                copy_out=each.copy_out,
                copy_in=each.copy_in,
                export=each.export,
                changes=each.changes,
                commit=each.commit,
            ).routes(),
            *ContainerLifeHandlers(
                start=each.start,
                stop=each.stop,
                restart=each.restart,
                kill=each.kill,
                pause=each.pause,
                unpause=each.unpause,
                wait=each.wait,
            ).routes(),
            *AttachHandlers(attach=each.attach, resize=execs.resize_container).routes(),
            *ExecHandlers(create=execs.create, start=execs.start, inspect=execs.inspect, resize=execs.resize).routes(),
            *LogHandlers(self.ground.logs, self.drivers.clock.now_ns).routes(),
            *StatsHandlers(each.stats).routes(),
        ]

    async def open(self) -> None:
        """Everything is as the records say when this returns."""
        await self.ledger.open()
        await self.system.open(new_id(os.urandom))
        self.ground.planner.open()
        await self.drivers.open(self.on_exit)
        await ensure_default_networks(self.ledger, self.drivers.networks)
        await self.reconcile()
        await self.build.open()
        await self.images.garbage.open()
        self.tasks.spawn(self.images.garbage.follow(), "image-garbage")
        if self.settings.image_budget:
            self.tasks.spawn(self.image_budget.follow(), "image-budget")
        self.health.open()
        self.ground.keep_logs.open()

    def on_exit(self, exit_seen: Exit) -> None:
        """Of a build step, or of a container."""
        if not self.build.exits.take(exit_seen):
            self.containers.exits.on_exit(exit_seen)

    async def end_containers(self) -> None:
        """The machine goes down."""
        log.info("the machine goes down: containers are ended")
        sdnotify.extend_timeout(self.containers.shutdown.longest_s())
        await self.containers.shutdown()

    async def close(self) -> None:
        self.containers.exits.close()
        self.execs.execs.close()
        await self.tasks.close()
        await self.drivers.close()


def container_ports_of(d: Drivers) -> ContainerPorts:
    return ContainerPorts(
        clock=d.clock,
        host=d.host,
        paths=d.paths,
        files=d.files,
        mounts=d.mounts,
        rootfs=d.rootfs,
        layers=d.layers,
        snapshots=d.snapshots,
        runtime=d.runtime,
        streams=d.streams,
        archiver=d.archiver,
        sandboxes=d.sandboxes,
        name_servers=d.name_servers,
        networks=d.networks,
        volumes=d.volumes,
        logs=d.logs,
    )


def build_ports_of(d: Drivers) -> BuildPorts:
    return BuildPorts(
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
    )


def check_log_defaults(settings: Settings, drivers: Drivers) -> None:
    """Raises InvalidParameter with dockerd's words."""
    try:
        with_log(HostConfig(), settings, drivers.logs)
    except InvalidParameter as e:
        raise e.prefixed("failed to set log opts: ") from e
