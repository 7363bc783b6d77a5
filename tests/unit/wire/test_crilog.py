"""conmon's log file: records, the encoder against a plain model of it, the search for the last lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfd.wire import stdcopy
from wharfd.wire.crilog import (
    MAX_RECORD,
    LogEncoder,
    Record,
    TailStart,
    count_lines,
    first_time,
    format_record,
    last_is_open,
    parse_record,
    parse_time,
    record_time,
    scan,
    tail_start,
    unfinished_lines,
)

BASE = 1_704_067_200_000_000_000  # 2024-01-01T00:00:00Z


def line(text: str, stream: int = 1, partial: bool = False, at: int = 0, zone: bytes | None = None) -> bytes:
    time = record_time(BASE + at)
    return format_record(Record(stream, time[:29] + zone if zone else time, partial, text.encode()))


def test_record_has_the_form_that_conmon_writes() -> None:
    raw = b"2024-01-01T00:00:00.123456789+00:00 stderr P some text"
    record = parse_record(raw)
    assert record == Record(2, b"2024-01-01T00:00:00.123456789+00:00", True, b"some text")
    assert format_record(record) == raw + b"\n"
    assert parse_time(record.time) == BASE + 123_456_789
    assert parse_time(b"2024-01-01T02:30:00.000000000+02:30") == BASE


@pytest.mark.parametrize(
    "raw", [b"", b"x", b"\0" * 200, b"2024-01-01T00:00:00.123456789+00:00 stdout F", b"x" * (MAX_RECORD + 1)]
)
def test_what_is_no_record_is_skipped(raw: bytes) -> None:
    assert parse_record(raw) is None
    data = raw + b"\n" + line("after")
    assert LogEncoder(framed=False).feed(data) == b"after\n"
    encoder = LogEncoder(framed=False)
    assert b"".join(encoder.feed(data[i : i + 1000]) for i in range(0, len(data), 1000)) == b"after\n"


def test_zeros_before_a_record_are_dropped() -> None:
    assert LogEncoder(framed=False).feed(b"\0\0\0" + line("a")) == b"a\n"


def test_frames_and_raw() -> None:
    data = line("one") + line("two", stream=2)
    assert LogEncoder().feed(data) == stdcopy.frame(1, b"one\n") + stdcopy.frame(2, b"two\n")
    assert LogEncoder(framed=False).feed(data) == b"one\ntwo\n"
    assert LogEncoder(stdout=False).feed(data) == stdcopy.frame(2, b"two\n")
    assert LogEncoder(stderr=False, framed=False).feed(data * 50) == b"one\n" * 50


def test_pieces_are_joined_and_carry_one_time() -> None:
    data = line("a", partial=True, at=1) + line("E", stream=2, at=2) + line("b", partial=True, at=3) + line("c", at=4)
    encoder = LogEncoder(timestamps=True)
    assert encoder.feed(data) == stdcopy.frame(2, b"2024-01-01T00:00:00.000000002Z E\n") + stdcopy.frame(
        1, b"2024-01-01T00:00:00.000000001Z abc\n"
    )


def test_flush_gives_an_unfinished_line_and_goes_on_without_a_second_time() -> None:
    encoder = LogEncoder(timestamps=True, framed=False, prefix=b"k=v ")
    assert encoder.feed(line("Password: ", partial=True)) == b""
    assert encoder.flush() == b"2024-01-01T00:00:00.000000000Z k=v Password: "
    assert encoder.flush() == b""
    assert encoder.feed(line("***") + line("ok", at=5)) == b"***\n2024-01-01T00:00:00.000000005Z k=v ok\n"


def test_a_huge_line_is_given_in_pieces() -> None:
    piece = "x" * 8000
    data = b"".join(line(piece, partial=True) for _ in range(10)) + line("end")
    encoder = LogEncoder(timestamps=True)
    decoded = stdcopy.Decoder().feed(encoder.feed(data))
    assert len(decoded) > 3
    assert max(len(payload) for _, payload in decoded) < stdcopy.MAX_PAYLOAD
    assert (
        b"".join(payload for _, payload in decoded)
        == b"2024-01-01T00:00:00.000000000Z " + piece.encode() * 10 + b"end\n"
    )


def test_other_zones_become_utc() -> None:
    encoder = LogEncoder(timestamps=True, framed=False)
    assert encoder.feed(line("x", zone=b"+01:00") * 20) == b"2023-12-31T23:00:00.000000000Z x\n" * 20


def test_time_bounds_include_their_ends() -> None:
    data = b"".join(line(str(n), at=n * 10) for n in range(100))
    encoder = LogEncoder(framed=False, since_ns=BASE + 200, until_ns=BASE + 290)
    assert encoder.feed(data) == b"".join(b"%d\n" % n for n in range(20, 30))
    assert encoder.finished
    assert encoder.feed(data) == b""


def test_a_line_counts_at_the_time_it_began() -> None:
    data = line("a", partial=True, at=1) + line("b", at=10) + line("c", partial=True, at=11) + line("d", at=30)
    encoder = LogEncoder(framed=False, since_ns=BASE + 5, until_ns=BASE + 20)
    assert encoder.feed(data) == b"cd\n"
    assert not encoder.finished


records = st.lists(
    st.tuples(
        st.sampled_from([1, 2]),
        st.booleans(),
        st.integers(0, 60),
        st.sampled_from([None, None, None, b"+02:00"]),
        st.binary(max_size=9).map(lambda b: b.replace(b"\n", b" ").replace(b"\0", b" ")),
    ),
    max_size=60,
)


def render(drawn: list[tuple[int, bool, int, bytes | None, bytes]]) -> bytes:
    out = []
    for stream, partial, at, zone, text in drawn:
        time = record_time(BASE + at)
        out.append(format_record(Record(stream, time[:29] + zone if zone else time, partial, text)))
    return b"".join(out)


def plain_lines(data: bytes) -> list[tuple[int, int, bytes, bool]]:
    """The plain model: stream, time, text, ended; in the order in which lines end, unfinished ones last."""
    done, open_lines = [], dict[int, tuple[int, list[bytes]]]()
    for record in scan(data):
        at, parts = open_lines.setdefault(record.stream, (parse_time(record.time), []))
        parts.append(record.text)
        if not record.partial:
            done.append((record.stream, at, b"".join(parts), True))
            del open_lines[record.stream]
    return done + [(stream, at, b"".join(parts), False) for stream, (at, parts) in open_lines.items()]


@given(
    records,
    st.lists(st.integers(1, 400), min_size=1, max_size=8),
    st.booleans(),
    st.booleans(),
    st.sampled_from([b"", b"k=v "]),
    st.integers(0, 60),
    st.sampled_from([(True, True), (True, False), (False, True)]),
)
def test_encoder_agrees_with_the_plain_model_for_any_cutting(
    drawn: list[tuple[int, bool, int, bytes | None, bytes]],
    cuts: list[int],
    framed: bool,
    timestamps: bool,
    prefix: bytes,
    since: int,
    streams: tuple[bool, bool],
) -> None:
    data = render(drawn)
    encoder = LogEncoder(
        framed=framed,
        timestamps=timestamps,
        prefix=prefix,
        since_ns=BASE + since if since else 0,
        stdout=streams[0],
        stderr=streams[1],
    )
    got, at, turn = b"", 0, 0
    while at < len(data):
        got += encoder.feed(data[at : at + cuts[turn % len(cuts)]])
        at += cuts[turn % len(cuts)]
        turn += 1
    got += encoder.flush()
    expected = b""
    for stream, time, text, ended in plain_lines(data):
        if not streams[stream - 1] or (since and time < BASE + since):
            continue
        payload = (record_time(time)[:29] + b"Z " if timestamps else b"") + prefix + text + (b"\n" if ended else b"")
        expected += stdcopy.frame(stream, payload) if framed else payload
    assert got == expected


@given(records, st.integers(0, 30))
def test_tail_gives_the_last_lines(drawn: list[tuple[int, bool, int, bytes | None, bytes]], wanted: int) -> None:
    data = render(drawn)
    start = tail_start(data, wanted, whole=True)
    assert start is not None
    encoder = LogEncoder(skip_lines=start.skip)
    got = encoder.feed(data[start.offset :]) + encoder.flush()
    lines = plain_lines(data)
    open_streams = {stream for stream, _, _, ended in lines if not ended}
    if wanted == 0 or len(open_streams) > wanted:
        return  # of two unfinished lines neither is the last
    frames = [stdcopy.frame(stream, text + (b"\n" if ended else b"")) for stream, _, text, ended in lines]
    assert got == b"".join(frames[-wanted:])


def test_tail_asks_for_a_larger_window() -> None:
    data = b"".join(line(str(n)) for n in range(100))
    window = data[-500:]
    assert tail_start(window, 50, whole=False) is None
    found = tail_start(window, 3, whole=False)
    assert found is not None
    assert window[found.offset :] == line("97") + line("98") + line("99")
    assert tail_start(data, 1000, whole=True) == TailStart(0, 0)
    assert tail_start(data, 0, whole=True) == TailStart(len(data), 0)
    assert count_lines(data) == 100


def test_a_line_that_has_not_ended_is_the_last() -> None:
    data = line("old") + line("begun", partial=True) + line("other", stream=2)
    start = tail_start(data, 1, whole=True)
    assert start == TailStart(len(line("old")), 1)
    encoder = LogEncoder(framed=False, skip_lines=start.skip)
    assert encoder.feed(data[start.offset :] + line(" ended")) == b"begun ended\n"


def test_finish_ends_what_was_begun() -> None:
    encoder = LogEncoder(timestamps=True)
    assert encoder.feed(line("a", partial=True) + line("E", stream=2, partial=True, at=1)) == b""
    assert stdcopy.Decoder().feed(encoder.finish()) == [
        (1, b"2024-01-01T00:00:00.000000000Z a"),
        (2, b"2024-01-01T00:00:00.000000001Z E"),
    ]
    assert encoder.finish() == b""


@pytest.mark.parametrize("begun", [0, 1, 20])
def test_a_line_that_is_over_without_a_newline_ends_among_others(begun: int) -> None:
    over = format_record(Record(1, record_time(BASE), False, b"", cut=True))
    data = line("x") * begun + line("a", partial=True) + over + line("b") * 20
    encoder = LogEncoder(framed=False)
    assert encoder.feed(data) == b"x\n" * begun + b"a" + b"b\n" * 20
    assert LogEncoder().feed(over) == b""
    assert count_lines(data) == begun + 21
    start = tail_start(data, 21, whole=True)
    assert start is not None
    assert LogEncoder(framed=False, skip_lines=start.skip).feed(data[start.offset :]) == b"a" + b"b\n" * 20


def test_finish_gives_only_what_is_wanted() -> None:
    encoder = LogEncoder(stdout=False, framed=False, since_ns=BASE + 5)
    encoder.feed(line("a", partial=True, at=9) + line("old", stream=2, partial=True))
    assert encoder.finish() == b""


def test_blocks_of_one_stream_and_of_both_give_the_same_lines() -> None:
    block = b"".join(line(str(n), stream=1 + (n % 5 == 0), at=n) for n in range(40))
    both = stdcopy.Decoder().feed(LogEncoder(timestamps=True).feed(block))
    ones = [stdcopy.Decoder().feed(LogEncoder(stdout=out, stderr=not out).feed(block)) for out in (True, False)]
    assert both == [(1 + (n % 5 == 0), b"%b %d\n" % (record_time(BASE + n)[:29] + b"Z", n)) for n in range(40)]
    assert [text for _, text in ones[1]] == [b"%d\n" % n for n in range(0, 40, 5)]
    assert len(ones[0]) == 32


@given(records, st.lists(st.binary(max_size=60), max_size=3))
def test_lines_are_counted_with_and_without_junk(
    drawn: list[tuple[int, bool, int, bytes | None, bytes]], junk: list[bytes]
) -> None:
    data = render(drawn) + b"".join(piece + b"\n" for piece in junk)
    assert count_lines(data) == sum(1 for record in scan(data) if not record.partial)


def test_the_first_time_behind_a_newline() -> None:
    first, second = line("a", at=1), line("b", at=2, zone=b"+01:00")
    assert first_time(first + second) == (len(first), BASE + 2 - 3600 * 10**9)
    assert first_time(b"cut\n" + b"junk\n" + first) == (9, BASE + 1)
    assert first_time(b"cut\n" + first.replace(b"2024-01", b"2024-13") + second) is not None
    assert first_time(first) is None
    assert first_time(first + second[:-1]) is None
    assert first_time(b"") is None


def test_lines_are_counted_back_from_the_middle_of_a_file() -> None:
    data = line("1") + line("2", partial=True) + line("x", stream=2) + line("3")
    assert tail_start(data, 1, whole=True, goes_on=True) == TailStart(len(line("1")), 1)
    # A line that is open at the end belongs to what comes behind: it is not counted, but its beginning is not lost either.
    data = line("1") + line("2") + line("open", partial=True)
    assert tail_start(data, 1, whole=True, goes_on=True) == TailStart(len(line("1")), 0)
    assert tail_start(data, 0, whole=True, goes_on=True) == TailStart(len(line("1") + line("2")), 0)
    assert unfinished_lines(data, whole=True) == 1


def test_a_line_that_began_in_time_ends_behind_one_that_did_not() -> None:
    log = (
        b"2024-01-01T00:00:00.000000001+00:00 stderr P a\n"
        b"2024-01-01T00:00:00.000000009+00:00 stdout P late\n"
        b"2024-01-01T00:00:00.000000009+00:00 stderr F b\n"
        b"2024-01-01T00:00:00.000000010+00:00 stderr F later\n"
    )
    until_ns = 1_704_067_200_000_000_005
    encoder = LogEncoder(stdout=True, stderr=True, framed=False, timestamps=False, until_ns=until_ns)
    assert encoder.feed(log) == b"ab\n"
    assert encoder.finished


def test_streams_whose_last_line_is_open() -> None:
    time = record_time(10**18)
    pieces = [(1, True), (2, True), (1, False), (2, True), (1, False)]
    block = b"".join(format_record(Record(stream, time, partial, b"x")) for stream, partial in pieces)
    assert last_is_open(block) == {1: False, 2: True}
    assert last_is_open(
        b"cut off\n" + block[: block.rindex(time)] + b"no record, but o in the place of a stream\n"
    ) == {
        1: False,
        2: True,
    }
    assert last_is_open(format_record(Record(2, time, True, b""))) == {2: True}
    assert last_is_open(b"") == last_is_open(b"\n") == {}
