"""Pools and fresh threads: results, errors, bounds, and what cancellation does to work that has begun."""

import asyncio
import threading

import pytest

from wharfd.sys.blocking import Pool, call_in_fresh_thread, run_in_fresh_thread


async def test_pool_gives_results_and_errors_of_the_function() -> None:
    pool = Pool("test", 2)
    try:
        assert await pool.run(divmod, 7, 2) == (3, 1)
        with pytest.raises(ZeroDivisionError):
            await pool.run(divmod, 7, 0)
        assert (await pool.run(threading.current_thread)).name.startswith("test")
    finally:
        pool.close()


async def test_pool_runs_no_more_than_its_workers_at_once() -> None:
    pool = Pool("test", 2)
    gate = threading.Event()
    began: list[int] = []

    def job(number: int) -> None:
        began.append(number)
        if len(began) == 2:
            both.release()
        gate.wait(10)

    both = threading.Semaphore(0)
    try:
        async with asyncio.TaskGroup() as group:
            for number in range(5):
                group.create_task(pool.run(job, number))
            await asyncio.to_thread(both.acquire, timeout=10)
            assert sorted(began) == [0, 1]
            gate.set()
        assert sorted(began) == [0, 1, 2, 3, 4]
    finally:
        gate.set()
        pool.close()


async def test_cancelled_caller_waits_for_work_that_has_begun() -> None:
    pool = Pool("test", 1)
    begun, gate = threading.Event(), threading.Event()
    finished: list[bool] = []

    def job() -> None:
        begun.set()
        gate.wait(10)
        finished.append(True)

    try:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(pool.run(job))
            await asyncio.to_thread(begun.wait, 10)
            task.cancel()
            await asyncio.sleep(0)
            task.cancel()  # impatience changes nothing
            await asyncio.sleep(0)
            assert not task.done()
            gate.set()
            await asyncio.wait([task])
            assert task.cancelled()
            assert finished == [True]
    finally:
        gate.set()
        pool.close()


async def test_cancelled_caller_drops_work_that_has_not_begun() -> None:
    pool = Pool("test", 1)
    begun, gate = threading.Event(), threading.Event()
    ran: list[str] = []

    def first() -> None:
        begun.set()
        gate.wait(10)

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(pool.run(first))
            await asyncio.to_thread(begun.wait, 10)
            queued = group.create_task(pool.run(ran.append, "queued"))
            await asyncio.sleep(0)
            queued.cancel()
            await asyncio.wait([queued])
            gate.set()
        assert queued.cancelled()
        assert ran == []
    finally:
        gate.set()
        pool.close()


async def test_undo_code_is_carried_out_though_it_had_not_begun() -> None:
    pool = Pool("test", 1)
    go = threading.Event()
    done: list[str] = []
    first = asyncio.create_task(pool.run(go.wait))
    undo = asyncio.create_task(pool.run_through(done.append, "undone"))
    await asyncio.sleep(0)
    undo.cancel()
    await asyncio.sleep(0)
    assert not undo.done()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await undo
    assert done == ["undone"]
    assert await first
    assert await pool.run_through(len, "four") == 4
    pool.close()


async def test_closed_pool_has_no_threads_and_takes_no_work() -> None:
    pool = Pool("closing", 3)
    await pool.run(int)
    pool.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("closing")]
    with pytest.raises(RuntimeError):
        await pool.run(int)


async def test_fresh_threads_end_with_their_work() -> None:
    first = await run_in_fresh_thread(threading.current_thread)
    first.join(10)
    assert not first.is_alive()
    second = call_in_fresh_thread(threading.current_thread)
    assert not second.is_alive()
    assert first is not second
    with pytest.raises(ZeroDivisionError):
        call_in_fresh_thread(divmod, 1, 0)


async def test_threads_of_others_keep_their_stack_size() -> None:
    before = threading.stack_size()
    await run_in_fresh_thread(int)
    assert threading.stack_size() == before
