from dataclasses import dataclass, field

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from wharfd.engine.streams.window import PIECE_COST, Window
from wharfd.ports.streams import Output


def output(text: str) -> Output:
    return Output(1, text.encode())


def test_a_piece_goes_when_the_last_reader_has_taken_it() -> None:
    window = Window()
    window.append(output("abc"), 2)
    assert window.size == 3 + PIECE_COST
    assert window.take(0, 100) == ([output("abc")], 1)
    assert window.size == 3 + PIECE_COST
    assert window.take(0, 100) == ([output("abc")], 1)
    assert (window.size, window.first, window.end) == (0, 1, 1)


def test_what_is_taken_at_a_time_is_limited_but_never_nothing() -> None:
    window = Window()
    for text in ("aa", "bb", "cc"):
        window.append(output(text), 1)
    taken, position = window.take(0, 3)
    assert [each.data for each in taken] == [b"aa", b"bb"]
    taken, position = window.take(position, 1)
    assert [each.data for each in taken] == [b"cc"]
    assert window.take(position, 1) == ([], 3)


def test_who_leaves_is_not_waited_for() -> None:
    window = Window()
    window.append(output("a"), 2)
    window.append(output("b"), 2)
    _, position = window.take(0, 100)
    window.leave(0)
    assert (position, window.size) == (2, 0)


@dataclass(eq=False)
class Reader:
    position: int
    expected: list[bytes] = field(default_factory=list)
    got: list[bytes] = field(default_factory=list)


class Readers(RuleBasedStateMachine):
    """Any number of readers that come, read and go: each gets what was written while it was there, in order, and nothing is kept longer."""

    def __init__(self) -> None:
        super().__init__()
        self.window = Window()
        self.readers: list[Reader] = []
        self.written = 0

    @rule()
    def come(self) -> None:
        self.readers.append(Reader(self.window.end))

    @precondition(lambda self: self.readers)
    @rule()
    def write(self) -> None:
        data = b"%d" % self.written
        self.written += 1
        self.window.append(Output(1, data), len(self.readers))
        for reader in self.readers:
            reader.expected.append(data)

    @precondition(lambda self: self.readers)
    @rule(number=st.integers(0, 9), limit=st.integers(1, 8))
    def read(self, number: int, limit: int) -> None:
        reader = self.readers[number % len(self.readers)]
        taken, reader.position = self.window.take(reader.position, limit)
        reader.got += [each.data for each in taken]
        assert taken or reader.got == reader.expected

    @precondition(lambda self: self.readers)
    @rule(number=st.integers(0, 9))
    def leave(self, number: int) -> None:
        reader = self.readers.pop(number % len(self.readers))
        assert reader.got == reader.expected[: len(reader.got)]
        self.window.leave(reader.position)

    @invariant()
    def nothing_is_kept_for_nobody(self) -> None:
        slowest = min((reader.position for reader in self.readers), default=self.window.end)
        assert self.window.first == slowest
        assert list(self.window.pieces) == list(range(slowest, self.window.end))


TestReaders = Readers.TestCase
