"""The order in which a step's output is told, of two streams that were read apart."""

import pytest

from wharfd.engine.build.execution.process import whole_lines_first
from wharfd.ports.streams import Output

OUT, ERR = 1, 2


@pytest.mark.parametrize(
    ("read", "told"),
    [
        ([(OUT, b"a\nb\n"), (ERR, b"c\n")], [(OUT, b"a\nb\n"), (ERR, b"c\n")]),
        ([(OUT, b"a\nno end"), (ERR, b"c\n")], [(OUT, b"a\n"), (ERR, b"c\n"), (OUT, b"no end")]),
        ([(OUT, b"half"), (ERR, b"c\n"), (OUT, b" a line\n")], [(ERR, b"c\n"), (OUT, b"half a line\n")]),
        ([(OUT, b"x"), (ERR, b"y")], [(OUT, b"x"), (ERR, b"y")]),
        ([(OUT, b"progress: 1%")], [(OUT, b"progress: 1%")]),
        ([], []),
    ],
)
def test_a_line_without_an_end_waits_for_the_others(
    read: list[tuple[int, bytes]], told: list[tuple[int, bytes]]
) -> None:
    assert list(whole_lines_first([Output(*each) for each in read])) == told
