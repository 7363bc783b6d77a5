"""Output that somebody has yet to take: kept once for all readers, and gone with the last one who takes it.

Each reader has a position, a number that only grows.  What is taken, and by whom, is counted per piece, so that a hundred readers cost
no more than what they read.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from wharfd.ports.streams import Output

PIECE_COST = 256  # bytes that a piece takes in memory besides its data


@dataclass(slots=True)
class Piece:
    output: Output
    awaited_by: int  # readers


class Window:
    """`size`: bytes in memory.  `first` and `end`: the positions of its oldest piece and behind its newest."""

    __slots__ = ("end", "first", "pieces", "size")

    def __init__(self) -> None:
        self.pieces: dict[int, Piece] = {}
        self.first = 0
        self.end = 0
        self.size = 0

    def append(self, output: Output, readers: int) -> None:
        """New output, which `readers` (not none) are to take."""
        self.pieces[self.end] = Piece(output, readers)
        self.end += 1
        self.size += len(output.data) + PIECE_COST

    def take(self, position: int, limit_bytes: int) -> tuple[Sequence[Output], int]:
        """From `position` on, at least one piece if there is any; and the new position."""
        taken: list[Output] = []
        size = 0
        while position < self.end and size < limit_bytes:
            piece = self.pieces[position]
            taken.append(piece.output)
            size += len(piece.output.data)
            piece.awaited_by -= 1
            position += 1
        self._trim()
        return taken, position

    def leave(self, position: int) -> None:
        """A reader at `position` takes no more."""
        for number in range(position, self.end):
            self.pieces[number].awaited_by -= 1
        self._trim()

    def _trim(self) -> None:
        while self.first < self.end and self.pieces[self.first].awaited_by <= 0:
            piece = self.pieces.pop(self.first)
            self.size -= len(piece.output.data) + PIECE_COST
            self.first += 1
