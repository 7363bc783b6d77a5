"""A clock that moves only when told to."""

START_NS = 1_700_000_000_000_000_000  # 2023-11-14T22:13:20Z


class FakeClock:
    """Port `clock`.  `tick_ns` is added at each reading of the wall clock, for code that needs times to differ."""

    def __init__(self, now_ns: int = START_NS, *, tick_ns: int = 0) -> None:
        self.wall_ns = now_ns
        self.mono_ns = 1_000_000_000
        self.tick_ns = tick_ns

    def now_ns(self) -> int:
        self.wall_ns += self.tick_ns
        return self.wall_ns

    def monotonic_ns(self) -> int:
        return self.mono_ns

    def advance(self, seconds: float) -> None:
        """Time passes, on both clocks."""
        step = round(seconds * 1e9)
        self.wall_ns += step
        self.mono_ns += step

    def set_wall(self, now_ns: int) -> None:
        """Somebody set the clock: the wall time jumps, the monotonic one does not."""
        self.wall_ns = now_ns
