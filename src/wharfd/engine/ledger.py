"""The engine's memory: current records of every kind, written through to the record store, with the events that tell of each change.

A change is one call: records and events go into one transaction, then take their place in memory, then the events are published.
Readers see the old record or the new one.  Nothing else writes records.
"""

from collections.abc import Sequence

import msgspec

from wharfd.engine.events import EventBus
from wharfd.engine.index import Index
from wharfd.model.container import ContainerRecord, State
from wharfd.model.errors import ContainerNotFound, NetworkNotFound, VolumeNotFound
from wharfd.model.event import Event
from wharfd.model.image import ImageRecord
from wharfd.model.network import NetworkRecord
from wharfd.model.volume import VolumeRecord
from wharfd.ports.records import Deletion, Record, RecordStore


class Ledger:
    def __init__(self, store: RecordStore, bus: EventBus) -> None:
        self.store = store
        self.bus = bus
        self.containers: Index[ContainerRecord] = Index()
        self.networks: Index[NetworkRecord] = Index()
        self.images: dict[str, ImageRecord] = {}
        self.volumes: dict[str, VolumeRecord] = {}
        self.last_seq = 0

    async def open(self) -> None:
        snapshot = await self.store.open()
        for container in snapshot.containers:
            self.containers.put(container)
        for network in snapshot.networks:
            self.networks.put(network)
        self.images = {image.id: image for image in snapshot.images}
        self.volumes = {volume.name: volume for volume in snapshot.volumes}
        self.last_seq = snapshot.last_event_seq

    async def commit(self, *changes: Record | Deletion, events: Sequence[Event] = (), durable: bool = False) -> None:
        """Write, then show, then publish.  With `durable` the change survives a power cut when this returns."""
        numbered = self.number(events)
        await self.store.commit(changes, numbered, durable=durable)
        self.show(changes)
        for event in numbered:
            self.bus.publish(event)

    def post(self, *changes: Record | Deletion, events: Sequence[Event] = ()) -> None:
        """The same, shown and published at once and written soon after, in order.

        Only for changes that reconcile would find out by itself after a crash.
        """
        numbered = self.number(events)
        self.store.post(changes, numbered)
        self.show(changes)
        for event in numbered:
            self.bus.publish(event)

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
                case Deletion(kind="container"):
                    self.containers.remove(change.id)
                case Deletion(kind="network"):
                    self.networks.remove(change.id)
                case Deletion(kind="image"):
                    self.images.pop(change.id, None)
                case Deletion(kind="volume"):
                    self.volumes.pop(change.id, None)

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
