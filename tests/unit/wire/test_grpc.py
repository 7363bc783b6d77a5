"""gRPC's frames and statuses."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfd.wire.grpc import (
    MessageReader,
    RpcError,
    StatusCode,
    decode_metadata,
    decode_status,
    encode_status,
    frame_message,
    parse_timeout,
)


@given(st.lists(st.binary(max_size=40), max_size=8), st.lists(st.integers(1, 30), max_size=30))
def test_any_split_gives_the_same_messages(messages: list[bytes], cuts: list[int]) -> None:
    data = b"".join(frame_message(message) for message in messages)
    reader = MessageReader()
    found: list[bytes] = []
    for cut in [*cuts, len(data)]:
        found += map(bytes, reader.feed(memoryview(data[:cut])))
        data = data[cut:]
    assert found == messages
    assert reader.partial == 0


def test_a_message_in_tiny_pieces_costs_no_more_than_its_size() -> None:
    data = frame_message(bytes(100_000))
    reader = MessageReader()
    tracemalloc.start()
    for at in range(len(data) - 1):
        reader.feed(memoryview(bytes(1000))[:1] if at >= 5 else memoryview(data)[at : at + 1])
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 300_000
    assert reader.feed(memoryview(data)[-1:]) == [bytes(100_000)]


@given(st.binary(max_size=60), st.integers(1, 20))
def test_hostile_data(data: bytes, cut: int) -> None:
    reader = MessageReader(limit=100)
    try:
        for at in range(0, len(data), cut):
            reader.feed(memoryview(data[at : at + cut]))
    except RpcError:
        return
    assert reader.partial <= 105


def test_a_message_that_is_too_long_is_refused_before_it_comes() -> None:
    with pytest.raises(RpcError, match="larger than max") as caught:
        MessageReader(limit=10).feed(memoryview(b"\0\0\0\0\x0b"))
    assert caught.value.code is StatusCode.RESOURCE_EXHAUSTED


@given(st.text(max_size=30), st.lists(st.tuples(st.text(max_size=9), st.binary(max_size=9)), max_size=3))
def test_statuses_there_and_back(message: str, details: list[tuple[str, bytes]]) -> None:
    trailers = encode_status(RpcError(StatusCode.NOT_FOUND, message, details))
    assert all(value.isascii() and value.isprintable() for _, value in trailers)
    found = decode_status(trailers)
    assert found is not None
    assert (found.code, found.message, list(found.details)) == (StatusCode.NOT_FOUND, message, details)


@given(st.lists(st.tuples(st.sampled_from(["grpc-status", "grpc-message", "grpc-status-details-bin"]), st.text())))
def test_hostile_trailers(trailers: list[tuple[str, str]]) -> None:
    decode_status(trailers)


def test_well_done() -> None:
    assert decode_status(encode_status(None)) is None


@pytest.mark.parametrize(
    ("text", "seconds"), [("5S", 5), ("250m", 0.25), ("2M", 120), ("", None), ("1d", None), ("-1S", None)]
)
def test_timeouts(text: str, seconds: float | None) -> None:
    assert parse_timeout(text) == seconds


def test_metadata_keeps_what_is_repeated() -> None:
    headers = [(":path", "/x"), ("a", "1"), ("grpc-timeout", "1S"), ("a", "2"), ("b-bin", "AA")]
    assert decode_metadata(headers) == {"a": ["1", "2"]}
