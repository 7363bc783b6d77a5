"""Time, read in one place so that everything else can be given another clock."""

import time


def now_ns() -> int:
    """Wall-clock time, nanoseconds since 1970 (UTC)."""
    return time.time_ns()


def monotonic_ns() -> int:
    """Nanoseconds that never go back; for durations and deadlines within this boot."""
    return time.monotonic_ns()
