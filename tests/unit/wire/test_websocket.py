import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfd.model.errors import InvalidParameter
from wharfd.wire.websocket import BrokenFrame, Decoder, Opcode, Piece, accept_headers, close_frame, frame

OPENING = [
    ("host", "d"),
    ("upgrade", "websocket"),
    ("connection", "keep-alive, Upgrade"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("sec-websocket-version", "13"),
]
MASK = b"\x01\x82\x03\xf4"


def masked(
    opcode: int, payload: bytes = b"", *, final: bool = True, mask: bytes = MASK, length: int | None = None
) -> bytes:
    """A client's frame."""
    size = len(payload) if length is None else length
    if size < 126:
        head = bytes((final << 7 | opcode, 0x80 | size))
    elif size < 1 << 16:
        head = bytes((final << 7 | opcode, 0x80 | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((final << 7 | opcode, 0x80 | 127)) + size.to_bytes(8, "big")
    return head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))


def test_the_example_of_the_standard() -> None:
    assert ("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") in accept_headers(OPENING)


def test_no_subprotocol_is_demanded_and_the_first_is_taken() -> None:
    assert not any(name == "Sec-WebSocket-Protocol" for name, _ in accept_headers(OPENING))
    answer = accept_headers([*OPENING, ("sec-websocket-protocol", "tty, raw")])
    assert ("Sec-WebSocket-Protocol", "tty") in answer


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("upgrade", "tcp"),
        ("connection", "close"),
        ("sec-websocket-version", "8"),
        ("sec-websocket-version", ""),
        ("sec-websocket-key", "short"),
        ("sec-websocket-key", "!" * 24),
        ("sec-websocket-key", ""),
    ],
)
def test_what_is_no_opening(name: str, value: str) -> None:
    with pytest.raises(InvalidParameter):
        accept_headers([(key, value if key == name else old) for key, old in OPENING])


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536])
def test_lengths_of_frames(size: int) -> None:
    payload = bytes(size)
    encoded = frame(Opcode.BINARY, payload)
    head = 2 if size < 126 else 4 if size < 65536 else 10
    assert len(encoded) == head + size
    pieces = Decoder().feed(masked(Opcode.BINARY, b"x" * size))
    assert b"".join(piece.data for piece in pieces) == b"x" * size


def test_frames_of_the_server() -> None:
    assert frame(Opcode.TEXT, b"Hello") == bytes.fromhex("810548656c6c6f")  # RFC 6455, 5.7
    assert close_frame(1000) == b"\x88\x02\x03\xe8"


def test_a_masked_frame_of_the_standard() -> None:
    assert Decoder().feed(bytes.fromhex("818537fa213d7f9f4d5158")) == [Piece(Opcode.TEXT, b"Hello")]


def test_a_fragmented_message_with_a_ping_within() -> None:
    data = masked(Opcode.TEXT, b"Hel", final=False) + masked(Opcode.PING, b"?") + masked(Opcode.CONTINUATION, b"lo")
    assert Decoder().feed(data) == [
        Piece(Opcode.TEXT, b"Hel"),
        Piece(Opcode.PING, b"?"),
        Piece(Opcode.TEXT, b"lo"),
    ]


def test_a_long_payload_comes_as_it_arrives() -> None:
    decoder = Decoder()
    sent = masked(Opcode.BINARY, b"abcdefgh" * 1000)
    assert b"".join(piece.data for piece in decoder.feed(sent[:4001])) == (b"abcdefgh" * 1000)[: 4001 - 8]
    assert len(decoder.feed(sent[4001:])) == 1


@pytest.mark.parametrize(
    "data",
    [
        b"\x82\x01x",  # not masked
        b"\xc2\x81" + MASK,  # a reserved bit
        masked(3),
        masked(11),
        masked(Opcode.CONTINUATION, b"x"),
        masked(Opcode.TEXT, b"x", final=False) + masked(Opcode.TEXT, b"y"),
        masked(Opcode.PING, b"x", final=False),
        masked(Opcode.CLOSE, b"x" * 126),
        b"\x82\xff" + b"\xff" * 8 + MASK,
    ],
)
def test_broken_frames(data: bytes) -> None:
    with pytest.raises(BrokenFrame):
        Decoder().feed(data)


@given(
    st.lists(
        st.tuples(st.sampled_from([Opcode.TEXT, Opcode.BINARY, Opcode.PING]), st.binary(max_size=300)), max_size=5
    ),
    st.lists(st.integers(1, 40), min_size=1),
)
def test_any_split_gives_the_same_bytes(messages: list[tuple[Opcode, bytes]], cuts: list[int]) -> None:
    sent = b"".join(masked(opcode, payload[:125] if opcode is Opcode.PING else payload) for opcode, payload in messages)
    decoder, pieces, at, turn = Decoder(), [], 0, 0
    while at < len(sent):
        step = cuts[turn % len(cuts)]
        pieces += decoder.feed(sent[at : at + step])
        at, turn = at + step, turn + 1
    for kinds in ({Opcode.TEXT, Opcode.BINARY}, {Opcode.PING}):
        whole = b"".join(p[:125] if o is Opcode.PING else p for o, p in messages if o in kinds)
        assert b"".join(piece.data for piece in pieces if piece.opcode in kinds) == whole
