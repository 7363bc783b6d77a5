"""Messages out of a log's records: whole lines, pieces, two streams, and going on elsewhere."""

import itertools
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from wharfd.testing.clock import START_NS
from wharfd.wire.crilog import Record, format_record, record_time
from wharfd.wire.loglines import LONGEST, Assembler, Message, Part


def record(text: bytes, *, stream: int = 1, partial: bool = False, cut: bool = False, at: int = 0) -> bytes:
    return format_record(Record(stream, record_time(START_NS + at), partial, text, cut))


def assembler() -> Assembler:
    numbers = itertools.count(1)
    return Assembler(lambda: f"id{next(numbers)}")


def message(text: bytes, *, stream: int = 1, at: int = 0, part: Part | None = None) -> Message:
    return Message(stream, START_NS + at, text, part)


def test_whole_lines() -> None:
    data = record(b"one") + record(b"", stream=2, at=1) + record(b"three", at=2)
    assert assembler().feed(data) == [message(b"one"), message(b"", stream=2, at=1), message(b"three", at=2)]


def test_pieces_are_joined_and_have_the_time_of_the_first() -> None:
    data = record(b"a", partial=True) + record(b"x", stream=2, at=1) + record(b"b", at=2)
    assert assembler().feed(data) == [message(b"x", stream=2, at=1), message(b"ab")]


def test_a_long_line_comes_in_parts() -> None:
    data = record(b"x" * LONGEST, partial=True) + record(b"y" * LONGEST, partial=True) + record(b"z")
    assert assembler().feed(data) == [
        message(b"x" * LONGEST, part=Part("id1", 1, False)),
        message(b"y" * LONGEST, part=Part("id1", 2, False)),
        message(b"z", part=Part("id1", 3, True)),
    ]
    assert assembler().feed(record(b"x" * LONGEST)) == [message(b"x" * LONGEST)]
    assert assembler().feed(record(b"x" * (2 * LONGEST + 1))) == [
        message(b"x" * LONGEST, part=Part("id1", 1, False)),
        message(b"x" * LONGEST, part=Part("id1", 2, False)),
        message(b"x", part=Part("id1", 3, True)),
    ]


def test_the_end_of_the_container_ends_its_lines() -> None:
    one = assembler()
    assert one.feed(record(b"ab", partial=True)) == []
    assert one.finish() == [message(b"ab", part=Part("id1", 1, False))]
    assert one.finish() == []
    # What is written when the container is started again.
    assert one.feed(record(b"", cut=True) + record(b"new", at=1)) == [message(b"new", at=1)]


def test_a_line_that_was_cut_is_whole() -> None:
    assert assembler().feed(record(b"ab", partial=True) + record(b"", cut=True)) == [message(b"ab")]


def test_what_is_no_record_is_left_out() -> None:
    assert assembler().feed(b"nonsense\n" + record(b"one") + b"\0\0\0\n") == [message(b"one")]


LINES = st.lists(
    st.tuples(st.sampled_from([1, 1, 2]), st.booleans(), st.integers(0, 3 * LONGEST // 2), st.integers(0, 255)),
    max_size=12,
)


def joined(messages: Sequence[Message]) -> dict[int, bytes]:
    """What each stream has said."""
    said = {1: b"", 2: b""}
    for each in messages:
        said[each.stream] += each.text + (b"" if each.part is not None and not each.part.is_last else b"\n")
    return said


@given(LINES, st.lists(st.integers(1, 5000), min_size=1, max_size=5), st.data())
def test_any_cutting_and_any_handing_over(
    lines: list[tuple[int, bool, int, int]], cuts: list[int], data: st.DataObject
) -> None:
    records = [
        record(bytes([byte]).replace(b"\n", b"x") * size, stream=stream, partial=partial, at=number)
        for number, (stream, partial, size, byte) in enumerate(lines)
    ]
    whole = b"".join(records)
    expected = assembler().feed(whole)
    one, found, at = assembler(), [], 0
    for size in itertools.cycle(cuts):
        if at >= len(whole):
            break
        found += one.feed(whole[at : at + size])
        at += size
        if data.draw(st.booleans()):  # another engine goes on from what was put down
            at -= len(one.rest)
            before, one = one, assembler()
            one.lines = {line.stream: line for line in before.open_lines}
            if size <= len(before.rest):
                found += one.feed(whole[at : at + size + len(before.rest)])
                at += size + len(before.rest)
    assert joined(found) == joined(expected)
    assert [(each.stream, each.at_ns, each.text) for each in found] == [
        (each.stream, each.at_ns, each.text) for each in expected
    ]
