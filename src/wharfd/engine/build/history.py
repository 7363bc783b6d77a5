"""The builds there have been: what was asked, how it ended, and everything that was told of it.

What a build has told lies in the content store as one blob (MessagePack, a list of updates), held by the record.  Builds of the classic
door leave nothing here, as with dockerd.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence

import msgspec

from wharfd.engine.build.openbuild import OpenBuild
from wharfd.engine.build.progress import LogOutput, StatusUpdate, Update, VertexUpdate, Warned
from wharfd.engine.build.requests import BuildOptions
from wharfd.engine.images.garbage import Garbage
from wharfd.engine.images.leases import Lease, Leases
from wharfd.engine.ledger import Ledger
from wharfd.model.build import BuildRecord
from wharfd.model.errors import NotFound
from wharfd.model.ids import Digest
from wharfd.ports.clock import Clock
from wharfd.ports.content import ContentStore
from wharfd.ports.records import Deletion
from wharfd.wire.oci import digest_of

log = logging.getLogger(__name__)

KEEP_BUILDS = 100
MAX_LOG = 64 << 20
CANCELLED, UNKNOWN = 1, 2  # gRPC's codes


TYPES: dict[str, type[VertexUpdate | StatusUpdate | LogOutput | Warned]] = {
    each.__name__: each for each in (VertexUpdate, StatusUpdate, LogOutput, Warned)
}

Watch = Callable[[BuildRecord, bool], None]


class History:
    """Watchers are told of each change of a record, and whether it is gone."""

    def __init__(
        self, *, ledger: Ledger, clock: Clock, content: ContentStore, garbage: Garbage, leases: Leases
    ) -> None:
        self.ledger = ledger
        self.clock = clock
        self.content = content
        self.garbage = garbage
        self.leases = leases
        self.open_builds: dict[str, BuildRecord] = {}
        self.watchers: list[Watch] = []
        self.number = 0
        garbage.keepers.append(self.keeps)
        garbage.also_kept.append(self.blobs)

    def blobs(self) -> set[Digest]:
        found = {Digest(record.log) for record in self.ledger.builds.values() if record.log}
        return found | {Digest(blob) for record in self.ledger.builds.values() for blob in record.blobs}

    def keeps(self, key: str) -> bool:
        return any(key == record.log or key in record.blobs for record in self.ledger.builds.values())

    async def open(self) -> None:
        self.number = max((record.number for record in self.ledger.builds.values()), default=0)

    # builds that come and go

    def begin(self, build: OpenBuild, options: BuildOptions) -> None:
        if options.internal:
            return
        self.number += 1
        record = BuildRecord(
            id=build.ref,
            number=self.number,
            frontend=options.frontend,
            attributes=dict(options.frontend_attributes),
            started_ns=self.clock.now_ns(),
        )
        self.open_builds[build.ref] = record
        self.tell(record)

    async def end(self, build: OpenBuild, options: BuildOptions, error: BaseException | None) -> None:
        record = self.open_builds.pop(build.ref, None)
        if record is None:
            return
        steps, cached, completed = build.counts()
        if not steps and error is None and not build.exports:
            # A probe: clients ask with an empty build what the builder can do.
            self.tell(record, is_gone=True)
            return
        lease = self.leases.open()
        try:
            record = msgspec.structs.replace(
                record,
                attributes={**record.attributes, **build.attributes},
                exporters=[(export.type, dict(export.attributes)) for export in build.exports],
                completed_ns=self.clock.now_ns(),
                error=message_of(error),
                error_code=code_of(error),
                response=dict(build.response),
                steps=steps,
                cached_steps=cached,
                completed_steps=completed,
                warnings=build.warnings,
                log=await self.write_log(build.log.updates, lease),
            )
            await self.ledger.commit(record)
        finally:
            lease.release()
        self.tell(record)
        await self.trim()

    async def write_log(self, updates: Sequence[Update], lease: Lease) -> str:
        data = encode_updates(updates)
        if len(data) > MAX_LOG:
            return ""
        digest = digest_of(data)
        await lease.hold(digest)
        if not self.content.has(digest):
            writer = await self.content.writer()
            await writer.write(data)
            await writer.commit(digest)
        return digest

    async def trim(self) -> None:
        done = sorted(self.ledger.builds.values(), key=lambda record: record.number)
        free = [record for record in done if not record.pinned]
        await self.remove(free[: max(0, len(done) - KEEP_BUILDS)])

    # what is known

    def records(self) -> Sequence[BuildRecord]:
        """By number, those that are open among them."""
        return sorted([*self.ledger.builds.values(), *self.open_builds.values()], key=lambda record: record.number)

    def get(self, ref: str) -> BuildRecord:
        """Raises NotFound."""
        record = self.open_builds.get(ref) or self.ledger.builds.get(ref)
        if record is None:
            raise NotFound(f"no build record found for ref: {ref}")
        return record

    def updates(self, ref: str) -> AsyncIterator[Sequence[Update]]:
        """Raises NotFound at once."""
        return self.replay(self.get(ref))

    async def replay(self, record: BuildRecord) -> AsyncIterator[Sequence[Update]]:
        if record.log:
            yield decode_updates(await self.content.read(Digest(record.log), MAX_LOG))

    # what users change

    async def pin(self, ref: str, *, pinned: bool) -> None:
        record = self.get(ref)
        if ref not in self.open_builds:
            after = msgspec.structs.replace(record, pinned=pinned)
            await self.ledger.commit(after)
            self.tell(after)

    async def delete(self, ref: str) -> None:
        record = self.get(ref)
        if ref not in self.open_builds:
            await self.remove([record])

    async def remove(self, records: Sequence[BuildRecord]) -> None:
        if not records:
            return
        await self.ledger.commit(*(Deletion(kind="build", id=record.id) for record in records))
        await self.garbage.collect([blob for record in records for blob in (record.log, *record.blobs) if blob])
        for record in records:
            self.tell(record, is_gone=True)

    def tell(self, record: BuildRecord, *, is_gone: bool = False) -> None:
        for watch in list(self.watchers):
            watch(record, is_gone)

    async def watch(self) -> AsyncIterator[tuple[BuildRecord, bool]]:
        """Changes from now on.  Close it."""
        queue: asyncio.Queue[tuple[BuildRecord, bool]] = asyncio.Queue()

        def put(record: BuildRecord, is_gone: bool) -> None:
            queue.put_nowait((record, is_gone))

        self.watchers.append(put)
        try:
            while True:
                yield await queue.get()
        finally:
            self.watchers.remove(put)


def message_of(error: BaseException | None) -> str:
    if error is None:
        return ""
    return "context canceled" if isinstance(error, asyncio.CancelledError) else str(error)


def code_of(error: BaseException | None) -> int:
    match error:
        case None:
            return 0
        case asyncio.CancelledError():
            return CANCELLED
    return UNKNOWN


def encode_updates(updates: Sequence[Update]) -> bytes:
    return msgspec.msgpack.encode([(type(update).__name__, update) for update in updates])


def decode_updates(data: bytes) -> Sequence[Update]:
    pairs = msgspec.msgpack.decode(data, type=list[tuple[str, msgspec.Raw]])
    return [msgspec.msgpack.decode(raw, type=TYPES[kind]) for kind, raw in pairs]
