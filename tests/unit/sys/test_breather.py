"""A thread's job ends in good time although the loop never rests."""

import asyncio
import threading
import time

import pytest
import uvloop

from wharfd.sys.breather import breather_of


def test_a_thread_gets_its_turn_on_a_loop_that_is_never_idle() -> None:
    """Without a breather this takes seconds where another program uses the second processor, and at times minutes."""

    async def main() -> int:
        loop = asyncio.get_running_loop()
        breather = breather_of(loop)
        ended = loop.create_future()

        def job() -> None:
            for _ in range(20):
                time.sleep(0)  # gives the lock up and wants it back, as a system call does
            loop.call_soon_threadsafe(ended.set_result, None)

        breather.begin()
        threading.Thread(target=job).start()
        rounds = 0
        while not ended.done():
            until = time.perf_counter() + 0.0002
            while time.perf_counter() < until:
                pass
            await asyncio.sleep(0)
            rounds += 1
        breather.end()
        return rounds

    assert uvloop.run(asyncio.wait_for(main(), 10)) < 5000


async def test_no_timer_stays_when_no_job_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    naps: list[float] = []
    monkeypatch.setattr(time, "sleep", naps.append)
    breather = breather_of(asyncio.get_running_loop())
    assert breather_of(asyncio.get_running_loop()) is breather
    breather.begin()
    await asyncio.sleep(0.02)
    assert naps
    breather.end()
    await asyncio.sleep(0.01)
    assert breather.timer is None
    so_far = len(naps)
    await asyncio.sleep(0.01)
    assert len(naps) == so_far
