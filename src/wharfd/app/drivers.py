"""One driver per port: the only place that knows which driver stands behind which port."""

import logging
import os
import shutil
from collections.abc import Callable, Mapping
from typing import Any

from wharfd.app.failure import StartFailure
from wharfd.drivers.clock import SystemClock
from wharfd.drivers.content.blobs import BlobStore
from wharfd.drivers.fetch.fetcher import LocalFetcher
from wharfd.drivers.fetch.web import LocalWebStreams
from wharfd.drivers.files.directory import FileDirectory
from wharfd.drivers.files.mounts import MountDirectory
from wharfd.drivers.host import LocalHost, ensure_apparmor_profile
from wharfd.drivers.logs.kinds import log_drivers
from wharfd.drivers.network.bridge.defaults import BridgeDefaults
from wharfd.drivers.network.bridge.driver import BridgeNetwork
from wharfd.drivers.network.dns.server import NameServers
from wharfd.drivers.network.host import HostNetwork, NullNetwork
from wharfd.drivers.network.ipam import Ipam
from wharfd.drivers.network.macvlan.driver import WireNetwork
from wharfd.drivers.network.sandbox import SandboxFiles
from wharfd.drivers.paths.local import LocalPaths
from wharfd.drivers.records.sqlite.store import SqliteRecords
from wharfd.drivers.registry.driver import HttpRegistry
from wharfd.drivers.runfiles.local import LocalRunFiles
from wharfd.drivers.runtime.driver import ConmonRuntime, find_init
from wharfd.drivers.runtime.streams import ConmonStreams
from wharfd.drivers.signatures.local import LocalSignatures
from wharfd.drivers.storage.overlay.layers import OverlayLayers
from wharfd.drivers.storage.overlay.layout import Layout
from wharfd.drivers.storage.overlay.rootfs import OverlayRootfs
from wharfd.drivers.storage.overlay.snapshots import OverlaySnapshots
from wharfd.drivers.trees.local import LocalTrees
from wharfd.drivers.volumes.kinds import VolumeDrivers
from wharfd.drivers.volumes.local.driver import LocalVolumes
from wharfd.drivers.workers.archives import WorkerArchiver
from wharfd.drivers.workers.buildfiles import WorkerBuildFiles
from wharfd.drivers.workers.pool import WorkerPool
from wharfd.model.ids import NetworkId
from wharfd.model.settings import Settings
from wharfd.ports.logs import LogDriver
from wharfd.ports.network import NetworkDriver
from wharfd.ports.volumes import VolumeDriver
from wharfd.sys.blocking import Pool

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
                cdi_directories=settings.cdi_spec_dirs,
            ),
        )
        self.paths = wrap("paths", LocalPaths())
        self.records = wrap("records", SqliteRecords(f"{data}/records.db", keep_events=settings.event_limit))
        self.registry = wrap("registry", HttpRegistry(settings, self.network_pool))
        self.signatures = wrap("signatures", LocalSignatures(settings.signature_policy))
        self.content = wrap("content", BlobStore(f"{data}/content", self.storage_pool))
        self.layers = wrap("layers", layers)
        rootfs = OverlayRootfs(layout, layers, self.storage_pool)
        self.rootfs = wrap("rootfs", rootfs)
        self.snapshots = wrap("snapshots", OverlaySnapshots(layout, layers, rootfs, self.storage_pool))
        self.build_files = wrap("build-files", WorkerBuildFiles(self.workers))
        self.trees = wrap("trees", LocalTrees(f"{data}/build/trees", self.storage_pool, self.workers))
        self.fetcher = wrap("fetcher", LocalFetcher(self.workers))
        self.web = wrap("web", LocalWebStreams(self.workers))
        self.run_files = wrap(
            "run-files",
            LocalRunFiles(
                run_root=f"{run}/build", data_root=f"{data}/build/mounts", pool=self.storage_pool, remover=self.workers
            ),
        )
        self.archiver = wrap("archiver", WorkerArchiver(self.workers))
        self.files = wrap("files", FileDirectory(f"{data}/containers", self.storage_pool))
        self.mounts = wrap("mounts", MountDirectory(f"{data}/containers", self.storage_pool))
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
        defaults = bridge_defaults(settings)
        ipam = Ipam(defaults.subnets())
        parents: dict[str, set[NetworkId]] = {}
        bridge = BridgeNetwork(pool=self.network_pool, clock=self.clock, defaults=defaults, ipam=ipam)
        self.networks: Mapping[str, NetworkDriver] = {
            "bridge": wrap("bridge", bridge),
            **{
                kind: wrap(
                    kind, WireNetwork(kind, pool=self.network_pool, ipam=ipam, owner=defaults.table, users=parents)
                )
                for kind in ("macvlan", "ipvlan")
            },
            "host": wrap("host-network", HostNetwork(self.clock)),
            "null": wrap("null-network", NullNetwork(self.clock)),
        }
        self.name_servers = wrap("name-servers", NameServers(self.network_pool))
        self.plugin_pool = Pool("plugins", 4)
        self.volumes: Mapping[str, VolumeDriver] = VolumeDrivers(
            {"local": wrap("volumes", LocalVolumes(f"{data}/volumes", self.storage_pool))},
            self.plugin_pool,
            settings.plugin_dirs,
        )
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
        await self.registry.close()
        await self.runtime.close()
        await self.name_servers.close()
        for network in self.networks.values():
            await network.close()
        await self.sandboxes.close()
        await self.workers.close()
        await self.records.close()
        self.network_pool.close()
        self.plugin_pool.close()
        self.storage_pool.close()


def bridge_defaults(settings: Settings) -> BridgeDefaults:
    return BridgeDefaults(
        bridge=settings.bridge,
        table="wharfd" if settings.bridge == "wharf0" else f"wharfd_{settings.bridge}",
        bip=settings.bip,
        bip6=settings.bip6,
        fixed_cidr=settings.fixed_cidr,
        fixed_cidr_v6=settings.fixed_cidr_v6,
        ipv6=settings.ipv6,
        mtu=settings.mtu,
        ip_masq=settings.ip_masq,
        icc=settings.icc,
        host_binding=settings.ip,
        obey_input=settings.published_ports == "input",
        areas=[(area.base, area.size) for area in settings.default_address_pools],
    )


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
