"""API versions: parsed once, compared as numbers (1.9 < 1.10).

Only this package compares versions.  Everything else asks for a flag of `Behaviour` or lets `changes` reshape a document.
"""

import re
from typing import NamedTuple

GRAMMAR = re.compile(r"([0-9]{1,4})(?:\.([0-9]{1,4}))?(?:\.[0-9]{1,4})*")


class Version(NamedTuple):
    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"

    @classmethod
    def parse(cls, text: str) -> "Version":
        """`text` without the `v`.  Raises ValueError if it is no version."""
        found = GRAMMAR.fullmatch(text)
        if found is None:
            raise ValueError(f"invalid API version: {text}")
        return cls(int(found[1]), int(found[2] or 0))


MIN = Version(1, 24)
MAX = Version(1, 55)
