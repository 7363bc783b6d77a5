"""The engine's memory: current records of every kind, written through to the record store, with the events that tell of each change.

A change is one call: records and events go into one transaction, then take their place in memory, then the events are published.
Readers see the old record or the new one.  Nothing else writes records.

Memory ends as the store does, and listeners hear events by rising numbers, also where a change that was asked for later is shown
earlier (`post` beside a `commit` that waits for the disk).
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence

import msgspec

from wharfd.engine.events import EventBus
from wharfd.engine.index import Index
from wharfd.model.build import BuildRecord, CacheRecord, LayerBlob
from wharfd.model.container import ContainerRecord, State
from wharfd.model.errors import ContainerNotFound, EngineError, NetworkNotFound, VolumeNotFound
from wharfd.model.event import Event
from wharfd.model.image import ImageRecord
from wharfd.model.network import NetworkRecord
from wharfd.model.volume import VolumeRecord
from wharfd.ports.records import Deletion, Record, RecordStore

log = logging.getLogger(__name__)

Key = tuple[str, str]


class Entry:
    """One change on its way: which one it is, what it tells, and whether that may be told now."""

    __slots__ = ("events", "is_settled", "number")

    def __init__(self, number: int, events: Sequence[Event]) -> None:
        self.number = number
        self.events = events
        self.is_settled = False


class Ledger:
    def __init__(self, store: RecordStore, bus: EventBus) -> None:
        self.store = store
        self.bus = bus
        self.containers: Index[ContainerRecord] = Index()
        self.networks: Index[NetworkRecord] = Index()
        self.images: dict[str, ImageRecord] = {}
        self.volumes: dict[str, VolumeRecord] = {}
        self.build_cache: dict[str, CacheRecord] = {}
        self.build_layers: dict[str, LayerBlob] = {}
        self.builds: dict[str, BuildRecord] = {}
        self.last_seq = 0
        self.entries = 0
        self.untold: deque[Entry] = deque()
        self.shown: dict[Key, int] = {}  # while entries wait: the number of the entry that each key shows

    async def open(self) -> None:
        snapshot = await self.store.open()
        for container in snapshot.containers:
            self.containers.put(container)
        for network in snapshot.networks:
            self.networks.put(network)
        self.images = {image.id: image for image in snapshot.images}
        self.volumes = {volume.name: volume for volume in snapshot.volumes}
        self.build_cache = {each.id: each for each in snapshot.build_cache}
        self.build_layers = {each.id: each for each in snapshot.build_layers}
        self.builds = {each.id: each for each in snapshot.builds}
        self.last_seq = snapshot.last_event_seq

    async def commit(self, *changes: Record | Deletion, events: Sequence[Event] = (), durable: bool = False) -> None:
        """Write, then show, then publish.  With `durable` the change survives a power cut when this returns.

        A caller that is cancelled meanwhile learns so when the change is done.  On an error nothing has changed.
        """
        entry = self.enter(events)
        try:
            await self.store.commit(changes, entry.events, durable=durable)
        except asyncio.CancelledError:
            self.settle(entry, changes)
            raise
        except BaseException:
            entry.events = ()
            self.settle(entry, ())
            raise
        self.settle(entry, changes)

    def post(self, *changes: Record | Deletion, events: Sequence[Event] = ()) -> None:
        """The same, shown at once and written soon after, in order.

        Only for changes that reconcile would find out by itself after a crash.
        """
        entry = self.enter(events)
        self.store.post(changes, entry.events)
        self.settle(entry, changes)

    def remember(self, *changes: Record) -> None:
        """Shown at once, and written with the next change of the same record: for what a crash may take away."""
        self.settle(self.enter(()), changes)

    async def commit_or_post(self, *changes: Record | Deletion, events: Sequence[Event] = ()) -> None:
        """As `commit`; where that fails (a full disk), as `post`: for what has happened, whether it can be written or not."""
        try:
            await self.commit(*changes, events=events)
        except EngineError as error:
            log.error(
                "records=%s shown but not written: error=%s",
                ",".join(":".join(key_of(each)) for each in changes),
                error,
            )
            self.post(*changes, events=events)

    def enter(self, events: Sequence[Event]) -> Entry:
        self.entries += 1
        entry = Entry(self.entries, self.number(events))
        self.untold.append(entry)
        return entry

    def settle(self, entry: Entry, changes: Sequence[Record | Deletion]) -> None:
        """Show what no later entry has shown; tell everything that no earlier entry holds up."""
        entry.is_settled = True
        if len(self.untold) == 1:
            self.show(changes)
        else:
            for change in changes:
                key = key_of(change)
                if self.shown.get(key, 0) < entry.number:
                    self.shown[key] = entry.number
                    self.show([change])
        while self.untold and self.untold[0].is_settled:
            for event in self.untold.popleft().events:
                self.bus.publish(event)
        if not self.untold:
            self.shown.clear()

    def number(self, events: Sequence[Event]) -> list[Event]:
        numbered = []
        for event in events:
            self.last_seq += 1
            numbered.append(msgspec.structs.replace(event, seq=self.last_seq))
        return numbered

    def show(self, changes: Sequence[Record | Deletion]) -> None:
        for change in changes:
            match change:
                case ContainerRecord():
                    self.containers.put(change)
                case NetworkRecord():
                    self.networks.put(change)
                case ImageRecord():
                    self.images[change.id] = change
                case VolumeRecord():
                    self.volumes[change.name] = change
                case CacheRecord():
                    self.build_cache[change.id] = change
                case LayerBlob():
                    self.build_layers[change.id] = change
                case BuildRecord():
                    self.builds[change.id] = change
                case Deletion(kind="container"):
                    self.containers.remove(change.id)
                case Deletion(kind="network"):
                    self.networks.remove(change.id)
                case Deletion(kind="image"):
                    self.images.pop(change.id, None)
                case Deletion(kind="volume"):
                    self.volumes.pop(change.id, None)
                case Deletion(kind="build-cache"):
                    self.build_cache.pop(change.id, None)
                case Deletion(kind="build-layer"):
                    self.build_layers.pop(change.id, None)
                case Deletion(kind="build"):
                    self.builds.pop(change.id, None)

    def container(self, ref: str) -> ContainerRecord:
        """By id, name or prefix.  Raises ContainerNotFound, InvalidParameter (ambiguous)."""
        record = self.containers.find(ref)
        if record is None or record.state is State.CREATING:
            raise ContainerNotFound(ref)
        return record

    def network(self, ref: str) -> NetworkRecord:
        """By id, name or prefix.  Raises NetworkNotFound, InvalidParameter (ambiguous)."""
        record = self.networks.find(ref)
        if record is None:
            raise NetworkNotFound(ref)
        return record

    def volume(self, name: str) -> VolumeRecord:
        record = self.volumes.get(name)
        if record is None:
            raise VolumeNotFound(name)
        return record


def key_of(change: Record | Deletion) -> Key:
    """Kind and id of what it changes."""
    match change:
        case ContainerRecord():
            return "container", change.id
        case NetworkRecord():
            return "network", change.id
        case ImageRecord():
            return "image", change.id
        case VolumeRecord():
            return "volume", change.name
        case CacheRecord():
            return "build-cache", change.id
        case LayerBlob():
            return "build-layer", change.id
        case BuildRecord():
            return "build", change.id
        case Deletion():
            return change.kind, change.id
