import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.api.fed import fed
from wharfd.api.jsonbody import parse_json, read_json
from wharfd.model.errors import InvalidParameter
from wharfd.model.json import Json
from wharfd.wire.http1 import HttpError

JSON = "Content-Type: application/json"


@pytest.mark.parametrize(
    "line", [JSON, "content-type: Application/JSON; charset=utf-8", "Content-Type: application/json;"]
)
async def test_json(line: str) -> None:
    assert await read_json(fed("POST /x", line, body=b' {"a": 1} \n')) == {"a": 1}


@pytest.mark.parametrize("lines", [[], [JSON], ["Content-Length: 0"]])
async def test_no_body(lines: list[str]) -> None:
    assert await read_json(fed("POST /x", *lines)) is None


async def test_null_is_no_body() -> None:
    assert await read_json(fed("POST /x", JSON, body=b"null")) is None


@pytest.mark.parametrize(
    ("line", "body", "message"),
    [
        ("X: y", b"{}", "malformed Content-Type header (): mime: no media type"),
        ("Content-Type: text/plain", b"{}", "unsupported Content-Type header (text/plain): must be 'application/json'"),
        ("Content-Type: text/plain", b"", "unsupported Content-Type header (text/plain): must be 'application/json'"),
        (
            "Content-Type: application/json/x",
            b"{}",
            "malformed Content-Type header (application/json/x): mime: unexpected content after media subtype",
        ),
        (JSON, b" \n", "invalid JSON: got EOF while reading request body"),
        (JSON, b"{} x", "unexpected content after JSON"),
        (JSON, b"{}{}", "unexpected content after JSON"),
        (JSON, b"{", "invalid JSON: unexpected EOF"),
        (JSON, b"<html>", "invalid JSON: invalid character '<' looking for beginning of value"),
        (JSON, b"[" * 100_000, "invalid JSON: exceeded max depth"),
    ],
)
async def test_refused(line: str, body: bytes, message: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        await read_json(fed("POST /x", line, body=body))
    assert str(caught.value) == message


async def test_an_empty_chunked_body_is_missing_json() -> None:
    with pytest.raises(InvalidParameter, match="got EOF while reading request body"):
        await read_json(fed("POST /x", JSON, "Transfer-Encoding: chunked", body=b"0\r\n\r\n"))


async def test_limit() -> None:
    with pytest.raises(HttpError) as caught:
        await read_json(fed("POST /x", JSON, body=b"[" + b" " * 5_000_000 + b"]"))
    assert caught.value.status == 413


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b'"\xff"', "�"),
        (b'["\\ud800", "\\ud83d\\ude00"]', ["�", "😀"]),
        (b'{"a\xfe": 1}', {"a�": 1}),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b"1e2", 100.0),
    ],
)
def test_what_go_mends(data: bytes, value: Json) -> None:
    assert parse_json(data) == value


@given(st.binary(max_size=60) | st.text('{}[]:,"\\u09aeE+-.tfnrul \n', max_size=40).map(str.encode))
def test_only_the_declared_error(data: bytes) -> None:
    try:
        parse_json(data)
    except InvalidParameter:
        pass


LONG = b" " * 20_000


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"[1," + LONG, "invalid JSON: unexpected EOF"),
        (b"[1]" + LONG + b"x", "unexpected content after JSON"),
        (b"[1 2" + LONG + b"]", "invalid JSON: Expecting ',' delimiter: line 1 column 4 (char 3)"),
        (b"[NaN" + LONG + b"]", "invalid JSON: invalid character 'N' looking for beginning of value"),
        (b"[" * 50_000 + b"]" * 50_000, "invalid JSON: exceeded max depth"),
    ],
)
def test_long_texts_are_refused_without_being_scanned(data: bytes, message: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        parse_json(data)
    assert str(caught.value) == message


def test_long_texts_are_mended_too() -> None:
    assert parse_json(LONG + b'["\xff", "\\uD800"]') == ["\ufffd", "\ufffd"]


def test_numbers_without_end() -> None:
    assert parse_json(b"9" * 5000) == float("inf")
