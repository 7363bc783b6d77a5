"""A WebSocket client's bytes: pieces, or BrokenFrame; the same however they are split."""

from wharfd.wire.websocket import BrokenFrame, Decoder, Piece

SEEDS = [
    bytes.fromhex("818537fa213d7f9f4d5158"),
    bytes.fromhex("018337fa213d7f9f4d") + bytes.fromhex("898137fa213d08") + bytes.fromhex("808237fa213d5b95"),
    bytes.fromhex("82fe007e00000000") + b"x" * 126,
    bytes.fromhex("888200000000") + b"\x03\xe8",
]


def fuzz_one(data: bytes) -> None:
    whole = decoded(data, len(data) or 1)
    for size in (1, 3):
        assert decoded(data, size) == whole


def decoded(data: bytes, size: int) -> tuple[bytes, list[Piece], bool]:
    """Data bytes, control frames, and whether it broke."""
    decoder, carried, controls = Decoder(), b"", []
    for at in range(0, len(data), size):
        try:
            pieces = decoder.feed(data[at : at + size])
        except BrokenFrame:
            # What came before the break within the same feed is lost with it, so only the fact can be compared.
            return b"", [], True
        carried += b"".join(piece.data for piece in pieces if piece.opcode < 8)
        controls += [piece for piece in pieces if piece.opcode >= 8]
    return carried, controls, False
