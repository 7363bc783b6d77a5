"""HTTP/2: two connections talk to each other; hostile frames end in `Http2Error` and nothing else."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wharfd.wire import http2
from wharfd.wire.http2 import Code, Connection, Data, Event, GoAway, Headers, Http2Error, Reset, WindowOpened

REQUEST = [(":method", "POST"), (":path", "/a/b"), ("x", "é")]


def output(connection: Connection) -> bytes:
    return b"".join(connection.take_output())


def pair() -> tuple[Connection, Connection]:
    client, server = Connection(is_client=True), Connection(is_client=False)
    client.start()
    server.start()
    exchange(client, server)
    return client, server


def exchange(a: Connection, b: Connection) -> tuple[list[Event], list[Event]]:
    """Until nobody has anything to say: what each has seen."""
    at_a: list[Event] = []
    at_b: list[Event] = []
    while True:
        to_b, to_a = output(a), output(b)
        if not to_a and not to_b:
            return meaning(at_a), meaning(at_b)
        at_b += b.feed(to_b)
        at_a += a.feed(to_a)


def meaning(events: list[Event]) -> list[Event]:
    return [event for event in events if not isinstance(event, WindowOpened)]


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


SETTINGS = frame(4, 0, 0)


def test_a_call_and_its_answer() -> None:
    client, server = pair()
    number = client.open(REQUEST)
    client.send_data(number, memoryview(b"hello"), end=True)
    _, seen = exchange(client, server)
    assert seen == [Headers(1, REQUEST, False), Data(1, memoryview(b"hello"), 5, True)]
    server.send_headers(1, [(":status", "200")])
    server.send_data(1, memoryview(b"you"))
    server.send_headers(1, [("grpc-status", "0")], end=True)
    seen, _ = exchange(client, server)
    assert seen == [
        Headers(1, [(":status", "200")], False),
        Data(1, memoryview(b"you"), 3, False),
        Headers(1, [("grpc-status", "0")], True),
    ]
    assert not client.streams
    assert not server.streams


@settings(max_examples=30)
@given(st.lists(st.integers(1, 4000), max_size=40), st.binary(max_size=20_000))
def test_any_split_of_the_input_gives_the_same(cuts: list[int], payload: bytes) -> None:
    client, server = Connection(is_client=True), Connection(is_client=False)
    client.start()
    number = client.open([*REQUEST, ("long", "x" * 40_000)])
    client.send_data(number, memoryview(payload), end=True)
    data = output(client)
    events: list[Event] = []
    for cut in cuts:
        events += server.feed(data[:cut])
        data = data[cut:]
    events += server.feed(data)
    assert next(event for event in events if isinstance(event, Headers)).headers[-1] == ("long", "x" * 40_000)
    assert b"".join(event.data for event in events if isinstance(event, Data)) == payload


def test_data_waits_for_the_window() -> None:
    client, server = pair()
    number = client.open(REQUEST)
    assert client.sendable(number) == http2.STREAM_WINDOW
    client.send_data(number, memoryview(bytes(http2.STREAM_WINDOW)))
    assert client.sendable(number) == 0
    _, seen = exchange(client, server)
    assert sum(event.size for event in seen if isinstance(event, Data)) == http2.STREAM_WINDOW
    server.acknowledge(number, http2.STREAM_WINDOW // 2)
    exchange(client, server)
    assert client.sendable(number) == http2.STREAM_WINDOW // 2


def test_a_slow_stream_leaves_room_for_others() -> None:
    client, server = pair()
    slow, other = client.open(REQUEST), client.open(REQUEST)
    client.send_data(slow, memoryview(bytes(http2.STREAM_WINDOW)))
    exchange(client, server)
    assert client.sendable(other) > 0


def test_more_than_the_window_is_refused() -> None:
    client, server = pair()
    number = client.open(REQUEST)
    client.streams[number].send_window = client.send_window = 1 << 30
    client.send_data(number, memoryview(bytes(http2.STREAM_WINDOW + 1)))
    with pytest.raises(Http2Error) as caught:
        server.feed(output(client))
    assert caught.value.code is Code.FLOW_CONTROL_ERROR
    assert isinstance(client.feed(output(server))[-1], GoAway)


def test_a_reset_ends_a_stream_for_both() -> None:
    client, server = pair()
    number = client.open(REQUEST)
    exchange(client, server)
    client.reset(number, Code.CANCEL)
    _, seen = exchange(client, server)
    assert seen == [Reset(number, Code.CANCEL)]
    server.send_headers(number, [(":status", "200")], end=True)
    assert output(server) == b""


def test_data_of_a_stream_that_was_reset_is_acknowledged() -> None:
    client, server = pair()
    number = client.open(REQUEST)
    exchange(client, server)
    server.reset(number, Code.CANCEL)
    before = client.send_window
    for _ in range(2):
        client.send_data(number, memoryview(bytes(2 << 20)))
    client.send_data(number, memoryview(b"x"))
    exchange(client, server)
    assert client.send_window >= before - (1 << 20)


def test_a_server_refuses_more_streams_than_it_says() -> None:
    client, server = pair()
    client.peer_max_streams = 1 << 20
    for _ in range(http2.MAX_STREAMS + 1):
        client.open(REQUEST)
    seen, _ = exchange(client, server)
    assert seen == [Reset(2 * http2.MAX_STREAMS + 1, Code.REFUSED_STREAM)]


def test_a_client_knows_how_many_streams_are_taken() -> None:
    client, _ = pair()
    for _ in range(http2.MAX_STREAMS):
        assert client.can_open
        client.open(REQUEST)
    assert not client.can_open


def test_a_new_window_counts_for_open_streams() -> None:
    client, _ = pair()
    number = client.open(REQUEST)
    client.feed(frame(4, 0, 0, struct.pack(">HL", 4, 10)))
    assert client.sendable(number) == 10
    client.send_data(number, memoryview(bytes(10)))
    client.feed(frame(4, 0, 0, struct.pack(">HL", 4, 5)))
    assert client.sendable(number) == 0


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        (frame(6, 0, 0, bytes(8)), Code.PROTOCOL_ERROR),  # settings come first
        (SETTINGS + frame(6, 0, 0, b"short"), Code.FRAME_SIZE_ERROR),
        (SETTINGS + frame(0, 0, 5, b"x"), Code.PROTOCOL_ERROR),  # a stream that nobody has begun
        (SETTINGS + frame(0, 0, 0, b"x"), Code.PROTOCOL_ERROR),
        (SETTINGS + frame(1, 4, 2, b"\x88"), Code.PROTOCOL_ERROR),
        (SETTINGS + frame(1, 0, 1, b"\x88") + frame(6, 0, 0, bytes(8)), Code.PROTOCOL_ERROR),
        (SETTINGS + frame(9, 4, 1, b"\x88"), Code.PROTOCOL_ERROR),
        (SETTINGS + frame(1, 4, 1, b"\xff\xff\xff\xff\xff\xff\xff"), Code.COMPRESSION_ERROR),
        (SETTINGS + frame(1, 12, 1, b"\x09\x88"), Code.PROTOCOL_ERROR),  # more padding than payload
        (SETTINGS + frame(5, 4, 1, bytes(8)), Code.PROTOCOL_ERROR),
        (SETTINGS + frame(8, 0, 0, bytes(4)), Code.PROTOCOL_ERROR),
        (SETTINGS + frame(8, 0, 0, struct.pack(">L", (1 << 31) - 1)), Code.FLOW_CONTROL_ERROR),
        (frame(4, 0, 0, struct.pack(">HL", 5, 1)), Code.PROTOCOL_ERROR),
        (frame(4, 0, 0, struct.pack(">HL", 4, 1 << 31)), Code.FLOW_CONTROL_ERROR),
        (frame(4, 0, 0, b"xyz"), Code.FRAME_SIZE_ERROR),
        (SETTINGS + b"\xff\xff\xff\x00\x00\x00\x00\x00\x01", Code.FRAME_SIZE_ERROR),
        (SETTINGS + frame(1, 5, 1, b"\x88") + frame(0, 0, 1, b"x") * 1, None),  # after the end, answered: thrown away
    ],
)
def test_broken_frames(frames: bytes, code: Code | None) -> None:
    server = Connection(is_client=False)
    with pytest.raises(Http2Error) as caught:
        server.feed(http2.PREFACE + frames)
    assert caught.value.code is (code or Code.STREAM_CLOSED)


def test_no_preface() -> None:
    with pytest.raises(Http2Error):
        Connection(is_client=False).feed(b"GET / HTTP/1.1\r\n")


def test_a_header_block_without_end_is_given_up() -> None:
    server = Connection(is_client=False)
    server.feed(http2.PREFACE + SETTINGS + frame(1, 0, 1, bytes(16_000)))
    with pytest.raises(Http2Error) as caught:
        for _ in range(100):
            server.feed(frame(9, 0, 1, bytes(16_000)))
    assert caught.value.code is Code.ENHANCE_YOUR_CALM


@given(
    st.lists(
        st.tuples(st.integers(0, 12), st.integers(0, 255), st.integers(0, 7), st.binary(max_size=64)), max_size=30
    ),
    st.booleans(),
)
def test_hostile_frames(frames: list[tuple[int, int, int, bytes]], is_client: bool) -> None:
    connection = Connection(is_client=is_client)
    connection.start()
    if is_client:
        connection.open(REQUEST)
    try:
        connection.feed((b"" if is_client else http2.PREFACE) + SETTINGS)
        for each in frames:
            for event in connection.feed(frame(*each)):
                if isinstance(event, Data):
                    connection.acknowledge(event.stream, event.size)
    except Http2Error:
        pass
    assert len(connection.streams) <= 30


@given(st.binary(max_size=300))
def test_hostile_bytes(data: bytes) -> None:
    connection = Connection(is_client=False)
    try:
        connection.feed(http2.PREFACE + SETTINGS + data)
    except Http2Error:
        pass
