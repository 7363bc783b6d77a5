"""Filters and the expressions in them: InvalidParameter or filters that match without failing."""

from wharfd.model.errors import InvalidParameter
from wharfd.wire.filters import parse_filters

SEEDS = [
    b'{"label":{"a=b":true},"name":{"^web(-[0-9]+)?$":true}}',
    b'{"label":["a=b","c"],"status":["exited"],"dangling":["true"]}',
    b'{"name":["(a+)+$","[[:alpha:]]{2,3}|\\\\bx","(?i:Y)."]}',
]


def fuzz_one(data: bytes) -> None:
    try:
        filters = parse_filters(data.decode("utf-8", "replace"))
    except InvalidParameter:
        return
    assert parse_filters(filters.to_json()) == filters
    for key in filters.fields:
        for text in ("", "web-1", "a" * 64):
            filters.match(key, text)
            filters.fuzzy(key, text)
        filters.labels(key, {"a": "b"})
        for ask in (lambda k: filters.boolean(k, False), filters.single):
            try:
                ask(key)
            except InvalidParameter:
                pass
