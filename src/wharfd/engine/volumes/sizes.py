"""How much room volumes take, without walking through them at every question.

A measurement serves for as long as it took, times twenty: what is measured quickly is always right, and somebody who asks for the sizes of
large volumes every second keeps a twentieth of a disk busy with it and not a whole one.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

SERVES = 20


@dataclass(frozen=True, slots=True)
class Measured:
    size_bytes: int
    until_s: float


class VolumeSizes:
    """`clock_s`: a monotonic one, by default the loop's."""

    def __init__(self, clock_s: Callable[[], float] | None = None) -> None:
        self.clock_s = clock_s
        self.known: dict[tuple[str, int], Measured] = {}

    def now_s(self) -> float:
        return self.clock_s() if self.clock_s is not None else asyncio.get_running_loop().time()

    async def of(self, name: str, created_ns: int, measure: Callable[[], Awaitable[int]]) -> int:
        """Of the volume of that name that was made then; whatever `measure` raises is raised."""
        key = (name, created_ns)
        known = self.known.get(key)
        begin = self.now_s()
        if known is not None and begin < known.until_s:
            return known.size_bytes
        size = await measure()
        end = self.now_s()
        self.known[key] = Measured(size, end + SERVES * (end - begin))
        return size

    def forget(self) -> None:
        """What no longer serves."""
        now = self.now_s()
        self.known = {key: each for key, each in self.known.items() if now < each.until_s}
