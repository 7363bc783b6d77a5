"""The `filters` parameter: shapes, refusals in dockerd's words, and the ways of matching."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfd.wire.filters import NO_FILTERS, Filters, InvalidFilter, parse_filters


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ('{"label":{"a=b":true}}', {"label": ("a=b",)}),
        ('{"label":["a=b","c"]}', {"label": ("a=b", "c")}),
        ('{"label":{"a":true,"b":true},"status":{"exited":true}}', {"label": ("a", "b"), "status": ("exited",)}),
        ("", {}),
        ("{}", {}),
        ("null", {}),
        ('{"label":null}', {"label": ()}),
        ('{"label":[]}', {"label": ()}),
        ('{"label":[null]}', {"label": ("",)}),
    ],
)
def test_both_shapes(text: str, values: dict[str, tuple[str, ...]]) -> None:
    filters = parse_filters(text)
    assert {key: filters.get(key) for key in filters.fields} == values
    assert filters.get("absent") == ()
    assert bool(filters) is bool(values)


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "[]",
        "1",
        '"a"',
        '{"a":1}',
        '{"a":{"b":1}}',
        '{"a":{"b":true},"c":["d"]}',
        '{"a":[1]}',
        "{",
        '{"a":' + "[" * 5000,
        "\udcff",
    ],
)
def test_broken(text: str) -> None:
    with pytest.raises(InvalidFilter) as caught:
        parse_filters(text)
    assert str(caught.value) == "invalid filter"


def test_unknown_keys_are_named() -> None:
    filters = Filters.of(label="a", nope="x")
    filters.validate({"label", "nope"})
    with pytest.raises(InvalidFilter) as caught:
        filters.validate({"label"})
    assert str(caught.value) == "invalid filter 'nope'"


def test_no_filter_matches_everything() -> None:
    assert NO_FILTERS.exact("name", "x")
    assert NO_FILTERS.match("name", "x")
    assert NO_FILTERS.fuzzy("name", "x")
    assert NO_FILTERS.labels("label", {})
    assert parse_filters('{"name":{}}').match("name", "x")


@pytest.mark.parametrize(
    ("value", "candidate", "exact", "match", "fuzzy"),
    [
        ("web", "web", True, True, True),
        ("we", "web", False, True, True),
        ("eb", "web", False, True, False),
        ("^w.b$", "web", False, True, False),
        ("a+b(", "a+b(", True, True, True),  # no expression: literally only
        ("a+b(", "xa+b(", False, False, False),
        ("z", "web", False, False, False),
    ],
)
def test_ways_of_matching(value: str, candidate: str, exact: bool, match: bool, fuzzy: bool) -> None:
    filters = Filters.of(name=["other", value])
    assert (filters.exact("name", candidate), filters.match("name", candidate), filters.fuzzy("name", candidate)) == (
        exact,
        match,
        fuzzy,
    )


def test_labels_must_all_hold() -> None:
    labels = {"a": "1", "b": "", "c": "x=y"}
    assert Filters.of(label=["a", "a=1", "b", "b=", "c=x=y"]).labels("label", labels)
    assert not Filters.of(label=["a", "d"]).labels("label", labels)
    assert not Filters.of(label=["a=2"]).labels("label", labels)


@pytest.mark.parametrize(
    ("values", "expected"), [(["1"], True), (["true"], True), (["0"], False), (["false"], False), (["1", "true"], True)]
)
def test_booleans(values: list[str], expected: bool) -> None:
    assert Filters.of(dangling=values).boolean("dangling", not expected) is expected
    assert NO_FILTERS.boolean("dangling", expected) is expected


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["yes"], "invalid filter 'dangling=[yes]'"),
        (["true", "false"], "invalid filter 'dangling=[true false]'"),
        ([], "invalid filter 'dangling'"),
    ],
)
def test_booleans_refused(values: list[str], message: str) -> None:
    with pytest.raises(InvalidFilter) as caught:
        Filters.of(dangling=values).boolean("dangling", False)
    assert str(caught.value) == message


def test_single() -> None:
    assert Filters.of(until="1h").single("until") == "1h"
    assert NO_FILTERS.single("until") is None
    with pytest.raises(InvalidFilter):
        Filters.of(until=["1h", "2h"]).single("until")
    with pytest.raises(InvalidFilter):
        Filters.of(until=[]).single("until")


def test_with_value_adds_and_leaves_the_old_one() -> None:
    old = Filters.of(label="a")
    assert old.with_value("label", "b").get("label") == ("a", "b")
    assert old.with_value("status", "x").get("status") == ("x",)
    assert old.get("label") == ("a",)


@given(st.dictionaries(st.text(max_size=5), st.lists(st.text(max_size=5), unique=True, min_size=1), max_size=3))
def test_formatted_and_parsed_again_is_the_same(values: dict[str, list[str]]) -> None:
    filters = Filters.of(**values)
    assert parse_filters(filters.to_json()) == filters
