import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfd.model.errors import InvalidParameter
from wharfd.wire.target import Query, decode_path, parse_query, split_target, unescape


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", {}),
        ("a", {"a": [""]}),
        ("a=1&a=2&b=", {"a": ["1", "2"], "b": [""]}),
        ("&&a=1&", {"a": ["1"]}),
        ("a=x+y%20z&%61=b", {"a": ["x y z", "b"]}),
        ("a=b=c", {"a": ["b=c"]}),
        ("=v", {"": ["v"]}),
        ("a=%C3%A9&b=%ff", {"a": ["é"], "b": ["�"]}),
        ('filters={"label":["a=b"]}', {"filters": ['{"label":["a=b"]}']}),
    ],
)
def test_queries(text: str, values: dict[str, list[str]]) -> None:
    assert parse_query(text).values_by_name == values


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a=%zz", 'invalid URL escape "%zz"'),
        ("a=%4", 'invalid URL escape "%4"'),
        ("a=%", 'invalid URL escape "%"'),
        ("a=1;b=2", "invalid semicolon separator in query"),
    ],
)
def test_refused_queries(text: str, message: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        parse_query(text)
    assert str(caught.value) == message


def test_query_access() -> None:
    query = parse_query("t=1&t=2&e=")
    assert (query["t"], query.get("t"), query.all("t"), query.get("e", "x"), query.get("u", "x")) == (
        "1",
        "1",
        ["1", "2"],
        "",
        "x",
    )
    assert "e" in query
    assert len(query) == 2
    assert query.all("u") == []


def test_form_values_go_first() -> None:
    merged = parse_query("a=query&b=1").merged_under(parse_query("a=form"))
    assert merged.values_by_name == {"a": ["form", "query"], "b": ["1"]}


@given(st.text(st.characters(max_codepoint=0xFF), max_size=60))
def test_only_the_declared_error(text: str) -> None:
    for function in (unescape, decode_path, split_target, parse_query):
        try:
            function(text)
        except InvalidParameter:
            pass


@given(st.dictionaries(st.text(max_size=8), st.lists(st.text(max_size=8), min_size=1, max_size=3), max_size=5))
def test_urlencode_and_back(values: dict[str, list[str]]) -> None:
    from urllib.parse import urlencode

    assert parse_query(urlencode(values, doseq=True)).values_by_name == Query(values).values_by_name
