"""Stream frames."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfd.model.errors import InvalidParameter
from wharfd.wire.stdcopy import MAX_PAYLOAD, Decoder, Stream, frame, frames, header


def test_frame_is_as_documented() -> None:
    assert frame(1, b"hello world\n") == b"\x01\0\0\0\0\0\0\x0chello world\n"
    assert header(2, 0x01020304) == b"\x02\0\0\0\x01\x02\x03\x04"


def test_large_output_is_cut() -> None:
    data = bytes(MAX_PAYLOAD * 2 + 1)
    assert [len(payload) for _, payload in Decoder().feed(frames(1, data))] == [MAX_PAYLOAD, MAX_PAYLOAD, 1]
    assert frames(1, b"") == b""
    assert frames(1, b"x") == frame(1, b"x")


@given(st.lists(st.tuples(st.sampled_from(Stream), st.binary(max_size=50))), st.lists(st.integers(1, 40), min_size=1))
def test_any_cutting_gives_the_same_frames(sent: list[tuple[Stream, bytes]], cuts: list[int]) -> None:
    data = b"".join(frame(stream, payload) for stream, payload in sent)
    decoder = Decoder()
    got, at, turn = [], 0, 0
    while at < len(data):
        got += decoder.feed(data[at : at + cuts[turn % len(cuts)]])
        at += cuts[turn % len(cuts)]
        turn += 1
    assert got == sent
    assert decoder.at_boundary


@pytest.mark.parametrize(
    "data", [b"\x04\0\0\0\0\0\0\0", b"\x01\0\x01\0\0\0\0\0", b"\x01\0\0\0\0\0\x04\x01", b"hello world"]
)
def test_what_is_no_frame_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidParameter):
        Decoder(limit=1024).feed(data)


def test_frames_before_the_broken_one_are_not_given_twice() -> None:
    decoder = Decoder()
    with pytest.raises(InvalidParameter):
        decoder.feed(frame(1, b"x") + b"\xff" * 8)
    assert not decoder.at_boundary
