import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.api.fed import fed
from wharfd.api.params import atoi, flag, form, integer, integer_or_zero
from wharfd.model.errors import InvalidParameter
from wharfd.wire.http1 import HttpError
from wharfd.wire.target import parse_query


@pytest.mark.parametrize("value", ["", "0", "no", "false", "none", "No", "FALSE", "None", " false ", "%200"])
def test_false(value: str) -> None:
    assert not flag(parse_query(f"a={value}"), "a")
    assert not flag(parse_query(f"a={value}"), "a", default=True)


@pytest.mark.parametrize("value", ["1", "true", "yes", "on", "f", "off", "null", "00", "x"])
def test_true(value: str) -> None:
    assert flag(parse_query(f"a={value}"), "a")


def test_default_only_where_the_key_is_absent() -> None:
    assert flag(parse_query("b=0"), "a", default=True)
    assert not flag(parse_query("a"), "a", default=True)
    assert not flag(parse_query("a=0&a=1"), "a", default=True)


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("-1", -1), ("+5", 5), ("007", 7), (str(2**63 - 1), 2**63 - 1), (str(-(2**63)), -(2**63))],
)
def test_integers(text: str, value: int) -> None:
    assert atoi(text) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'strconv.Atoi: parsing "": invalid syntax'),
        ("abc", 'strconv.Atoi: parsing "abc": invalid syntax'),
        ("1.5", 'strconv.Atoi: parsing "1.5": invalid syntax'),
        ("1_0", 'strconv.Atoi: parsing "1_0": invalid syntax'),
        ("0x1", 'strconv.Atoi: parsing "0x1": invalid syntax'),
        (" 1", 'strconv.Atoi: parsing " 1": invalid syntax'),
        ("--1", 'strconv.Atoi: parsing "--1": invalid syntax'),
        ("٣", 'strconv.Atoi: parsing "٣": invalid syntax'),
        ('a"b\\\n\x01', 'strconv.Atoi: parsing "a\\"b\\\\\\n\\x01": invalid syntax'),
        ("9223372036854775808", 'strconv.Atoi: parsing "9223372036854775808": value out of range'),
        ("9" * 5000, f'strconv.Atoi: parsing "{"9" * 5000}": value out of range'),
    ],
)
def test_no_integers(text: str, message: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        atoi(text)
    assert str(caught.value) == message


def test_absent_and_empty_integers() -> None:
    query = parse_query("a=&b=x&c=3")
    assert (integer(query, "none"), integer(query, "a", 7), integer(query, "c")) == (None, 7, 3)
    assert (integer_or_zero(query, "none"), integer_or_zero(query, "b"), integer_or_zero(query, "c")) == (0, 0, 3)
    with pytest.raises(InvalidParameter):
        integer(query, "b")


@given(st.text(max_size=20))
def test_integers_raise_nothing_else(text: str) -> None:
    try:
        atoi(text)
    except InvalidParameter:
        pass


FORM = "Content-Type: application/x-www-form-urlencoded; charset=utf-8"


async def test_a_form_counts_as_query_and_goes_first() -> None:
    query = await form(fed("POST /x?a=query&b=2", FORM, body=b"a=form&c=%C3%A9"))
    assert (query["a"], query.all("a"), query["b"], query["c"]) == ("form", ["form", "query"], "2", "é")


@pytest.mark.parametrize(
    ("first", "line"),
    [("GET /x?a=1", FORM), ("POST /x?a=1", "Content-Type: application/json"), ("POST /x?a=1", "X: y")],
)
async def test_other_bodies_are_left_alone(first: str, line: str) -> None:
    request = fed(first, line, body=b"a=body")
    assert (await form(request)).all("a") == ["1"]
    assert await request.read() == b"a=body"


async def test_a_form_has_a_limit() -> None:
    with pytest.raises(HttpError) as caught:
        await form(fed("POST /x", FORM, body=bytes((10 << 20) + 1)))
    assert caught.value.status == 413
