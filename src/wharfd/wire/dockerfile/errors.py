"""What is wrong with a Dockerfile, and where.  Every function of this package raises `DockerfileError` and nothing else."""

from dataclasses import dataclass
from typing import Self

from wharfd.model.errors import InvalidParameter


@dataclass(frozen=True, slots=True, order=True)
class LineRange:
    """From line `start` to line `end`, both counted from 1 and included."""

    start: int
    end: int


class DockerfileError(InvalidParameter):
    """`str(error)` is BuildKit's text, which clients print after `failed to solve: `; `ranges` is what they show of the file.

    `filename` and `data` (the file as it is) are filled in by whoever has read the file.
    """

    def __init__(self, message: str, *ranges: LineRange) -> None:
        super().__init__(message)
        self.ranges = ranges
        self.filename = ""
        self.data = b""

    def at(self, *ranges: LineRange) -> Self:
        """Say where it is, unless that is known."""
        self.ranges = self.ranges or ranges
        return self


class Malformed(DockerfileError):
    """The file, or an instruction's arguments, have no form at all.

    That is said before instructions are looked at: without a line number.  (The classic builder: `failed to parse Dockerfile: …`.)
    """
