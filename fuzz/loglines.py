"""Messages out of log files of any bytes: never an error, the same from whole files and from pieces, and every form can carry them."""

import itertools

from wharfd.wire import fluent, gelf, journal, syslog
from wharfd.wire.loglines import LONGEST, Assembler

_T = b"2024-01-01T00:00:00.123456789+00:00"
SEEDS = [
    _T + b" stdout F one\n" + _T + b" stderr P tw\n" + _T + b" stdout F three\n" + _T + b" stderr F o\n",
    _T + b" stdout P " + b"x" * 20_000 + b"\n" + _T + b" stdout E \n",
    b"\0\0\0" + _T + b" stdout F \xff\n" + b"0001-12-31T23:59:59.000000000-01:30 stdout F z\n" * 3,
]


def assembler() -> Assembler:
    numbers = itertools.count()
    return Assembler(lambda: str(next(numbers)))


def fuzz_one(data: bytes) -> None:
    one, other = assembler(), assembler()
    whole = one.feed(data) + one.finish()
    step = 1 + len(data) % 97
    pieces = [each for at in range(0, len(data), step) for each in other.feed(data[at : at + step])] + other.finish()
    assert whole == pieces
    for message in whole:
        assert len(message.text) <= LONGEST
        for kind in syslog.FORMATS:
            assert syslog.encode(syslog.Header(format=kind), message, 3600).endswith(b"\n")
        gelf.datagrams(gelf.encode(message, "host", {}), b"12345678")
        journal.encode([("MESSAGE", message.text)])
    fluent.encode("tag", whole, {}, sub_second=True)
