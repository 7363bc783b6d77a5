"""Records and events as the rows and statements that hold them."""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import TypeVar

import msgspec

from wharfd.drivers.records.sqlite.schema import SCHEMA
from wharfd.model.build import BuildRecord, CacheRecord, LayerBlob
from wharfd.model.container import ContainerRecord
from wharfd.model.errors import Unavailable
from wharfd.model.event import Event
from wharfd.model.image import ImageRecord
from wharfd.model.network import NetworkRecord
from wharfd.model.volume import VolumeRecord
from wharfd.ports.records import Deletion, Record, Snapshot

Statement = tuple[str, tuple[object, ...]]
R = TypeVar("R", bound=Record)

KINDS: dict[type[object], str] = {
    ContainerRecord: "container",
    ImageRecord: "image",
    NetworkRecord: "network",
    VolumeRecord: "volume",
    CacheRecord: "build-cache",
    LayerBlob: "build-layer",
    BuildRecord: "build",
}
PUT = (
    "INSERT INTO records (kind, id, schema, document) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (kind, id) DO UPDATE SET schema = excluded.schema, document = excluded.document"
)
DELETE = "DELETE FROM records WHERE kind = ? AND id = ?"
ADD_EVENT = "INSERT INTO events (seq, at_ns, document) VALUES (?, ?, ?)"
FIND_EVENTS = "SELECT seq, document FROM events WHERE seq > ? AND at_ns >= ? AND at_ns <= ? ORDER BY seq LIMIT ?"
PUT_META = "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"

encode = msgspec.json.Encoder().encode
decode_event = msgspec.json.Decoder(Event).decode


def change_statement(change: Record | Deletion, schema: int = SCHEMA) -> Statement:
    """What writes this change.  ValueError for a deletion of an unknown kind."""
    if isinstance(change, Deletion):
        if change.kind not in KINDS.values():
            raise ValueError(f"unknown kind of record {change.kind!r}")
        return DELETE, (change.kind, change.id)
    identifier = change.name if isinstance(change, VolumeRecord) else change.id
    return PUT, (KINDS[type(change)], identifier, schema, encode(change))


def event_statement(event: Event) -> Statement:
    return ADD_EVENT, (event.seq, event.at_ns, encode(event))


def read_snapshot(connection: sqlite3.Connection) -> Snapshot:
    """Every record, in the order of arrival.  Raises Unavailable for a row that cannot be understood."""

    def all_of(record_type: type[R]) -> list[R]:
        rows = connection.execute(
            "SELECT id, document FROM records WHERE kind = ? ORDER BY number", (KINDS[record_type],)
        )
        return [decode(record_type, str(identifier), document) for identifier, document in rows]

    last = connection.execute("SELECT max(seq) FROM events").fetchone()[0]
    return Snapshot(
        containers=all_of(ContainerRecord),
        images=all_of(ImageRecord),
        networks=all_of(NetworkRecord),
        volumes=all_of(VolumeRecord),
        build_cache=all_of(CacheRecord),
        build_layers=all_of(LayerBlob),
        builds=all_of(BuildRecord),
        last_event_seq=int(last or 0),
    )


def decode(record_type: type[R], identifier: str, document: bytes) -> R:
    try:
        return msgspec.json.decode(document, type=record_type)
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        raise Unavailable(f"the stored {KINDS[record_type]} {identifier} cannot be read: {e}") from e


def read_events(rows: Iterable[tuple[int, bytes]]) -> Sequence[Event]:
    """Events that cannot be understood are left out: history is not worth a refusal."""
    events = []
    for seq, document in rows:
        try:
            events.append(msgspec.structs.replace(decode_event(document), seq=seq))
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
    return events
