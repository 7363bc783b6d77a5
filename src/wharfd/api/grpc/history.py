"""The builds there have been, as BuildKit tells them."""

import asyncio
from collections.abc import AsyncIterator, Callable

from wharfd.api.grpc.history_filters import parse_filters
from wharfd.api.grpc.progress import put_time
from wharfd.engine.build.history import History
from wharfd.model.build import BuildRecord
from wharfd.model.ids import Digest
from wharfd.wire.proto import control_pb2 as pb

LOG_TYPE = "application/vnd.wharfd.build.log.v1+msgpack"
PREDICATE_TYPE = "in-toto.io/predicate-type"


class HistoryService:
    """Satisfies `control.BuildHistory`.  `size` of a blob of the history, in bytes."""

    def __init__(self, history: History, size: Callable[[Digest], int], now_ns: Callable[[], int]) -> None:
        self._history = history
        self._size = size
        self._now_ns = now_ns

    async def listen(self, request: pb.BuildHistoryRequest) -> AsyncIterator[pb.BuildHistoryEvent]:
        """What there is, the newest first; then, unless the client wants no more, what happens."""
        holds = parse_filters(request.filter, self._now_ns())

        def wanted(record: BuildRecord) -> bool:
            return (not request.ref or record.id == request.ref) and holds(record)

        changes: asyncio.Queue[tuple[BuildRecord, bool]] = asyncio.Queue()

        def note(record: BuildRecord, is_gone: bool) -> None:
            changes.put_nowait((record, is_gone))

        self._history.watchers.append(note)
        try:
            told = 0
            for record in reversed(self._history.records()):
                if (request.active_only and record.completed_ns) or not wanted(record):
                    continue
                if request.limit and told == request.limit:
                    break
                told += 1
                yield self.event(record)
            while not request.early_exit:
                record, is_gone = await changes.get()
                if wanted(record):
                    yield self.event(record, is_gone=is_gone)
        finally:
            self._history.watchers.remove(note)

    async def update(self, request: pb.UpdateBuildHistoryRequest) -> None:
        """Raises NotFound."""
        if request.delete:
            await self._history.delete(request.ref)
        elif not request.finalize:
            await self._history.pin(request.ref, pinned=request.pinned)

    def event(self, record: BuildRecord, *, is_gone: bool = False) -> pb.BuildHistoryEvent:
        if is_gone:
            kind = pb.DELETED
        else:
            kind = pb.COMPLETE if record.completed_ns else pb.STARTED
        return pb.BuildHistoryEvent(type=kind, record=self.encode(record))

    def encode(self, record: BuildRecord) -> pb.BuildHistoryRecord:
        out = pb.BuildHistoryRecord(
            ref=record.id,
            frontend=record.frontend,
            frontend_attrs=record.attributes,
            exporters=[pb.Exporter(type=kind, attrs=attributes) for kind, attributes in record.exporters],
            exporter_response=record.response,
            generation=1,
            pinned=record.pinned,
            cached_steps=record.cached_steps,
            total_steps=record.steps,
            completed_steps=record.completed_steps,
            warnings=record.warnings,
        )
        put_time(out.created_at, record.started_ns)
        if record.completed_ns:
            put_time(out.completed_at, record.completed_ns)
        if record.error:
            out.error.code, out.error.message = record.error_code or 2, record.error
        if record.log:
            out.logs.CopyFrom(self.descriptor(Digest(record.log), LOG_TYPE))
        return out

    def descriptor(self, digest: Digest, media_type: str) -> pb.Descriptor:
        return pb.Descriptor(media_type=media_type, digest=digest, size=self._size(digest))
