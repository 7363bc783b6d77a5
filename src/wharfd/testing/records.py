"""The record store in memory.

    records = FakeRecords()
    records.lose_power()        # what was committed but not durable may be gone; what was durable is there

The fake outlives the engine under test: `close` and `open` again is a restart.
"""

from collections.abc import Sequence

import msgspec

from wharfd.model.build import BuildRecord, CacheRecord, LayerBlob
from wharfd.model.container import ContainerRecord
from wharfd.model.errors import Internal, Unavailable
from wharfd.model.event import Event
from wharfd.model.image import ImageRecord
from wharfd.model.network import NetworkRecord
from wharfd.model.volume import VolumeRecord
from wharfd.ports.records import Deletion, Record, Snapshot
from wharfd.testing.fake import Fake

KINDS: dict[type[Record], str] = {
    ContainerRecord: "container",
    ImageRecord: "image",
    NetworkRecord: "network",
    VolumeRecord: "volume",
    CacheRecord: "build-cache",
    LayerBlob: "build-layer",
    BuildRecord: "build",
}


class FakeRecords(Fake):
    """Port `records`."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[tuple[str, str], Record] = {}
        self.history: list[Event] = []
        self.meta: dict[str, str] = {}
        self.is_open = False
        self.durable_rows: dict[tuple[str, str], Record] = {}
        self.durable_history: list[Event] = []

    async def open(self) -> Snapshot:
        self.enter("open")
        if self.is_open:
            raise Unavailable("the record store is in use")
        self.is_open = True
        rows = list(self.rows.values())
        return Snapshot(
            containers=[row for row in rows if isinstance(row, ContainerRecord)],
            images=[row for row in rows if isinstance(row, ImageRecord)],
            networks=[row for row in rows if isinstance(row, NetworkRecord)],
            volumes=[row for row in rows if isinstance(row, VolumeRecord)],
            build_cache=[row for row in rows if isinstance(row, CacheRecord)],
            build_layers=[row for row in rows if isinstance(row, LayerBlob)],
            builds=[row for row in rows if isinstance(row, BuildRecord)],
            last_event_seq=self.history[-1].seq if self.history else 0,
        )

    async def close(self) -> None:
        self.enter("close")
        self.is_open = False

    async def commit(
        self, changes: Sequence[Record | Deletion] = (), events: Sequence[Event] = (), *, durable: bool = False
    ) -> None:
        self.enter("commit")
        self.apply(changes, events)
        if durable:
            self.durable_rows = dict(self.rows)
            self.durable_history = list(self.history)

    def post(self, changes: Sequence[Record | Deletion] = (), events: Sequence[Event] = ()) -> None:
        self.enter("post")
        self.apply(changes, events)

    async def events(
        self, since_ns: int, until_ns: int, limit: int = 100_000, *, after_seq: int = 0
    ) -> Sequence[Event]:
        self.enter("events")
        self.demand_open()
        found = [
            event
            for event in self.history
            if event.seq > after_seq and since_ns <= event.at_ns and (until_ns == 0 or event.at_ns <= until_ns)
        ]
        return found[:limit]

    async def put_meta(self, key: str, value: str) -> None:
        self.enter("put_meta")
        self.demand_open()
        self.meta[key] = value

    async def get_meta(self, key: str) -> str | None:
        self.enter("get_meta")
        self.demand_open()
        return self.meta.get(key)

    def lose_power(self) -> None:
        """For tests: the worst that the port allows, everything since the last durable commit is gone."""
        self.is_open = False
        self.rows = dict(self.durable_rows)
        self.history = list(self.durable_history)

    def die(self) -> None:
        """For tests: the engine was killed; what was committed stays."""
        self.is_open = False

    def apply(self, changes: Sequence[Record | Deletion], events: Sequence[Event]) -> None:
        self.demand_open()
        rows, history = dict(self.rows), list(self.history)
        for change in changes:
            if isinstance(change, Deletion):
                if change.kind not in KINDS.values():
                    raise ValueError(f"unknown kind of record {change.kind!r}")
                rows.pop((change.kind, change.id), None)
            else:
                identifier = change.name if isinstance(change, VolumeRecord) else change.id
                rows[KINDS[type(change)], identifier] = stored(change)
        for event in events:
            last = history[-1].seq if history else 0
            if event.seq and event.seq <= last:
                raise Internal(f"event {event.seq} comes after {last}")
            history.append(event if event.seq else msgspec.structs.replace(event, seq=last + 1))
        self.rows, self.history = rows, history

    def demand_open(self) -> None:
        if not self.is_open:
            raise Unavailable("the record store is closed")


def stored(record: Record) -> Record:
    """A record that shares nothing with the one given, as if it had been written and read."""
    return msgspec.json.decode(msgspec.json.encode(record), type=type(record))
