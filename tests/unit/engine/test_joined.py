"""Work that is done once for all who ask for it meanwhile."""

import asyncio

import pytest

from wharfd.engine.joined import Joined
from wharfd.engine.tasks import Tasks
from wharfd.model.errors import NotFound


class Work:
    def __init__(self) -> None:
        self.begun = 0
        self.cancelled = 0
        self.gate = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self) -> int:
        self.begun += 1
        number = self.begun
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error is not None:
            raise self.error
        return number


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_callers_that_come_meanwhile_share_the_run() -> None:
    work, tasks = Work(), Tasks()
    joined = Joined(tasks, work, "work")
    async with asyncio.TaskGroup() as group:
        callers = [group.create_task(joined()) for _ in range(3)]
        await turns()
        work.gate.set()
    assert [caller.result() for caller in callers] == [1, 1, 1]
    assert await joined() == 2, "a later caller gets a run of its own"
    await tasks.settle()


async def test_an_error_reaches_every_caller_and_the_next_run_is_a_new_one() -> None:
    work, tasks = Work(), Tasks()
    joined = Joined(tasks, work, "work")
    work.error = NotFound("gone")
    callers = [asyncio.ensure_future(joined()) for _ in range(2)]
    await turns()
    work.gate.set()
    for caller in callers:
        with pytest.raises(NotFound):
            await caller
    work.error = None
    assert await joined() == 2


async def test_a_caller_that_leaves_does_not_stop_the_others() -> None:
    work, tasks = Work(), Tasks()
    joined = Joined(tasks, work, "work")
    first, second = (asyncio.ensure_future(joined()) for _ in range(2))
    await turns()
    first.cancel()
    await turns()
    work.gate.set()
    assert await second == 1
    assert work.cancelled == 0


async def test_the_run_ends_with_its_last_caller() -> None:
    work, tasks = Work(), Tasks()
    joined = Joined(tasks, work, "work")
    callers = [asyncio.ensure_future(joined()) for _ in range(2)]
    await turns()
    for caller in callers:
        caller.cancel()
    await turns()
    assert work.cancelled == 1
    work.gate.set()
    assert await joined() == 2, "nobody inherits a run that was cancelled"


async def test_callers_of_an_engine_that_closes_are_let_go() -> None:
    work, tasks = Work(), Tasks()
    joined = Joined(tasks, work, "work")
    caller = asyncio.ensure_future(joined())
    await turns()
    await tasks.close()
    with pytest.raises(asyncio.CancelledError):
        await caller
