"""Steps that several builds want are carried out once.

A build that goes away leaves the step to the others; with the last one the step ends.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from wharfd.engine.build.reports import Audience, VertexReport
from wharfd.engine.tasks import Tasks

T = TypeVar("T")


class Flight(Generic[T]):
    def __init__(self, done: "asyncio.Future[T]") -> None:
        self.done = done
        self.audience = Audience()
        self.landed: dict[VertexReport, Callable[[T], None]] = {}
        self.task: asyncio.Task[None] | None = None


class Flights(Generic[T]):
    def __init__(self, tasks: Tasks) -> None:
        self.tasks = tasks
        self.flying: dict[str, Flight[T]] = {}

    async def join(
        self,
        key: str,
        report: VertexReport,
        work: Callable[[Audience], Coroutine[Any, Any, T]],
        landed: Callable[[T], None],
    ) -> T:
        """The outcome of the run under that key, begun with `work` if there is none.

        `landed` is called in the same step in which the run ends well, before anybody else runs.  Raises what the work raises.
        """
        flight = self.flying.get(key)
        if flight is None:
            flight = self.flying[key] = Flight(asyncio.get_running_loop().create_future())
            flight.audience.join(report)
            flight.task = self.tasks.spawn(self.carry_out(key, flight, work), f"build-step:{key[7:19]}")
        else:
            flight.audience.join(report)
        flight.landed[report] = landed
        try:
            return await asyncio.shield(flight.done)
        except asyncio.CancelledError:
            if len(flight.audience.reports) == 1 and not flight.done.done():
                await self.end(key, flight)
            raise
        finally:
            flight.audience.leave(report)
            del flight.landed[report]

    async def end(self, key: str, flight: Flight[T]) -> None:
        """Whoever comes now begins anew."""
        if self.flying.get(key) is flight:
            del self.flying[key]
        if flight.task is not None:
            flight.task.cancel()
            await asyncio.wait([flight.task])

    async def carry_out(self, key: str, flight: Flight[T], work: Callable[[Audience], Coroutine[Any, Any, T]]) -> None:
        try:
            outcome = await work(flight.audience)
        except asyncio.CancelledError:
            flight.done.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - it is the builds' to handle
            if not flight.done.done():
                flight.done.set_exception(error)
                flight.done.exception()  # retrieved, also if every build is gone
        else:
            if not flight.done.done():
                for landed in flight.landed.values():
                    landed(outcome)
                flight.done.set_result(outcome)
        finally:
            if self.flying.get(key) is flight:
                del self.flying[key]
