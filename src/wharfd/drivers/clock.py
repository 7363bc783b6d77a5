"""The system's clocks behind `ports.clock.Clock`."""

from wharfd.sys import clock


class SystemClock:
    def now_ns(self) -> int:
        return clock.now_ns()

    def monotonic_ns(self) -> int:
        return clock.monotonic_ns()
