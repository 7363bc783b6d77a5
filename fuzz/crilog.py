"""Log files of any bytes: never an error, and the same output whether read at once or in pieces."""

from wharfd.wire.crilog import LogEncoder, scan, tail_start

_T = b"2024-01-01T00:00:00.123456789+00:00"
SEEDS = [
    (_T + b" stdout F some text\n") * 12
    + _T
    + b" stderr P pie\n"
    + _T
    + b" stderr F ce\n"
    + (_T + b" stdout F x\n") * 9,
    _T + b" stdout P a\n" + _T + b" stderr P b\n" + _T + b" stdout F c\n" + _T + b" stderr F d\n",
    b"\0\0\0" + _T + b" stdout F \n" + b"2023-12-31T23:59:59.000000000-01:30 stdout F z\n" * 10,
]


def fuzz_one(data: bytes) -> None:
    list(scan(data))
    for count in (0, 1, 3, 1000):
        start = tail_start(data, count, whole=True)
        assert start is not None
        assert 0 <= start.offset <= len(data)
        tail_start(data, count, whole=False)
    for timestamps, framed, since in ((False, True, 0), (True, False, 0), (True, True, 1_704_067_200_000_000_000)):
        whole = LogEncoder(timestamps=timestamps, framed=framed, since_ns=since)
        cut = LogEncoder(timestamps=timestamps, framed=framed, since_ns=since)
        at_once = whole.feed(data) + whole.flush()
        step = 1 + len(data) % 97
        pieces = b"".join(cut.feed(data[at : at + step]) for at in range(0, len(data), step)) + cut.flush()
        assert at_once == pieces
