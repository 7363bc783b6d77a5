"""Composition root: builds drivers, use cases and server from the settings; order of start and stop.

Start: lock the data root, open the store, look what is really there (reconcile), listen.  Stop: stop listening, let answers end, leave the
containers running.  Only this module knows which driver stands behind which port.
"""

import asyncio
import contextlib
import grp
import logging
import os
import random
import shutil
import signal
import subprocess  # noqa: TID251 - asked once for the commit of a checkout, before the loop runs
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import uvloop

import wharfd
from wharfd.api.errors import error_response
from wharfd.api.handlers.attach import AttachHandlers
from wharfd.api.handlers.build import build_routes
from wharfd.api.handlers.container_files import ContainerFileHandlers
from wharfd.api.handlers.container_life import ContainerLifeHandlers
from wharfd.api.handlers.containers import ContainerHandlers
from wharfd.api.handlers.events import EventHandlers
from wharfd.api.handlers.exec import ExecHandlers
from wharfd.api.handlers.images import ImageHandlers
from wharfd.api.handlers.logs import LogHandlers
from wharfd.api.handlers.networks import NetworkHandlers
from wharfd.api.handlers.plugins import plugin_routes
from wharfd.api.handlers.registry import registry_routes
from wharfd.api.handlers.stats import StatsHandlers
from wharfd.api.handlers.swarm import swarm_routes
from wharfd.api.handlers.system import SystemHandlers
from wharfd.api.handlers.usage import UsageHandlers
from wharfd.api.handlers.volumes import VolumeHandlers
from wharfd.api.router import Route, Router, RouteTable
from wharfd.api.transport import Server
from wharfd.api.versions.version import MAX, MIN, Version
from wharfd.drivers.clock import SystemClock
from wharfd.drivers.content.blobs import BlobStore
from wharfd.drivers.files.directory import FileDirectory
from wharfd.drivers.host import LocalHost, ensure_apparmor_profile
from wharfd.drivers.logs.kinds import log_drivers
from wharfd.drivers.network.bridge.driver import BridgeNetwork
from wharfd.drivers.network.dns.server import NameServers
from wharfd.drivers.network.host import HostNetwork, NullNetwork
from wharfd.drivers.network.sandbox import SandboxFiles
from wharfd.drivers.paths.local import LocalPaths
from wharfd.drivers.records.sqlite.store import SqliteRecords
from wharfd.drivers.runtime.driver import ConmonRuntime, find_init
from wharfd.drivers.runtime.streams import ConmonStreams
from wharfd.drivers.storage.overlay.layers import OverlayLayers
from wharfd.drivers.storage.overlay.layout import Layout
from wharfd.drivers.storage.overlay.rootfs import OverlayRootfs
from wharfd.drivers.volumes.local.driver import LocalVolumes
from wharfd.drivers.workers.archives import WorkerArchiver
from wharfd.drivers.workers.pool import WorkerPool
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
from wharfd.engine.containers.inspect import InspectContainer
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
from wharfd.engine.events import EventBus, EventFeed
from wharfd.engine.execs.create import CreateExec
from wharfd.engine.execs.inspect import InspectExec
from wharfd.engine.execs.registry import Execs
from wharfd.engine.execs.resize import ResizeContainer, ResizeExec
from wharfd.engine.execs.start import StartExec
from wharfd.engine.execs.users import Users
from wharfd.engine.images.assembly import assemble
from wharfd.engine.ledger import Ledger
from wharfd.engine.locks import KeyedLocks
from wharfd.engine.networks.connect import ConnectNetwork, DisconnectNetwork
from wharfd.engine.networks.create import CreateNetwork
from wharfd.engine.networks.defaults import ensure_default_networks
from wharfd.engine.networks.prune import PruneNetworks
from wharfd.engine.networks.remove import RemoveNetwork
from wharfd.engine.reconcile import Reconcile
from wharfd.engine.system import Build, System
from wharfd.engine.tasks import Tasks
from wharfd.engine.usage import DiskUsage
from wharfd.engine.volumes.create import CreateVolume
from wharfd.engine.volumes.make import VolumeMaker
from wharfd.engine.volumes.prune import PruneVolumes
from wharfd.engine.volumes.remove import RemoveVolume
from wharfd.model.errors import EngineError
from wharfd.model.settings import Settings
from wharfd.ports.logs import LogDriver
from wharfd.ports.network import NetworkDriver
from wharfd.ports.volumes import VolumeDriver
from wharfd.sys import sdnotify
from wharfd.sys.blocking import Pool
from wharfd.sys.lockfile import AlreadyLocked, LockFile, NetworkLock
from wharfd.sys.spawn import set_child_subreaper
from wharfd.sys.systemd import is_machine_stopping
from wharfd.wire.names import new_id

log = logging.getLogger(__name__)

Wrap = Callable[[str, Any], Any]
"""Given a port's name and its driver; returns what takes the driver's place (tests inject faults)."""


def as_it_is(_name: str, driver: Any) -> Any:
    return driver


class Drivers:
    """One driver per port."""

    def __init__(self, settings: Settings, wrap: Wrap = as_it_is) -> None:
        data, run = settings.data_root, settings.exec_root
        self.bundle_root = f"{run}/bundles"
        self.storage_pool = Pool("storage", 4)
        self.network_pool = Pool("network", 4)
        self.workers = WorkerPool()
        layout = Layout(f"{data}/overlay2")
        layers = OverlayLayers(layout, self.storage_pool, self.workers)
        self.clock = wrap("clock", SystemClock())
        self.host = wrap(
            "host",
            LocalHost(
                cgroup_driver=settings.cgroup_driver,
                seccomp_profile=settings.seccomp_profile,
                apparmor_profile=ensure_apparmor_profile(),
            ),
        )
        self.paths = wrap("paths", LocalPaths())
        self.records = wrap("records", SqliteRecords(f"{data}/records.db", keep_events=settings.event_limit))
        self.content = wrap("content", BlobStore(f"{data}/content", self.storage_pool))
        self.layers = wrap("layers", layers)
        self.rootfs = wrap("rootfs", OverlayRootfs(layout, layers, self.storage_pool))
        self.archiver = wrap("archiver", WorkerArchiver(self.workers))
        self.files = wrap("files", FileDirectory(f"{data}/containers", self.storage_pool))
        self.cgroup_driver = self.host.facts().cgroup_driver
        self.cgroup_parent = settings.cgroup_parent or (
            "system.slice" if self.cgroup_driver == "systemd" else "/wharfd"
        )
        self.init_path = settings.init_path or find_init()
        conmon = ConmonRuntime(
            exec_root=f"{run}/runtime",
            runtimes=find_runtimes(settings),
            monitor_path=shutil.which("conmon") or "/usr/bin/conmon",
            init_path=self.init_path,
            cgroup_driver=self.cgroup_driver,
            cgroup_parent=self.cgroup_parent,
        )
        self.runtime = wrap("runtime", conmon)
        self.streams = wrap("streams", ConmonStreams(conmon, f"{run}/runtime"))
        self.sandboxes = wrap("sandboxes", SandboxFiles(f"{run}/netns", self.network_pool))
        bridge = BridgeNetwork(
            pool=self.network_pool,
            clock=self.clock,
            bridge=settings.bridge,
            bip=settings.bip,
            mtu=settings.mtu,
            table="wharfd" if settings.bridge == "wharf0" else f"wharfd_{settings.bridge}",
            ip_masq=settings.ip_masq,
            icc=settings.icc,
        )
        self.networks: Mapping[str, NetworkDriver] = {
            "bridge": wrap("bridge", bridge),
            "host": wrap("host-network", HostNetwork(self.clock)),
            "null": wrap("null-network", NullNetwork(self.clock)),
        }
        self.name_servers = wrap("name-servers", NameServers(self.network_pool))
        self.volumes: Mapping[str, VolumeDriver] = {
            "local": wrap("volumes", LocalVolumes(f"{data}/volumes", self.storage_pool))
        }
        self.logs: Mapping[str, LogDriver] = {
            name: wrap("logs", driver) for name, driver in log_drivers(self.storage_pool).items()
        }

    async def open(self, on_exit: Callable[[Any], None]) -> None:
        """All but the network drivers, which reconcile opens."""
        os.makedirs(self.bundle_root, mode=0o711, exist_ok=True)
        await self.content.open()
        await self.rootfs.open()
        await self.files.open()
        await self.sandboxes.open()
        for volumes in self.volumes.values():
            await volumes.open()
        await self.runtime.open(on_exit)

    async def close(self) -> None:
        self.streams.close()
        await self.runtime.close()
        await self.name_servers.close()
        for network in self.networks.values():
            await network.close()
        await self.sandboxes.close()
        await self.workers.close()
        await self.records.close()
        self.network_pool.close()
        self.storage_pool.close()


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
        logs = Logs(ledger=ledger, waiters=waiters, drivers=d.logs)
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
        name_files = NameFiles(
            ledger=ledger,
            files=d.files,
            host=d.host,
            dns=settings.dns,
            dns_search=settings.dns_search,
            dns_options=settings.dns_options,
        )
        attachment = Attachment(
            ledger=ledger,
            sandboxes=d.sandboxes,
            drivers=d.networks,
            name_servers=d.name_servers,
            new_id=fresh_id,
            upstreams=name_files.upstreams,
        )
        debts = Debts(ledger=ledger, runtime=d.runtime, attachment=attachment, rootfs=d.rootfs, volumes=d.volumes)
        removal = Removal(
            ledger=ledger,
            locks=locks,
            clock=clock,
            debts=debts,
            rootfs=d.rootfs,
            files=d.files,
            volumes=d.volumes,
            waiters=waiters,
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
            log_drivers=list(d.logs),
            network_drivers=list(d.networks),
        )
        maker = VolumeMaker(ledger=ledger, clock=clock, drivers=d.volumes, randbytes=os.urandom)
        list_containers = ListContainers(ledger=ledger, clock=d.clock, rootfs=d.rootfs, layers=d.layers)
        self.usage = DiskUsage(
            ledger=ledger,
            tasks=tasks,
            list_containers=list_containers,
            images=self.images.views,
            volumes=d.volumes,
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
                rng=random.Random(),
                randbytes=os.urandom,
            ),
            list_containers=list_containers,
            inspect=InspectContainer(
                ledger=ledger, files=d.files, rootfs=d.rootfs, layers=d.layers, exec_ids=self.execs.of
            ),
            rename=RenameContainer(ledger=ledger, locks=locks, clock=clock),
            top=TopContainer(ledger=ledger, clock=clock, runtime=d.runtime),
            update=UpdateContainer(ledger=ledger, locks=locks, clock=clock, host=d.host, runtime=d.runtime),
            remove=remove,
            prune=PruneContainers(ledger=ledger, clock=clock, rootfs=d.rootfs, layers=d.layers, remove=remove),
        )
        views = Views(ledger=ledger, locks=locks, rootfs=d.rootfs, files=d.files, volumes=d.volumes)
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
            create=CreateVolume(ledger=ledger, locks=locks, maker=maker),
            remove=remove_volume,
            prune=PruneVolumes(ledger=ledger, clock=clock, drivers=d.volumes, remove=remove_volume),
        )
        remove_network = RemoveNetwork(ledger=ledger, locks=locks, clock=clock, drivers=d.networks)
        self.networks = NetworkHandlers(
            ledger=ledger,
            create=CreateNetwork(ledger=ledger, clock=clock, drivers=d.networks, new_id=fresh_id),
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
        self.exec = ExecHandlers(
            create=CreateExec(ledger=ledger, clock=clock, execs=self.execs, users=users, new_id=fresh_id),
            start=StartExec(
                ledger=ledger,
                clock=clock,
                tasks=tasks,
                host=d.host,
                execs=self.execs,
                users=users,
                driver=d.streams,
            ),
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
                self.images, driver=self.drivers.rootfs.facts().driver, machine=self.drivers.host.facts().architecture
            ).routes(),
            *self.networks.routes(),
            *self.volumes.routes(),
            *build_routes(),
            *registry_routes(),
            *plugin_routes(),
            *swarm_routes(),
        ]
        return RouteTable(found)

    async def open(self) -> None:
        """Everything is as the records say when this returns."""
        await self.ledger.open()
        await self.system.open(new_id(os.urandom))
        self.planner.open()
        await self.drivers.open(self.exits.on_exit)
        await ensure_default_networks(self.ledger, self.drivers.networks, self.settings)
        await self.reconcile()
        await self.images.garbage.open()
        self.tasks.spawn(self.images.garbage.follow(), "image-garbage")

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


@dataclass(frozen=True)
class StartFailure(Exception):
    """Why the engine cannot run; for the user."""

    words: str

    def __str__(self) -> str:
        return self.words


def run(settings: Settings, wrap: Wrap = as_it_is) -> int:
    """Run until SIGTERM or SIGINT.  Returns the exit code."""
    try:
        locks = lock(settings)
    except (StartFailure, OSError) as e:
        print(f"wharfd: {e}", file=sys.stderr)  # noqa: T201 - before there is a log worth reading
        return 1
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(serve(settings, wrap))
    finally:
        for held in reversed(locks):
            held.release()


def lock(settings: Settings) -> list[LockFile | NetworkLock]:
    """One engine per data root, exec root, pid file and bridge."""
    os.makedirs(settings.data_root, mode=0o711, exist_ok=True)
    os.makedirs(settings.exec_root, mode=0o711, exist_ok=True)
    held: list[LockFile | NetworkLock] = []
    try:
        for path in (f"{settings.data_root}/lock", f"{settings.exec_root}/lock", settings.pidfile):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            held.append(LockFile.acquire(path))
        held.append(bridge_lock(settings.bridge))
    except (AlreadyLocked, StartFailure) as e:
        for taken in held:
            taken.release()
        if isinstance(e, AlreadyLocked):
            raise StartFailure(f"another engine runs here: {e}") from e
        raise
    return held


def bridge_lock(bridge: str) -> NetworkLock:
    """Raises StartFailure."""
    try:
        return NetworkLock(f"wharfd/bridge/{bridge}")
    except AlreadyLocked as e:
        raise StartFailure(f"another engine uses the bridge {bridge}: give this one its own by --bridge") from e


async def serve(settings: Settings, wrap: Wrap) -> int:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    loop.add_signal_handler(signal.SIGHUP, lambda: log.info("SIGHUP: no setting can be changed while running"))
    set_child_subreaper()
    try:
        min_version = oldest_version(settings)
        engine = Engine(settings, Drivers(settings, wrap))
    except (EngineError, StartFailure, OSError) as e:
        log.error("the engine cannot start: %s", e)
        return 1
    router = Router(engine.routes(min_version), min_version=min_version)
    server = Server(router, error_response=error_response, default_headers=partial(default_headers, settings))
    try:
        await engine.open()
        await listen(server, settings)
    except Exception as e:
        # Whatever it is: threads that are not told to end would keep a process that serves nobody.
        is_expected = isinstance(e, EngineError | StartFailure | OSError)
        log.error("the engine cannot start: %s", e, exc_info=None if is_expected else e)
        await server.shutdown(0)
        await engine.close()
        return 1
    log.info("version=%s api=%s hosts=%s ready", wharfd.__version__, MAX, ",".join(settings.hosts))
    sdnotify.ready()
    await stopping.wait()
    sdnotify.stopping()
    log.info("stopping")
    await server.shutdown(settings.shutdown_timeout_s)
    if await is_machine_stopping():
        await engine.end_containers()
    await engine.close()
    return 0


def oldest_version(settings: Settings) -> Version:
    """Raises StartFailure."""
    try:
        version = Version.parse(settings.min_api_version)
    except ValueError as e:
        raise StartFailure(f"min-api-version: {e}") from e
    if not MIN <= version <= MAX:
        raise StartFailure(f"min-api-version {version} is not within {MIN} and {MAX}")
    return version


def default_headers(settings: Settings) -> Sequence[tuple[str, str]]:
    return [
        ("Api-Version", str(MAX)),
        ("Docker-Experimental", "true" if settings.experimental else "false"),
        ("Ostype", "linux"),
        ("Server", f"wharfd/{wharfd.__version__} (linux)"),
    ]


async def listen(server: Server, settings: Settings) -> None:
    for host in settings.hosts:
        scheme, _, address = host.partition("://")
        if scheme == "fd":
            inherited = sdnotify.listen_fds()
            if not inherited:
                raise StartFailure("fd:// was asked for, but no socket was handed over (systemd socket activation)")
            for one in inherited:
                await server.serve_fd(one.fd)
        else:
            os.makedirs(os.path.dirname(address), exist_ok=True)
            await server.serve_unix(address, 0o660, group_id(settings.group))


def group_id(name: str) -> int:
    """Docker: a group that does not exist leaves the socket to root, with a warning."""
    if name.isdecimal():
        return int(name)
    with contextlib.suppress(KeyError):
        return grp.getgrnam(name).gr_gid
    log.warning("group=%s does not exist; the socket belongs to root's group", name)
    return 0


def find_runtimes(settings: Settings) -> dict[str, str]:
    """crun and runc where they are installed, and those of the settings."""
    known = {name: path for name in ("crun", "runc") if (path := shutil.which(name))}
    known |= settings.runtimes
    if settings.default_runtime not in known:
        raise StartFailure(
            f"the OCI runtime {settings.default_runtime} is not installed; on Debian: apt-get install {settings.default_runtime}"
        )
    if shutil.which("conmon") is None:
        raise StartFailure("conmon is not installed; on Debian: apt-get install conmon")
    return known


def this_build() -> Build:
    """Of a checkout: the commit and its time."""
    commit = built = ""
    root = Path(__file__).parent.parent.parent
    if (root / ".git").exists() and (git := shutil.which("git")):
        shown = subprocess.run(
            [git, "-C", str(root), "-c", "safe.directory=*", "show", "-s", "--format=%h %cI", "HEAD"],
            capture_output=True,
            text=True,
            check=False,
        ).stdout.split()
        commit, built = (shown[0], shown[1]) if len(shown) == 2 else ("", "")
    return Build(version=wharfd.__version__, commit=commit, built=built, python=sys.version.split()[0])
