"""Event bus: everybody who listens hears everything, in order; nobody who is slow holds the engine up.

A subscriber has a bounded queue; one that falls too far behind is told so (`Subscription.overflowed`) and ends.  The past is in the
record store; `EventFeed` (below) joins past and present without a gap and without a repetition, by sequence number.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Protocol

from wharfd.model.event import Event
from wharfd.ports.records import RecordStore

QUEUE_LIMIT = 65_536  # events a subscriber may be behind


class EventMatcher(Protocol):
    def __call__(self, event: Event) -> bool: ...


class Subscription:
    def __init__(self, drop: Callable[["Subscription"], None]) -> None:
        self.queue: deque[Event] = deque()
        self.ready = asyncio.Event()
        self.overflowed = False
        self.drop = drop

    def offer(self, event: Event) -> None:
        if len(self.queue) >= QUEUE_LIMIT:
            self.overflowed = True
            self.drop(self)
        else:
            self.queue.append(event)
        self.ready.set()

    async def next(self) -> Event | None:
        """The next event; None when the subscription has ended."""
        while not self.queue:
            if self.overflowed:
                return None
            self.ready.clear()
            await self.ready.wait()
        return self.queue.popleft()

    def close(self) -> None:
        self.drop(self)


class EventBus:
    def __init__(self) -> None:
        self.subscriptions: set[Subscription] = set()

    def publish(self, event: Event) -> None:
        for subscription in list(self.subscriptions):
            subscription.offer(event)

    def subscribe(self) -> Subscription:
        subscription = Subscription(self.subscriptions.discard)
        self.subscriptions.add(subscription)
        return subscription


class EventFeed:
    """The past from the store, then the present from the bus."""

    def __init__(self, bus: EventBus, store: RecordStore) -> None:
        self.bus = bus
        self.store = store

    async def stream(
        self, matches: EventMatcher, since_ns: int | None, until_ns: int | None, now_ns: int
    ) -> AsyncIterator[Event]:
        """Events that match.  The past is replayed only if a bound is given; `until_ns` ends the stream.

        Docker: `since` absent and `until` in the past replays everything up to it.
        """
        subscription = self.bus.subscribe()
        last_seq = 0
        try:
            if since_ns is not None or until_ns is not None:
                for event in await self.store.events(since_ns or 0, until_ns or 0):
                    last_seq = event.seq
                    if matches(event):
                        yield event
            deadline: float | None = None
            if until_ns is not None:
                left_s = (until_ns - now_ns) / 1e9
                if left_s <= 0:
                    return
                deadline = asyncio.get_running_loop().time() + left_s
            while True:
                try:
                    async with asyncio.timeout_at(deadline):
                        event_now = await subscription.next()
                except TimeoutError:
                    return
                if event_now is None:
                    return
                if event_now.seq > last_seq and matches(event_now):
                    yield event_now
        finally:
            subscription.close()
