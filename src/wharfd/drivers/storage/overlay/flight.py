"""Work that several callers want at once and that is done once."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Flight(Generic[T]):
    def __init__(self, task: asyncio.Task[T]) -> None:
        self.task = task
        self.waiting = 0


class SingleFlights(Generic[T]):
    """At most one run per key.  A caller that is cancelled leaves the others alone; when the last one leaves, the run is cancelled."""

    def __init__(self) -> None:
        self.flights: dict[str, Flight[T]] = {}

    def __contains__(self, key: str) -> bool:
        return key in self.flights

    async def join(self, key: str, start: Callable[[], Coroutine[Any, Any, T]]) -> T:
        flight = self.flights.get(key)
        if flight is None:
            task = asyncio.get_running_loop().create_task(start(), name=f"flight:{key}")
            flight = self.flights[key] = Flight(task)
            task.add_done_callback(partial(self.forget, key, flight))
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)
        except asyncio.CancelledError:
            if flight.waiting == 1 and not flight.task.done():
                self.forget(key, flight)  # whoever comes now begins anew
                flight.task.cancel()
                await asyncio.wait([flight.task])
            raise
        finally:
            flight.waiting -= 1

    def forget(self, key: str, flight: Flight[T], _: object = None) -> None:
        if self.flights.get(key) is flight:
            del self.flights[key]
