"""The build cache as BuildKit tells of it: what is there, and what is pruned.

Filters are containerd's: `type==regular,inuse` (all of one must hold, and one of several); a field alone asks whether it is there, or true.
"""

import re
from collections.abc import AsyncIterator, Callable, Sequence

from wharfd.api.grpc.progress import put_time
from wharfd.engine.build.prune import PruneBuildCache, PruneRequest, Room, Test
from wharfd.engine.build.usage import BuildCacheUsage, CacheItem
from wharfd.model.build import CacheKind
from wharfd.model.errors import InvalidParameter
from wharfd.wire.proto import control_pb2 as pb

MUTABLE = (CacheKind.LOCAL, CacheKind.MOUNT, CacheKind.GIT)
_TERM = re.compile(r"\s*([A-Za-z0-9_.]+)\s*(?:(==|!=|~=)\s*(.*?))?\s*")


class CacheService:
    """Satisfies `control.CacheInventory`."""

    def __init__(self, usage: BuildCacheUsage, prune: PruneBuildCache, now_ns: Callable[[], int]) -> None:
        self._usage = usage
        self._prune = prune
        self._now_ns = now_ns

    async def usage(self, request: pb.DiskUsageRequest) -> pb.DiskUsageResponse:
        holds = parse_filters(request.filter)
        now_ns = self._now_ns()
        found = [item for item in self._usage() if holds(item) and now_ns - used_ns(item) >= request.age_limit]
        return pb.DiskUsageResponse(records=[encode_item(item) for item in found])

    async def prune(self, request: pb.PruneRequest) -> AsyncIterator[pb.UsageRecord]:
        room = Room(
            reserved_bytes=request.reserved_space,
            max_used_bytes=request.max_used_space,
            min_free_bytes=request.min_free_space,
        )
        tests: list[Test] = [parse_filters(request.filter)]
        asked = PruneRequest(all=request.all, tests=tests, unused_ns=request.keep_duration, room=room)
        for item in (await self._prune(asked)).items:
            yield encode_item(item)


def used_ns(item: CacheItem) -> int:
    return item.record.used_ns or item.record.created_ns


def encode_item(item: CacheItem) -> pb.UsageRecord:
    record = item.record
    out = pb.UsageRecord(
        id=record.id,
        mutable=record.kind in MUTABLE,
        in_use=item.in_use,
        size=record.size_bytes,
        usage_count=record.uses,
        description=record.description,
        record_type=record.kind.value,
        shared=item.is_shared,
        parents=record.parents,
    )
    put_time(out.created_at, record.created_ns)
    if record.used_ns:
        put_time(out.last_used_at, record.used_ns)
    return out


def parse_filters(filters: Sequence[str]) -> Test:
    """Raises InvalidParameter."""
    groups = [[parse_term(term) for term in text.split(",")] for text in filters if text.strip()]
    if not groups:
        return lambda _: True
    return lambda item: any(all(holds(item) for holds in group) for group in groups)


def parse_term(text: str) -> Test:
    match = _TERM.fullmatch(text)
    if match is None:
        raise InvalidParameter(f"invalid filter {text!r}")
    name, comparison, value = match[1].lower(), match[2], unquoted(match[3] or "")
    if name not in _FIELDS:
        return lambda _: comparison == "!="  # containerd: what is not there is equal to nothing
    read = _FIELDS[name]
    match comparison:
        case None:
            return lambda item: any(read(item))
        case "==":
            return lambda item: value in read(item)
        case "!=":
            return lambda item: value not in read(item)
        case _:
            try:
                pattern = re.compile(value)
            except re.error as e:
                raise InvalidParameter(f"invalid filter {text!r}: {e}") from e
            return lambda item: any(pattern.search(each) for each in read(item))


def unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def claim(value: bool) -> list[str]:
    """As a filter sees a boolean: there, or not."""
    return ["true"] if value else []


_FIELDS: dict[str, Callable[[CacheItem], Sequence[str]]] = {
    "id": lambda item: [item.record.id],
    "parents": lambda item: item.record.parents,
    "parent": lambda item: item.record.parents,
    "description": lambda item: [item.record.description],
    "type": lambda item: [item.record.kind.value],
    "recordtype": lambda item: [item.record.kind.value],
    "inuse": lambda item: claim(item.in_use),
    "mutable": lambda item: claim(item.record.kind in MUTABLE),
    "immutable": lambda item: claim(item.record.kind not in MUTABLE),
    "shared": lambda item: claim(item.is_shared),
    "private": lambda item: claim(not item.is_shared),
}
