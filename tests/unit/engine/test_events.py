"""Past and present join without a gap and without a repetition; who is slow is cut off and holds nobody up."""

import asyncio

import pytest

from wharfd.engine import events as events_module
from wharfd.engine.events import EventBus, EventFeed, Listening, everything
from wharfd.model.event import Event
from wharfd.testing.builders import an_event
from wharfd.testing.clock import START_NS, FakeClock
from wharfd.testing.records import FakeRecords


class Stage:
    def __init__(self) -> None:
        self.bus = EventBus()
        self.records = FakeRecords()
        self.clock = FakeClock()
        self.feed = EventFeed(self.bus, self.records, self.clock.now_ns)
        self.seq = 0

    async def happen(self, action: str = "start", *, publish: bool = True) -> Event:
        self.seq += 1
        event = an_event(seq=self.seq, action=action, at_ns=self.clock.now_ns())
        await self.records.commit(events=[event])
        if publish:
            self.bus.publish(event)
        return event


@pytest.fixture
async def stage() -> Stage:
    stage = Stage()
    await stage.records.open()
    return stage


async def first(listening: Listening, count: int) -> list[int]:
    seen: list[int] = []
    async for event in listening:
        seen.append(event.seq)
        if len(seen) == count:
            break
    return seen


async def test_an_event_between_reading_the_past_and_hearing_the_present_comes_once(stage: Stage) -> None:
    await stage.happen()
    late = await stage.happen(publish=False)
    with stage.feed.listen(everything, since_ns=0) as listening:
        stage.bus.publish(late)  # committed before the past is read, published after the listener came
        await stage.happen()
        assert await first(listening, 3) == [1, 2, 3]
        await stage.happen()
        assert await first(listening, 4) == [1, 2, 3, 4]


async def test_a_long_past_is_read_in_pages(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events_module, "PAGE", 7)
    for _ in range(20):
        await stage.happen()
    with stage.feed.listen(everything, since_ns=0) as listening:
        assert await first(listening, 20) == list(range(1, 21))
    assert stage.records.calls.count("events") == 3


async def test_what_happens_while_the_past_is_read_comes_behind_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events_module, "PAGE", 2)
    for _ in range(4):
        await stage.happen()
    seen = []
    with stage.feed.listen(everything, since_ns=0) as listening:
        async for event in listening:
            seen.append(event.seq)
            if event.seq <= 4:
                await stage.happen()
            if len(seen) == 8:
                break
    assert seen == list(range(1, 9))


async def test_until_ends_at_its_time(stage: Stage) -> None:
    await stage.happen()
    with stage.feed.listen(everything, until_ns=START_NS) as listening:
        await stage.happen("late")
        stage.clock.advance(1)
        assert [event.action async for event in listening] == ["start", "late"]
    with stage.feed.listen(everything, until_ns=START_NS) as listening:
        await stage.happen("too late")
        assert [event.action async for event in listening] == ["start", "late"]


async def test_a_listener_hears_from_the_call_on_not_from_the_first_step(stage: Stage) -> None:
    with stage.feed.listen(everything) as listening:
        await stage.happen()
        assert await first(listening, 1) == [1]
    assert not stage.bus.subscriptions


async def test_who_is_too_slow_ends_and_the_others_go_on(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events_module, "QUEUE_LIMIT", 3)
    slow, quick = stage.bus.subscribe(), stage.bus.subscribe()
    heard: list[Event | None] = []
    for _ in range(5):
        await stage.happen()
        heard.append(await quick.next())
    assert [event.seq for event in heard if event] == [1, 2, 3, 4, 5]
    assert slow not in stage.bus.subscriptions
    assert [event.seq if event else None for event in [await slow.next() for _ in range(4)]] == [1, 2, 3, None]


async def test_events_that_do_not_match_take_no_place_in_the_queue(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events_module, "QUEUE_LIMIT", 1)
    subscription = stage.bus.subscribe(lambda event: event.action == "die")
    for action in ("start", "die", "start"):
        await stage.happen(action)
    event = await subscription.next()
    assert event is not None
    assert event.action == "die"


async def test_a_waiting_listener_is_woken(stage: Stage) -> None:
    subscription = stage.bus.subscribe()
    waiting = asyncio.ensure_future(subscription.next())
    await asyncio.sleep(0)
    await stage.happen()
    assert (await waiting) is not None
