"""Filters of the build history and of the cache."""

import pytest

from wharfd.api.grpc import cache
from wharfd.api.grpc.history_filters import parse_filters
from wharfd.engine.build.usage import CacheItem
from wharfd.model.build import BuildRecord, CacheKind, CacheRecord
from wharfd.model.errors import InvalidParameter

SECOND = 10**9
NOW = 10_000 * SECOND
GOOD = BuildRecord(id="good", started_ns=NOW - 100 * SECOND, completed_ns=NOW - 98 * SECOND)
BAD = BuildRecord(
    id="bad",
    attributes={"vcs:source": "https://h/r"},
    started_ns=NOW - 7200 * SECOND,
    completed_ns=NOW - 7140 * SECOND,
    error="x",
    error_code=2,
)
CANCELLED = BuildRecord(
    id="cancelled", started_ns=NOW - 50 * SECOND, completed_ns=NOW - 49 * SECOND, error="x", error_code=1
)
RUNNING = BuildRecord(id="running", started_ns=NOW - SECOND)
ALL = [GOOD, BAD, CANCELLED, RUNNING]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ([], "good bad cancelled running"),
        ([""], "good bad cancelled running"),
        (["status==error"], "bad"),
        (["status==canceled"], "cancelled"),
        (["status!=completed"], "bad cancelled running"),
        (["ref==good"], "good"),
        (["repository==https://h/r"], "bad"),
        (["duration>1500ms"], "good bad"),
        (["duration>1500ms,status==completed"], "good"),
        (["ref==good", "status==running"], "good running"),
        (["startedAt<1h"], "good cancelled running"),
        (["startedAt>1h"], "bad"),
        (["completedAt<99s"], "good cancelled"),
        (["startedAt<1970-01-01T01:00:00Z"], "bad"),
    ],
)
def test_builds(filters: list[str], found: str) -> None:
    holds = parse_filters(filters, NOW)
    assert " ".join(record.id for record in ALL if holds(record)) == found


@pytest.mark.parametrize(
    "text",
    ["status", "status=error", "status<error", "duration==1s", "duration>x", "nonsense==1", "startedAt>yesterday"],
)
def test_filters_that_are_none(text: str) -> None:
    with pytest.raises(InvalidParameter):
        parse_filters([text], NOW)


def item(name: str, kind: CacheKind = CacheKind.REGULAR, *, in_use: bool = False, shared: bool = False) -> CacheItem:
    return CacheItem(
        CacheRecord(id=name, key="k", kind=kind, description=f"what {name} did", created_ns=1), in_use, shared
    )


ITEMS = [item("a"), item("b", CacheKind.LOCAL, in_use=True), item("c", shared=True)]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ([""], "abc"),
        (["type==source.local"], "b"),
        (["type==source.local,inuse"], "b"),
        (["inuse"], "b"),
        (["inuse!=true"], "ac"),
        (["shared"], "c"),
        (["private"], "ab"),
        (["mutable"], "b"),
        (["id~=^[ac]$"], "ac"),
        (["description~=what a"], "a"),
        (['description=="what c did"'], "c"),
        (["id==a", "id==b"], "ab"),
        (["nonsense"], ""),
    ],
)
def test_cache(filters: list[str], found: str) -> None:
    holds = cache.parse_filters(filters)
    assert "".join(each.record.id for each in ITEMS if holds(each)) == found


@pytest.mark.parametrize("text", ["id~=(", "=="])
def test_cache_filters_that_are_none(text: str) -> None:
    with pytest.raises(InvalidParameter):
        cache.parse_filters([text])
