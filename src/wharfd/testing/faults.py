"""Kill the engine, or anything else, at a chosen call of a chosen port; or only note which calls an operation makes.

    plan = FaultPlan()                                    # notes calls, does nothing else
    runtime = faulty("runtime", runtime, plan)
    …
    plan.calls                                            # ["runtime.create", "runtime.start", …]

    plan = FaultPlan(Fault("runtime.create", nth=2, phase=Phase.AFTER))      # SIGKILL to this process, there

A real engine in another process is told by its environment (`plan_from_environment`): `WHARFD_FAULT=runtime.create:2:after` and
`WHARFD_CALLS=/path/of/a/file` to which each call is appended, one a line, before and after it is made, with one write each, so that the
file is whole up to the kill.  `faulty` is given to the composition root, which passes every driver through it.
"""

import inspect
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar, cast

D = TypeVar("D")

FAULT_VARIABLE = "WHARFD_FAULT"
CALLS_VARIABLE = "WHARFD_CALLS"

# Objects that a port hands out and that make calls of their own: they are wrapped, too.
HANDED_OUT = {"content.writer": "blob", "content.spool": "spool", "content.partial": "partial"}


class Phase(StrEnum):
    BEFORE = "before"
    AFTER = "after"


def kill_this_process() -> None:
    """As a power button for the engine: no clean-up of any kind runs."""
    os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class Fault:
    """`action` runs at the `nth` call (from 1) of `point`, "port.method"; AFTER means: it has been done, the caller does not know yet."""

    point: str
    nth: int = 1
    phase: Phase = Phase.BEFORE
    action: Callable[[], None] = kill_this_process


class FaultPlan:
    """Counts the calls of all drivers that share it."""

    def __init__(self, *faults: Fault, calls_file: str = "") -> None:
        self.faults = list(faults)
        self.calls: list[str] = []
        self.counts: Counter[str] = Counter()
        self.fired: list[Fault] = []
        self.calls_fd = (
            os.open(calls_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600) if calls_file else -1
        )

    def begin(self, point: str) -> int:
        """A call begins.  Returns which one of this point it is."""
        self.calls.append(point)
        self.counts[point] += 1
        nth = self.counts[point]
        self.reach(point, nth, Phase.BEFORE)
        return nth

    def reach(self, point: str, nth: int, phase: Phase) -> None:
        if self.calls_fd >= 0:
            os.write(self.calls_fd, f"{point}:{nth}:{phase}\n".encode())
        for fault in self.faults:
            if (fault.point, fault.nth, fault.phase) == (point, nth, phase):
                self.fired.append(fault)
                fault.action()

    def forget_calls(self) -> None:
        """Begin a new list and count from one again: what comes now is another operation."""
        self.calls.clear()
        self.counts.clear()


class FaultingDriver:
    """Stands before a driver of any kind and passes everything through: methods, async methods, iterators, properties."""

    def __init__(self, port: str, inner: object, plan: FaultPlan) -> None:
        self.__dict__.update(wrapped_port=port, wrapped_driver=inner, wrapped_plan=plan)

    def __getattr__(self, name: str) -> object:
        port: str = self.__dict__["wrapped_port"]
        plan: FaultPlan = self.__dict__["wrapped_plan"]
        value: object = getattr(self.__dict__["wrapped_driver"], name)
        if not callable(value) or isinstance(value, type):
            return value
        return watched(f"{port}.{name}", value, plan)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self.__dict__["wrapped_driver"], name, value)

    def __repr__(self) -> str:
        return f"FaultingDriver({self.__dict__['wrapped_port']}, {self.__dict__['wrapped_driver']!r})"


def faulty(port: str, driver: D, plan: FaultPlan) -> D:
    """`driver`, watched.  To the type checker it is the same kind of driver still."""
    return cast(D, FaultingDriver(port, driver, plan))


def watched(point: str, call: Callable[..., object], plan: FaultPlan) -> Callable[..., object]:
    if inspect.iscoroutinefunction(call):

        async def awaited_call(*args: object, **kwargs: object) -> object:
            nth = plan.begin(point)
            result = await cast(Awaitable[object], call(*args, **kwargs))
            plan.reach(point, nth, Phase.AFTER)
            return handed_out(point, result, plan)

        return awaited_call

    if inspect.isasyncgenfunction(call):

        async def iterated_call(*args: object, **kwargs: object) -> AsyncIterator[object]:
            nth = plan.begin(point)
            async for item in cast(AsyncIterator[object], call(*args, **kwargs)):
                yield item
            plan.reach(point, nth, Phase.AFTER)

        return iterated_call

    def plain_call(*args: object, **kwargs: object) -> object:
        nth = plan.begin(point)
        result = call(*args, **kwargs)
        if inspect.isawaitable(result):
            return finished(point, nth, result, plan)
        if hasattr(result, "__aiter__"):
            return drained(point, nth, cast(AsyncIterator[object], result), plan)
        plan.reach(point, nth, Phase.AFTER)
        return handed_out(point, result, plan)

    return plain_call


async def finished(point: str, nth: int, result: Awaitable[object], plan: FaultPlan) -> object:
    value = await result
    plan.reach(point, nth, Phase.AFTER)
    return handed_out(point, value, plan)


async def drained(point: str, nth: int, items: AsyncIterator[object], plan: FaultPlan) -> AsyncIterator[object]:
    async for item in items:
        yield item
    plan.reach(point, nth, Phase.AFTER)


def handed_out(point: str, value: object, plan: FaultPlan) -> object:
    return FaultingDriver(HANDED_OUT[point], value, plan) if point in HANDED_OUT else value


def plan_from_environment(environment: Mapping[str, str]) -> FaultPlan | None:
    """The plan that a test gave this process, if any.  ValueError if it is not of the form `port.method:nth:before|after`."""
    wanted = environment.get(FAULT_VARIABLE, "")
    calls_file = environment.get(CALLS_VARIABLE, "")
    if not wanted and not calls_file:
        return None
    faults = []
    if wanted:
        point, nth, phase = wanted.split(":")
        faults.append(Fault(point, nth=int(nth), phase=Phase(phase)))
    return FaultPlan(*faults, calls_file=calls_file)


def read_calls(calls_file: str) -> list[Fault]:
    """What a process wrote to its `WHARFD_CALLS` file, as points at which it could be killed."""
    with open(calls_file, encoding="utf-8") as lines:
        parts = [line.rstrip("\n").split(":") for line in lines]
    return [Fault(point, nth=int(nth), phase=Phase(phase)) for point, nth, phase in parts]
