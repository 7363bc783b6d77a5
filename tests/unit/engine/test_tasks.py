"""Background work has an owner: it is not lost, its failure is told, and nothing runs after close."""

import asyncio
import logging

import pytest

from wharfd.engine.tasks import Tasks, carried_through


async def test_settle_waits_for_work_that_starts_more_work() -> None:
    tasks = Tasks()
    done: list[str] = []

    async def first() -> None:
        await asyncio.sleep(0)
        tasks.spawn(second(), "second:1")
        done.append("first")

    async def second() -> None:
        await asyncio.sleep(0)
        done.append("second")

    tasks.spawn(first(), "first:1")
    await tasks.settle()
    assert done == ["first", "second"]


async def test_a_failure_is_logged_with_the_name_and_the_trace(caplog: pytest.LogCaptureFixture) -> None:
    tasks = Tasks()

    async def fail() -> None:
        raise ValueError("broken")

    tasks.spawn(fail(), "exit:4f1c")
    await tasks.settle()
    await asyncio.sleep(0)
    [record] = caplog.records
    assert record.levelno == logging.ERROR
    assert "exit:4f1c" in record.getMessage()
    assert record.exc_info


async def test_close_cancels_and_waits_for_the_end(caplog: pytest.LogCaptureFixture) -> None:
    tasks = Tasks()
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append("undone")

    tasks.spawn(work(), "work:1")
    await asyncio.sleep(0)
    await tasks.close()
    assert ended == ["undone"]
    assert not caplog.records


async def test_work_that_comes_after_close_does_not_run() -> None:
    tasks = Tasks()
    await tasks.close()
    began: list[str] = []

    async def late() -> None:
        began.append("late")

    task = tasks.spawn(late(), "late:1")
    with pytest.raises(asyncio.CancelledError):
        await task
    assert began == []


async def test_what_is_carried_through_ends_before_its_callers_cancellation_shows() -> None:
    go, done = asyncio.Event(), []

    async def work() -> None:
        await go.wait()
        done.append("work")

    caller = asyncio.create_task(carried_through(work(), "work"))
    for _ in range(3):
        await asyncio.sleep(0)
        caller.cancel()
    await asyncio.sleep(0)
    assert not caller.done()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert done == ["work"]


async def test_what_is_carried_through_gives_its_result_or_its_error() -> None:
    async def good() -> int:
        return 7

    async def bad() -> int:
        raise KeyError("x")

    assert await carried_through(good(), "good") == 7
    with pytest.raises(KeyError):
        await carried_through(bad(), "bad")
