"""The two clocks and their unit."""

import time

from wharfd.sys import clock


def test_units_are_nanoseconds() -> None:
    assert abs(clock.now_ns() / 1e9 - time.time()) < 5
    before = time.monotonic_ns()
    assert before <= clock.monotonic_ns() <= time.monotonic_ns()
