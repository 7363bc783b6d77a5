"""Docker's json-file lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfd.model.errors import InvalidParameter
from wharfd.wire.crilog import Record
from wharfd.wire.jsonlog import Line, decode, encode, from_record


def test_line_is_as_dockerd_writes_it() -> None:
    line = Line(text="hello\n", stream=1, at_ns=1_704_067_200_120_000_000)
    assert encode(line) == b'{"log":"hello\\n","stream":"stdout","time":"2024-01-01T00:00:00.12Z"}\n'
    named = Line(text="x", stream=2, at_ns=1_704_067_200_000_000_000, attributes={"k": "v"})
    assert encode(named) == b'{"log":"x","stream":"stderr","attrs":{"k":"v"},"time":"2024-01-01T00:00:00Z"}\n'


def test_from_conmon_s_records() -> None:
    time = b"2024-01-01T01:00:00.000000005+01:00"
    assert from_record(Record(1, time, False, b"a\xffb")) == Line(
        text="a�b\n", stream=1, at_ns=1_704_067_200_000_000_005
    )
    assert from_record(Record(2, time, True, b""), {"a": "b"}) == Line(
        text="", stream=2, at_ns=1_704_067_200_000_000_005, attributes={"a": "b"}
    )
    with pytest.raises(InvalidParameter):
        from_record(Record(1, b"x" * 35, False, b""))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x",
        b"[]",
        b'{"log":1}',
        b'{"log":"x","stream":"stdin","time":"2024-01-01T00:00:00Z"}',
        b'{"log":"x","stream":"stdout"}',
        b"\xff",
    ],
)
def test_refused(data: bytes) -> None:
    with pytest.raises(InvalidParameter):
        decode(data)


lines = st.builds(
    Line,
    text=st.text(),
    stream=st.sampled_from([1, 2]),
    at_ns=st.integers(1, (1 << 63) - 1),
    attributes=st.one_of(st.none(), st.dictionaries(st.text(max_size=4), st.text(max_size=4))),
)


@given(lines)
def test_round_trip(line: Line) -> None:
    data = encode(line)
    assert data.count(b"\n") == 1
    assert decode(data) == line
    assert decode(data.rstrip(b"\n")) == line
