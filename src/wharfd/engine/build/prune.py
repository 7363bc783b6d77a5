"""Makes room in the build cache: when it is asked to, and by itself when the cache has become too large.

What an open build works with is never touched.  Steps whose result is pruned are done again when they are wanted; those that were built on
them stay usable.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from wharfd.engine.build.cache import BuildCache
from wharfd.engine.build.usage import BuildCacheUsage, CacheItem
from wharfd.engine.tasks import Tasks
from wharfd.model.build import CacheKind
from wharfd.model.errors import InvalidParameter
from wharfd.ports.clock import Clock
from wharfd.ports.snapshots import SnapshotStore
from wharfd.wire.filters import Filters
from wharfd.wire.timestamps import parse_duration

FIELDS = ("id", "parent", "type", "description", "inuse", "shared", "private")
UNTIL, UNUSED_FOR = "until", "unused-for"
DAY_NS = 24 * 3600 * 10**9
SCRATCH_BYTES = 512 << 20  # of contexts and cache mounts that nobody has used for a while
RESERVED, MAX_USED, MIN_FREE = 10, 60, 20  # percent of the disk, as BuildKit's

Test = Callable[[CacheItem], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """How much is to be left: nothing is asked for where all are 0, and everything goes.

    `reserved_bytes`: so much always stays.  `max_used_bytes`: not more than that stays.  `min_free_bytes`: so much of the disk is to be
    free.
    """

    reserved_bytes: int = 0
    max_used_bytes: int = 0
    min_free_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneRequest:
    """`all`: also what images share and what belongs to the builder itself.  `unused_ns`: only what was not used for so long."""

    all: bool = False
    tests: Sequence[Test] = ()
    unused_ns: int = 0
    room: Room = Room()


@dataclass(frozen=True, slots=True)
class Pruned:
    items: Sequence[CacheItem]
    reclaimed_bytes: int


class PruneBuildCache:
    def __init__(
        self, *, clock: Clock, tasks: Tasks, cache: BuildCache, usage: BuildCacheUsage, snapshots: SnapshotStore
    ) -> None:
        self.clock = clock
        self.tasks = tasks
        self.cache = cache
        self.usage = usage
        self.snapshots = snapshots
        self.turn = asyncio.Lock()
        self.is_due = False

    async def __call__(self, asked: PruneRequest) -> Pruned:
        """One after the other."""
        async with self.turn:
            return await self.prune(asked)

    async def prune(self, asked: PruneRequest) -> Pruned:
        items = self.usage()
        total = sum(item.record.size_bytes for item in items)
        keep = await self.keep_bytes(total, asked.room)
        gone: list[CacheItem] = []
        for item in sorted((each for each in items if self.may_go(each, asked)), key=age):
            if keep and total <= keep:
                break
            gone.append(item)
            total -= item.record.size_bytes
        # A build may have begun to use one since.
        gone = [item for item in gone if not self.cache.users[item.record.id]]
        reclaimed = await self.cache.remove([item.record for item in gone])
        return Pruned(gone, reclaimed)

    async def keep_bytes(self, total: int, room: Room) -> int:
        """0: everything that may go goes."""
        if room == Room():
            return 0
        keep = room.max_used_bytes
        _, free = await self.snapshots.space()
        lacking = room.min_free_bytes - free
        if lacking > 0:
            keep = min(keep, total - lacking) if keep else total - lacking
        elif not keep and not room.reserved_bytes:
            return total  # enough is free
        return max(keep, room.reserved_bytes, 1)

    def may_go(self, item: CacheItem, asked: PruneRequest) -> bool:
        record = item.record
        if item.in_use:
            return False
        if not asked.all and (item.is_shared or record.kind in (CacheKind.INTERNAL, CacheKind.FRONTEND)):
            return False
        if asked.unused_ns and self.clock.now_ns() - (record.used_ns or record.created_ns) < asked.unused_ns:
            return False
        return all(test(item) for test in asked.tests)

    # by itself

    def soon(self) -> None:
        """A build has ended."""
        if not self.is_due:
            self.is_due = True
            self.tasks.spawn(self.follow_policy(), "build-cache-policy")

    async def follow_policy(self) -> None:
        self.is_due = False
        disk, _ = await self.snapshots.space()
        room = Room(
            reserved_bytes=disk * RESERVED // 100,
            max_used_bytes=disk * MAX_USED // 100,
            min_free_bytes=disk * MIN_FREE // 100,
        )
        scratch = Room(max_used_bytes=SCRATCH_BYTES)
        for asked in (
            PruneRequest(tests=[is_scratch], unused_ns=2 * DAY_NS, room=scratch),
            PruneRequest(unused_ns=60 * DAY_NS, room=room),
            PruneRequest(room=room),
            PruneRequest(all=True, room=room),
        ):
            await self(asked)


def age(item: CacheItem) -> tuple[int, int]:
    """What was used longest ago and least often goes first."""
    return item.record.used_ns or item.record.created_ns, item.record.uses


def is_scratch(item: CacheItem) -> bool:
    return item.record.kind in (CacheKind.LOCAL, CacheKind.GIT, CacheKind.MOUNT)


def prune_request(filters: Filters, *, include_all: bool, room: Room) -> PruneRequest:
    """Of `docker builder prune`.  Raises InvalidParameter."""
    filters.validate((*FIELDS, UNTIL, UNUSED_FOR))
    until, unused_for = filters.get(UNTIL), filters.get(UNUSED_FOR)
    if until and unused_for:
        raise InvalidParameter(f'conflicting filters: "{UNTIL}" and "{UNUSED_FOR}"')
    durations = [*until, *unused_for]
    if len(durations) > 1:
        raise InvalidParameter("filters expect only one value")
    unused_ns = 0
    for text in durations:
        try:
            unused_ns = parse_duration(text)
        except InvalidParameter as e:
            name = UNTIL if until else UNUSED_FOR
            raise e.prefixed(f"\"{name}\" filter expects a duration (e.g., '24h'): ") from e
    tests: list[Test] = []
    for field in FIELDS:
        values = filters.get(field)
        if len(values) > 1:
            raise InvalidParameter("filters expect only one value")
        if field in filters:
            tests.append(field_test(field, values[0] if values else None))
    return PruneRequest(all=include_all, tests=tests, unused_ns=unused_ns, room=room)


def field_test(field: str, value: str | None) -> Test:
    """`value` None: the field is there, or true.  An id is looked for as a part."""

    def test(item: CacheItem) -> bool:
        record = item.record
        match field:
            case "id":
                return value is None or value in record.id
            case "parent":
                return value in record.parents if value is not None else bool(record.parents)
            case "type":
                return value is None or record.kind == value
            case "description":
                return record.description == value if value is not None else bool(record.description)
            case "inuse":
                return is_claim(value, item.in_use)
            case "shared":
                return is_claim(value, item.is_shared)
            case "private":
                return is_claim(value, not item.is_shared)
        return False

    return test


def is_claim(value: str | None, claim: bool) -> bool:
    return claim if value in (None, "", "true", "1") else not claim
