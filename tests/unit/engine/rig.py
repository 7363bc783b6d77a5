"""An engine for tests: every use case of a container's life on the machine of `wharfd.testing`.

    rig = await Rig.up(World())
    record = await rig.created(name="web")
    await rig.start(record.id)
    rig.world.runtime.exit(record.id, 3)
    await rig.settle()

An engine that dies is thrown away and another is put on the same world: `rig = await rig.reborn()`.
"""

import asyncio
import hashlib
import inspect
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import msgspec

from wharfd.engine.containers.attachment import Attachment
from wharfd.engine.containers.debts import Debts
from wharfd.engine.containers.exits import Exits
from wharfd.engine.containers.files import NameFiles
from wharfd.engine.containers.host_mounts import HostMounts
from wharfd.engine.containers.kill import Kill
from wharfd.engine.containers.pause import Pause, Unpause
from wharfd.engine.containers.removal import Removal
from wharfd.engine.containers.remove import Remove
from wharfd.engine.containers.restart import Restart
from wharfd.engine.containers.shutdown import Shutdown
from wharfd.engine.containers.signals import Signals
from wharfd.engine.containers.start import Ground, Start
from wharfd.engine.containers.stop import Stop
from wharfd.engine.containers.wait import Wait
from wharfd.engine.containers.waiters import Waiters
from wharfd.engine.events import EventBus
from wharfd.engine.happenings import container_event, volume_event
from wharfd.engine.ledger import Ledger
from wharfd.engine.locks import KeyedLocks
from wharfd.engine.reconcile import Reconcile
from wharfd.engine.tasks import Tasks
from wharfd.model.container import ContainerRecord, State
from wharfd.model.event import Event
from wharfd.model.ids import ChainId
from wharfd.model.volume import VolumeRecord
from wharfd.ports.network import NetworkDriver
from wharfd.ports.records import RecordStore
from wharfd.ports.runtime import Launch
from wharfd.ports.volumes import VolumeDriver
from wharfd.testing.builders import a_container, a_network
from wharfd.testing.faults import FaultPlan, faulty
from wharfd.testing.files import FakeFiles, FakeMounts
from wharfd.testing.world import World

BASE = ChainId("sha256:" + "b" * 64)
ids = itertools.count(1)
D = TypeVar("D")


def fresh_id() -> str:
    return hashlib.sha256(f"fresh {next(ids)}".encode()).hexdigest()


class Machine(World):
    """A world with a base layer, the default networks and containers' files."""

    def __init__(self) -> None:
        super().__init__()
        self.files = FakeFiles()
        self.mounts = FakeMounts()
        self.layers.put(BASE)

    def leftovers(self) -> dict[str, list[str]]:
        return {
            **super().leftovers(),
            "files": sorted(self.files.content),
            "volumes": sorted(self.volumes.content),
            "host_mounts": sorted(self.mounts.mounted),
        }


@dataclass
class Timer:
    delay_s: float
    action: Callable[[], None]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class Timers:
    """`call_later` of a test: nothing fires by itself."""

    waiting: list[Timer] = field(default_factory=list)

    def __call__(self, delay_s: float, action: Callable[[], None]) -> Timer:
        timer = Timer(delay_s, action)
        self.waiting.append(timer)
        return timer

    def fire(self) -> list[float]:
        """All that are due some time, now.  Returns their delays."""
        due, self.waiting = [timer for timer in self.waiting if not timer.cancelled], []
        for timer in due:
            timer.action()
        return [timer.delay_s for timer in due]


class Paced:
    """A driver whose calls take as many turns of the loop as `turns` says, before and after they are done.

    `at_once`: only after, since the port promises to keep the order of the calls.
    """

    def __init__(self, driver: object, turns: Callable[[], int], *, at_once: bool) -> None:
        self.driver = driver
        self.turns = turns
        self.at_once = at_once

    def __getattr__(self, name: str) -> object:
        value = getattr(self.driver, name)
        if not inspect.iscoroutinefunction(value):
            return value

        async def paced(*args: object, **kwargs: object) -> object:
            for _ in range(0 if self.at_once else self.turns()):
                await asyncio.sleep(0)
            result = await value(*args, **kwargs)
            for _ in range(self.turns()):
                await asyncio.sleep(0)
            return result

        return paced


class Planned:
    """A plan without an image's users, devices and mounts."""

    async def __call__(self, record: ContainerRecord, ground: Ground) -> Launch:
        return Launch(
            container_id=record.id,
            spec={"root": {"path": ground.rootfs}, "process": {"args": record.command_line}},
            bundle=f"/fake/bundles/{record.id}",
            runtime=record.host_config.runtime,
            cgroup=f"/wharfd/{record.id}",
            log_path=record.log_path,
            sandbox_key=ground.sandbox_key,
        )


class Rig:
    """`plan` watches every port; `turns`, if given, says how long each call takes (see `Paced`)."""

    def __init__(
        self,
        world: Machine,
        plan: FaultPlan | None = None,
        records: RecordStore | None = None,
        turns: Callable[[], int] | None = None,
    ) -> None:
        self.world = world
        self.plan = plan or FaultPlan()
        self.turns = turns
        self.clock = world.clock
        runtime = self.watched("runtime", world.runtime)
        rootfs = self.watched("rootfs", world.rootfs)
        files = self.watched("files", world.files)
        sandboxes = self.watched("sandboxes", world.sandboxes)
        networks: Mapping[str, NetworkDriver] = {
            name: self.watched(f"network.{name}", driver) for name, driver in world.networks.items()
        }
        volumes: Mapping[str, VolumeDriver] = {"local": self.watched("volumes", world.volumes)}
        self.bus = EventBus()
        self.ledger = Ledger(self.watched("records", records or world.records), self.bus)
        self.heard = self.bus.subscribe()
        self.locks = KeyedLocks()
        self.tasks = Tasks()
        self.timers = Timers()
        self.waiters = Waiters()
        self.attachment = Attachment(
            ledger=self.ledger,
            sandboxes=sandboxes,
            drivers=networks,
            name_servers=self.watched("name_servers", world.name_servers),
            new_id=fresh_id,
        )
        self.host_mounts = host_mounts = HostMounts(
            ledger=self.ledger,
            mounts=self.watched("mounts", world.mounts),
            lower=lambda layers: [f"/fake/layers/{each}" for each in reversed(layers)],
        )
        self.debts = Debts(
            ledger=self.ledger,
            runtime=runtime,
            attachment=self.attachment,
            rootfs=rootfs,
            volumes=volumes,
            host_mounts=host_mounts,
        )
        self.removal = Removal(
            ledger=self.ledger,
            locks=self.locks,
            clock=self.clock,
            debts=self.debts,
            rootfs=rootfs,
            files=files,
            volumes=volumes,
            waiters=self.waiters,
        )
        self.planner = Planned()
        self.start = Start(
            ledger=self.ledger,
            locks=self.locks,
            clock=self.clock,
            new_id=fresh_id,
            rootfs=rootfs,
            volumes=volumes,
            attachment=self.attachment,
            files=NameFiles(ledger=self.ledger, files=files, host=world.host),
            planner=self.planner,
            runtime=runtime,
            debts=self.debts,
            removal=self.removal,
            waiters=self.waiters,
            host_mounts=host_mounts,
        )
        self.exits = Exits(
            ledger=self.ledger,
            locks=self.locks,
            tasks=self.tasks,
            clock=self.clock,
            debts=self.debts,
            removal=self.removal,
            waiters=self.waiters,
            start=self.start,
            new_id=fresh_id,
            call_later=self.timers,
        )
        signals = Signals(ledger=self.ledger, clock=self.clock, runtime=runtime)
        self.stop = Stop(ledger=self.ledger, locks=self.locks, clock=self.clock, signals=signals, waiters=self.waiters)
        self.kill = Kill(ledger=self.ledger, locks=self.locks, signals=signals, waiters=self.waiters)
        self.pause = Pause(ledger=self.ledger, locks=self.locks, clock=self.clock, runtime=runtime)
        self.unpause = Unpause(ledger=self.ledger, locks=self.locks, clock=self.clock, runtime=runtime)
        self.restart = Restart(
            ledger=self.ledger,
            locks=self.locks,
            clock=self.clock,
            new_id=fresh_id,
            stop=self.stop,
            start=self.start,
            removal=self.removal,
        )
        self.shutdown = Shutdown(
            ledger=self.ledger,
            locks=self.locks,
            clock=self.clock,
            runtime=runtime,
            signals=signals,
            waiters=self.waiters,
            exits=self.exits,
        )
        self.remove = Remove(ledger=self.ledger, locks=self.locks, kill=self.kill, removal=self.removal)
        self.wait = Wait(ledger=self.ledger, waiters=self.waiters)
        self.reconcile = Reconcile(
            ledger=self.ledger,
            locks=self.locks,
            clock=self.clock,
            runtime=runtime,
            rootfs=rootfs,
            files=files,
            sandboxes=sandboxes,
            networks=networks,
            volumes=volumes,
            attachment=self.attachment,
            debts=self.debts,
            removal=self.removal,
            exits=self.exits,
        )
        self.runtime = runtime

    def watched(self, port: str, driver: D) -> D:
        paced = driver if self.turns is None else cast(D, Paced(driver, self.turns, at_once=port == "records"))
        return faulty(port, paced, self.plan)

    @classmethod
    async def up(
        cls,
        world: Machine,
        plan: FaultPlan | None = None,
        records: RecordStore | None = None,
        turns: Callable[[], int] | None = None,
    ) -> "Rig":
        rig = cls(world, plan, records, turns)
        await rig.open()
        return rig

    async def open(self) -> None:
        """As the composition root does."""
        await self.ledger.open()
        for name, driver in (("bridge", "bridge"), ("host", "host"), ("none", "null")):
            if self.ledger.networks.find(name) is None:
                pools = a_network().pools if driver == "bridge" else []
                await self.ledger.commit(a_network(name=name, driver=driver, pools=pools, predefined=True))
        await self.runtime.open(self.exits.on_exit)
        await self.reconcile()
        await self.settle()

    async def reborn(self, plan: FaultPlan | None = None, records: RecordStore | None = None) -> "Rig":
        """This engine dies, another one takes its place."""
        await self.die()
        return await Rig.up(self.world, plan, records)

    async def die(self) -> None:
        self.world.kill_engine()
        await self.tasks.close()

    async def settle(self) -> None:
        """Until nothing is under way."""
        await self.tasks.settle()

    async def created(self, *, volumes: list[VolumeRecord] | None = None, **over: Any) -> ContainerRecord:
        """As the create use case leaves it."""
        record = a_container(**over)
        record = msgspec.structs.replace(
            record, state=State.CREATED, rootfs=await self.world.rootfs.prepare(record.id, [BASE])
        )
        made = [await self.world.volumes.create(volume) for volume in volumes or []]
        events = [volume_event(volume, "create", self.clock.now_ns()) for volume in made]
        events.append(container_event(record, "create", self.clock.now_ns()))
        await self.ledger.commit(*made, record, events=events, durable=True)
        return record

    async def running(self, **over: Any) -> ContainerRecord:
        record = await self.created(**over)
        await self.start(record.id)
        return self.now(record)

    def now(self, record: ContainerRecord) -> ContainerRecord:
        current = self.ledger.containers.get(record.id)
        assert current is not None, "the container is gone"
        return current

    def state(self, record: ContainerRecord) -> State | None:
        """None: it is gone."""
        current = self.ledger.containers.get(record.id)
        return current.state if current else None

    def events(self, of: str = "") -> list[Event]:
        """Those heard since the last call; `of` one actor or container only."""
        heard = list(self.heard.queue)
        self.heard.queue.clear()
        return [event for event in heard if of in ("", event.actor_id, event.attributes.get("container"))]

    def told(self, record: ContainerRecord) -> list[str]:
        """What was said of it since the last call: container actions as they are, others with their type."""
        return [
            event.action if event.type == "container" else f"{event.type} {event.action}"
            for event in self.events(record.id)
        ]
