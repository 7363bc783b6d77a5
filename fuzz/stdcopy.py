"""Frames of any bytes: frames or InvalidParameter, and the same for any cutting."""

from wharfd.model.errors import InvalidParameter
from wharfd.wire.stdcopy import Decoder, Stream, frame, frames

SEEDS = [frame(1, b"hello\n") + frame(2, b"") + frame(3, b"error"), frames(0, bytes(100), limit=7)]


def _decode(data: bytes, step: int) -> list[tuple[Stream, bytes]] | None:
    decoder = Decoder(limit=1 << 20)
    out: list[tuple[Stream, bytes]] = []
    try:
        for at in range(0, len(data), step):
            out += decoder.feed(data[at : at + step])
    except InvalidParameter:
        return None
    return out


def fuzz_one(data: bytes) -> None:
    whole = _decode(data, len(data) or 1)
    assert whole == _decode(data, 3)
    if whole is not None:
        assert data.startswith(b"".join(frame(stream, payload) for stream, payload in whole))
