import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfd.wire.gojson import GoJsonError, scan


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "EOF"),
        (b" \n", "EOF"),
        (b"{", "unexpected EOF"),
        (b'{"a":1', "unexpected EOF"),
        (b'"abc', "unexpected EOF"),
        (b"tru", "unexpected EOF"),
        (b"-", "unexpected EOF"),
        (b"1.", "unexpected EOF"),
        (b"x", "invalid character 'x' looking for beginning of value"),
        (b"'a'", "invalid character '\\'' looking for beginning of value"),
        (b"[1,]", "invalid character ']' looking for beginning of value"),
        (b"{a:1}", "invalid character 'a' looking for beginning of object key string"),
        (b'{"a":1,}', "invalid character '}' looking for beginning of object key string"),
        (b'{"a" 1}', "invalid character '1' after object key"),
        (b'{"a":1 "b"}', "invalid character '\"' after object key:value pair"),
        (b"[1 2]", "invalid character '2' after array element"),
        (b"[01]", "invalid character '1' after array element"),
        (b'"\n"', "invalid character '\\n' in string literal"),
        (b'"\x00"', "invalid character '\\x00' in string literal"),
        (b'"\\x"', "invalid character 'x' in string escape code"),
        (b'"\\u12g4"', "invalid character 'g' in \\u hexadecimal character escape"),
        (b'["0, \\u"]]]', "invalid character '\"' in \\u hexadecimal character escape"),
        (b"trve", "invalid character 'v' in literal true (expecting 'u')"),
        (b"nulL", "invalid character 'L' in literal null (expecting 'l')"),
        (b"-x", "invalid character 'x' in numeric literal"),
        (b"1.x", "invalid character 'x' after decimal point in numeric literal"),
        (b"1ex", "invalid character 'x' in exponent of numeric literal"),
        (b"1e+x", "invalid character 'x' in exponent of numeric literal"),
        (b"\xef\xbb\xbf{}", "invalid character 'ï' looking for beginning of value"),
        (b"[" * 20_000, "exceeded max depth"),
    ],
)
def test_go_says(data: bytes, message: str) -> None:
    with pytest.raises(GoJsonError) as caught:
        scan(data)
    assert str(caught.value) == message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


@given(JSON, st.sampled_from([None, 2]), st.sampled_from([b"", b" ", b"x", b"{}"]))
def test_valid_json_is_scanned_to_its_end(value: object, indent: int | None, rest: bytes) -> None:
    data = json.dumps(value, indent=indent).encode()
    if data[-1:].isdigit() and rest[:1] == b"x":
        rest = b""
    assert scan(data + rest) == len(data)


def no_constants(name: str) -> object:
    raise ValueError(name)


@given(st.text('{}[]:,"\\u09aeE+-.tfnrul \n', max_size=40).map(str.encode) | st.binary(max_size=40))
def test_agrees_with_a_strict_parser(data: bytes) -> None:
    try:
        end = scan(data)
    except GoJsonError:
        with pytest.raises(ValueError):
            json.loads(data.decode("latin-1"), parse_constant=no_constants)
    else:
        json.loads(data[:end].decode("latin-1"))
