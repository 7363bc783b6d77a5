"""Locks by key, their order, and that none is left."""

import asyncio

import pytest

from wharfd.engine.locks import KeyedLocks, LockOrderError


async def test_one_at_a_time_per_key_in_order_of_arrival() -> None:
    locks = KeyedLocks()
    steps: list[str] = []

    async def work(name: str, key: str) -> None:
        async with locks.hold("container", key):
            steps.append(f"{name} in")
            await asyncio.sleep(0)
            steps.append(f"{name} out")

    await asyncio.gather(work("a", "1"), work("b", "1"), work("c", "1"))
    assert steps == ["a in", "a out", "b in", "b out", "c in", "c out"]
    steps.clear()
    await asyncio.gather(work("a", "1"), work("b", "2"))
    assert steps == ["a in", "b in", "a out", "b out"]
    assert locks.locks == {}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("network", "n"), ("container", "c")),
        (("container", "2"), ("container", "1")),
        (("container", "1"), ("container", "1")),
        (("image", ""), ("volume", "v")),
    ],
)
async def test_the_wrong_order_is_refused_and_leaves_the_first_held(
    first: tuple[str, str], second: tuple[str, str]
) -> None:
    locks = KeyedLocks()
    async with locks.hold(*first):
        with pytest.raises(LockOrderError):
            async with locks.hold(*second):
                raise AssertionError("taken")
        assert locks.is_held(*first)
    assert locks.locks == {}


async def test_the_right_order_and_again_after_release() -> None:
    locks = KeyedLocks()
    async with locks.hold("container", "1"), locks.hold("container", "2"), locks.hold("network", "n"):
        assert locks.is_held("container", "2")
    async with locks.hold("network", "n"):
        assert not locks.is_held("container", "1")
    async with locks.hold("container", "1"):
        pass


async def test_a_task_started_while_a_lock_is_held_has_an_order_of_its_own() -> None:
    locks = KeyedLocks()

    async def other() -> None:
        async with locks.hold("container", "0"):
            pass

    async with locks.hold("container", "1"):
        await asyncio.get_running_loop().create_task(other())


async def test_an_error_and_a_cancellation_release() -> None:
    locks = KeyedLocks()
    with pytest.raises(ValueError, match="inside"):
        async with locks.hold("container", "1"):
            raise ValueError("inside")
    async with locks.hold("container", "1"):
        waiting = asyncio.ensure_future(hold_forever(locks))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert locks.locks == {}


async def hold_forever(locks: KeyedLocks) -> None:
    async with locks.hold("container", "1"):
        await asyncio.Event().wait()
