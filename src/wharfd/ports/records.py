"""Port: the durable store of records and events.

One row per object.  The engine reads the store once, at start; afterwards it reads its own memory and writes here.  Writes are applied
in the order of the calls, each batch in one transaction, by one writer.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from wharfd.model.build import BuildRecord, CacheRecord, LayerBlob
from wharfd.model.container import ContainerRecord
from wharfd.model.event import Event
from wharfd.model.image import ImageRecord
from wharfd.model.network import NetworkRecord
from wharfd.model.volume import VolumeRecord

Record = ContainerRecord | ImageRecord | NetworkRecord | VolumeRecord | CacheRecord | LayerBlob | BuildRecord


class Deletion(msgspec.Struct, frozen=True, kw_only=True):
    """Removes the row of that kind and id.

    Kinds: container, image, network, volume, build-cache, build-layer, build.
    """

    kind: str
    id: str


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    containers: list[ContainerRecord]
    images: list[ImageRecord]
    networks: list[NetworkRecord]
    volumes: list[VolumeRecord]
    build_cache: list[CacheRecord] = []
    build_layers: list[LayerBlob] = []
    builds: list[BuildRecord] = []
    last_event_seq: int = 0


class RecordStore(Protocol):
    async def open(self) -> Snapshot:
        """Open, migrate if older, read everything.  Raises Unavailable, in words, for a store of a newer schema."""

    async def close(self) -> None: ...

    async def commit(
        self, changes: Sequence[Record | Deletion] = (), events: Sequence[Event] = (), *, durable: bool = False
    ) -> None:
        """Returns when the transaction is committed; with `durable`, when it survives a power cut.

        Committed (not durable) survives the engine's death by SIGKILL.  An event without a number is given the next one; a number
        that is not above all before it raises Internal.  A commit that fails changes nothing and disturbs no other one.

        Its place in the order is that of the call's first step, before anything is waited for.  It cannot be cancelled: a caller that is
        cancelled meanwhile gets CancelledError when the commit has ended well, and its error when it has not.
        """

    def post(self, changes: Sequence[Record | Deletion] = (), events: Sequence[Event] = ()) -> None:
        """Queue the same without waiting for it.  Order is kept; a failure is logged."""

    async def events(
        self, since_ns: int, until_ns: int, limit: int = 100_000, *, after_seq: int = 0
    ) -> Sequence[Event]:
        """Events with since <= at <= until (0: open), in the order of their numbers, including those queued before this call.

        At most `limit` of those numbered above `after_seq`: a long history is read in pages.
        """

    async def put_meta(self, key: str, value: str) -> None:
        """A small fact of the engine's own (its id)."""

    async def get_meta(self, key: str) -> str | None: ...
