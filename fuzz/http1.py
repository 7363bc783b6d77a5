"""Heads of any bytes: a head that tells one story, or HttpError.  Chunks of any bytes: the same for any cutting."""

from wharfd.wire.http1 import ChunkedDecoder, HttpError, find_head_end, parse_head

SEEDS = [
    b"GET /v1.40//containers/a%20b/json?all=1 HTTP/1.1\r\nHost: docker\r\nUser-Agent: x\r\n\r\n",
    b"POST http://localhost/x HTTP/1.1\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\nUpgrade: tcp\r\n\r\n",
    b"POST /x HTTP/1.0\r\nContent-Length: 12\r\nConnection: keep-alive, close\r\n\r\n",
    b"5;a=b\r\nhello\r\n0A\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\nGET / HTTP/1.1\r\n\r\n",
]


def _decode(data: bytes, step: int) -> tuple[bytes, int | None, bool, bytes]:
    decoder = ChunkedDecoder()
    out = b""
    try:
        for at in range(0, len(data), step):
            out += decoder.feed(data[at : at + step])
    except HttpError as error:
        return b"", error.status, False, b""
    return out, None, decoder.is_done, decoder.rest


def fuzz_one(data: bytes) -> None:
    end = find_head_end(data)
    try:
        head = parse_head(data if end < 0 else data[:end])
    except HttpError:
        pass
    else:
        names = [name for name, _ in head.headers]
        assert not (head.is_chunked and (head.content_length or "content-length" in names))
        assert names.count("content-length") <= 1
        assert not any(c in value for _, value in head.headers for c in "\r\n\0")
        assert not any(c in head.target for c in " \r\n\0")
    whole = _decode(data, len(data) or 1)
    assert whole == _decode(data, 1) == _decode(data, 7)
