"""The filters of the image list and of prune."""

from collections.abc import Callable

from wharfd.engine.images.names import entries, familiar, is_dangling
from wharfd.engine.images.resolve import find_image
from wharfd.engine.ledger import Ledger
from wharfd.model.errors import InvalidParameter
from wharfd.model.image import ImageRecord
from wharfd.wire.filters import Filters
from wharfd.wire.globs import compile_glob, matches
from wharfd.wire.reference import parse_normalised
from wharfd.wire.timestamps import parse_timestamp

LIST_ACCEPTED = ("before", "dangling", "label", "label!", "reference", "since", "until")
PRUNE_ACCEPTED = ("dangling", "label", "label!", "until")

Test = Callable[[ImageRecord], bool]


def selection(filters: Filters, ledger: Ledger, now_ns: int) -> Test:
    """Without `dangling`, whose meaning differs, and `reference`, which also narrows the names shown.

    Raises InvalidParameter, ImageNotFound (of `before` and `since`).
    """
    tests: list[Test] = []
    for ref in filters.get("before"):
        limit = find_image(ledger.images, ref).created_ns
        tests.append(lambda record, limit=limit: record.created_ns < limit)  # type: ignore[misc]
    for ref in filters.get("since"):
        limit = find_image(ledger.images, ref).created_ns
        tests.append(lambda record, limit=limit: record.created_ns > limit)  # type: ignore[misc]
    if "until" in filters:
        until_ns = parse_timestamp(filters.single("until") or "", now_ns)
        tests.append(lambda record: record.stored_ns < until_ns)
    if "label" in filters:
        tests.append(lambda record: filters.labels("label", record.labels or {}))
    if "label!" in filters:
        tests.append(lambda record: not filters.labels("label!", record.labels or {}))
    return lambda record: all(test(record) for test in tests)


def dangling_test(filters: Filters) -> Test:
    if "dangling" not in filters:
        return lambda _: True
    wanted = filters.boolean("dangling", False)
    return lambda record: is_dangling(record) == wanted


def names_matching(record: ImageRecord, filters: Filters) -> list[str]:
    """Those of the canonical names that one of the `reference` patterns fits: the familiar form, or that without its tag.

    Docker: a broken pattern fits nothing.
    """
    patterns = [pattern for pattern in filters.get("reference") if is_pattern(pattern)]
    return [name for name in entries(record) if any(fits(pattern, name) for pattern in patterns)]


def is_pattern(pattern: str) -> bool:
    try:
        compile_glob(pattern)
    except InvalidParameter:
        return False
    return True


def fits(pattern: str, name: str) -> bool:
    return matches(pattern, familiar(name)) or matches(pattern, parse_normalised(name).familiar_name)
