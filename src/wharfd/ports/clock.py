"""Port: the time, so that tests can hold it still."""

from typing import Protocol


class Clock(Protocol):
    def now_ns(self) -> int:
        """Nanoseconds since the epoch."""

    def monotonic_ns(self) -> int: ...
