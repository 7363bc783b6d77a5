"""What the engine says of itself and of its host: the facts behind `/version` and `/info`.

Every value is read from the host, the drivers or the records; what this engine has not is said as an engine without it says it.
"""

import asyncio
from collections.abc import Iterable, Sequence

import msgspec

from wharfd.engine.ledger import Ledger
from wharfd.model.container import State
from wharfd.model.settings import Settings
from wharfd.ports.clock import Clock
from wharfd.ports.host import Host, HostFacts
from wharfd.ports.records import RecordStore
from wharfd.ports.runtime import RuntimeDriver, RuntimeInfo
from wharfd.ports.storage import RootfsStore, StorageFacts


class Build(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of this build of the engine."""

    version: str
    commit: str
    built: str
    python: str


class SystemFacts(msgspec.Struct, frozen=True, kw_only=True):
    engine_id: str
    build: Build
    host: HostFacts
    settings: Settings
    storage: StorageFacts
    runtimes: list[RuntimeInfo]
    monitor_version: str
    init_version: str
    running: int
    paused: int
    stopped: int
    images: int
    open_files: int
    tasks: int
    event_listeners: int
    log_drivers: list[str]
    network_drivers: list[str]
    volume_drivers: list[str]
    now_ns: int
    warnings: list[str]
    cdi_devices: list[str]


class System:
    def __init__(
        self,
        *,
        settings: Settings,
        build: Build,
        ledger: Ledger,
        store: RecordStore,
        host: Host,
        clock: Clock,
        runtime: RuntimeDriver,
        rootfs: RootfsStore,
        log_drivers: Sequence[str],
        network_drivers: Sequence[str],
        volume_drivers: Iterable[str],
    ) -> None:
        self.settings = settings
        self.build = build
        self.ledger = ledger
        self.store = store
        self.host = host
        self.clock = clock
        self.runtime = runtime
        self.rootfs = rootfs
        self.log_drivers = sorted(log_drivers)
        self.network_drivers = sorted(network_drivers)
        self.volume_drivers = volume_drivers  # plugins come and go
        self.engine_id = ""

    async def open(self, fresh_id: str) -> None:
        """Take up the engine's id, or keep `fresh_id` as it for ever."""
        self.engine_id = await self.store.get_meta("engine_id") or ""
        if not self.engine_id:
            await self.store.put_meta("engine_id", fresh_id)
            self.engine_id = fresh_id

    async def facts(self) -> SystemFacts:
        runtimes = list(await self.runtime.infos())
        states = [c.state for c in self.ledger.containers if c.state is not State.CREATING]
        running = sum(s in (State.RUNNING, State.RESTARTING) for s in states)
        paused = states.count(State.PAUSED)
        host = self.host.facts()
        return SystemFacts(
            engine_id=self.engine_id,
            build=self.build,
            host=host,
            settings=self.settings,
            storage=self.rootfs.facts(),
            runtimes=runtimes,
            monitor_version=await self.runtime.monitor_version(),
            init_version=await self.runtime.init_version(),
            running=running,
            paused=paused,
            stopped=len(states) - running - paused,
            images=len(self.ledger.images),
            open_files=self.host.open_files(),
            tasks=len(asyncio.all_tasks()),
            event_listeners=len(self.ledger.bus.subscriptions),
            log_drivers=self.log_drivers,
            network_drivers=self.network_drivers,
            volume_drivers=sorted(self.volume_drivers),
            now_ns=self.clock.now_ns(),
            warnings=warnings(host),
            cdi_devices=[f"{spec.kind}={name}" for spec in self.host.cdi_specs() for name in spec.devices],
        )


def warnings(host: HostFacts) -> list[str]:
    """dockerd's texts for what the kernel does not offer (docker info prints them)."""
    rows = [
        (host.memory_limit, "WARNING: No memory limit support"),
        (host.swap_limit, "WARNING: No swap limit support"),
        (host.cpu_cfs_quota, "WARNING: No cpu cfs quota support"),
        (host.cpu_cfs_period, "WARNING: No cpu cfs period support"),
        (host.cpu_shares, "WARNING: No cpu shares support"),
        (host.cpuset, "WARNING: No cpuset support"),
        (host.ipv4_forwarding, "WARNING: IPv4 forwarding is disabled"),
    ]
    if host.cgroup_version == 1:
        rows.append((host.oom_kill_disable, "WARNING: No oom kill disable support"))
    return [text for there, text in rows if not there]
