"""Why the engine cannot run."""

from dataclasses import dataclass


@dataclass(frozen=True)
class StartFailure(Exception):
    """Why the engine cannot run; for the user."""

    words: str

    def __str__(self) -> str:
        return self.words
