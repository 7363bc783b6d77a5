"""Filters of the build history: `status==error,duration>0.1s`.  All of one filter must hold, and one of several filters.

ref repository status      ==  !=          status: completed, running, error, canceled
startedAt completedAt      <  >  <=  >=    a time, or how long ago: `startedAt<1h` is younger than an hour
duration                   <  >  <=  >=
"""

import operator
import re
from collections.abc import Callable, Sequence

from wharfd.model.build import BuildRecord
from wharfd.model.errors import InvalidParameter
from wharfd.wire.timestamps import parse_duration, parse_rfc3339

CANCELLED = 1  # gRPC's code
REPOSITORY = "vcs:source"
_TERM = re.compile(r"\s*([A-Za-z]+)\s*(==|!=|<=|>=|<|>)\s*(.*)")
_COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}
_REVERSED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}

Condition = Callable[[BuildRecord], bool]


def parse_filters(filters: Sequence[str], now_ns: int) -> Condition:
    """Raises InvalidParameter."""
    groups = [[parse_term(term, now_ns) for term in text.split(",")] for text in filters if text.strip()]
    if not groups:
        return lambda _: True
    return lambda record: any(all(holds(record) for holds in group) for group in groups)


def parse_term(text: str, now_ns: int) -> Condition:
    match = _TERM.fullmatch(text)
    if match is None:
        raise InvalidParameter(f"invalid filter {text!r}")
    name, comparison, value = match[1], match[2], match[3]
    is_equality = comparison in {"==", "!="}
    if name in _TEXTS:
        if not is_equality:
            raise InvalidParameter(f"invalid filter {text!r}: {name} takes == and !=")
        read_text = _TEXTS[name]
        return lambda record: (read_text(record) == value) == (comparison == "==")
    if name in _NUMBERS:
        if is_equality:
            raise InvalidParameter(f"invalid filter {text!r}: {name} takes < and >")
        wanted, comparison = number_of(name, comparison, value, now_ns)
        read_number, compare = _NUMBERS[name], _COMPARISONS[comparison]
        return lambda record: read_number(record) != 0 and compare(read_number(record), wanted)
    raise InvalidParameter(f"invalid filter {text!r}: unknown field {name}")


def number_of(name: str, comparison: str, value: str, now_ns: int) -> tuple[int, str]:
    """In nanoseconds, and how to compare: less long ago is later."""
    try:
        duration = parse_duration(value)
    except InvalidParameter:
        if name == "duration":
            raise
        return parse_rfc3339(value), comparison
    return (duration, comparison) if name == "duration" else (now_ns - duration, _REVERSED[comparison])


def status_of(record: BuildRecord) -> str:
    if not record.completed_ns:
        return "running"
    if not record.error:
        return "completed"
    return "canceled" if record.error_code == CANCELLED else "error"


def duration_of(record: BuildRecord) -> int:
    return record.completed_ns - record.started_ns if record.completed_ns else 0


_TEXTS: dict[str, Callable[[BuildRecord], str]] = {
    "ref": lambda record: record.id,
    "repository": lambda record: record.attributes.get(REPOSITORY, ""),
    "status": status_of,
}
_NUMBERS: dict[str, Callable[[BuildRecord], int]] = {
    "startedAt": lambda record: record.started_ns,
    "completedAt": lambda record: record.completed_ns,
    "duration": duration_of,
}
