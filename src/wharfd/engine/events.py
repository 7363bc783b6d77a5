"""Event bus: everybody who listens hears everything, in order; nobody who is slow holds the engine up.

A subscriber has a bounded queue; one that falls too far behind is told so (`Subscription.overflowed`) and ends.  The past is in the
record store; `EventFeed` joins past and present without a gap and without a repetition, by sequence number.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Protocol

from wharfd.model.event import Event
from wharfd.ports.records import RecordStore

log = logging.getLogger(__name__)

QUEUE_LIMIT = 65_536  # events a subscriber may be behind
PAGE = 500  # events of the past that are in memory at a time, per listener


class EventMatcher(Protocol):
    def __call__(self, event: Event) -> bool: ...


class Subscription:
    """A place in the audience, from the call of `EventBus.subscribe` to `close`."""

    def __init__(self, matches: EventMatcher, drop: Callable[["Subscription"], None]) -> None:
        self.matches = matches
        self.queue: deque[Event] = deque()
        self.ready = asyncio.Event()
        self.overflowed = False
        self.drop = drop

    def offer(self, event: Event) -> None:
        if not self.matches(event):
            return
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


def everything(event: Event) -> bool:
    return True


class EventBus:
    def __init__(self) -> None:
        self.subscriptions: set[Subscription] = set()

    def publish(self, event: Event) -> None:
        for subscription in list(self.subscriptions):
            subscription.offer(event)

    def subscribe(self, matches: EventMatcher = everything) -> Subscription:
        subscription = Subscription(matches, self.subscriptions.discard)
        self.subscriptions.add(subscription)
        return subscription


class Listening:
    """What `EventFeed.listen` gives: hears from the moment of that call on; iterate inside the `with` block, once.

    The iteration ends at `until_ns`, or when the listener has fallen too far behind.
    """

    def __init__(self, feed: "EventFeed", matches: EventMatcher, since_ns: int | None, until_ns: int | None) -> None:
        self.feed = feed
        self.matches = matches
        self.since_ns = since_ns
        self.until_ns = until_ns
        self.subscription = feed.bus.subscribe(matches)

    def __enter__(self) -> "Listening":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.subscription.close()

    async def __aiter__(self) -> AsyncIterator[Event]:
        loop = asyncio.get_running_loop()
        # When the present ends, in the loop's time.
        deadline = None if self.until_ns is None else loop.time() + (self.until_ns - self.feed.now_ns()) / 1e9
        last_seq = 0
        if self.since_ns is not None or self.until_ns is not None:
            while page := await self.feed.store.events(
                self.since_ns or 0, self.until_ns or 0, PAGE, after_seq=last_seq
            ):
                last_seq = page[-1].seq
                for event in page:
                    if self.matches(event):
                        yield event
        while deadline is None or loop.time() < deadline:
            try:
                async with asyncio.timeout_at(deadline):
                    present = await self.subscription.next()
            except TimeoutError:
                return
            if present is None:
                log.warning("events: a listener was too slow and is cut off")
                return
            if present.seq > last_seq:
                yield present


class EventFeed:
    """The past from the store, then the present from the bus."""

    def __init__(self, bus: EventBus, store: RecordStore, now_ns: Callable[[], int]) -> None:
        self.bus = bus
        self.store = store
        self.now_ns = now_ns

    def listen(self, matches: EventMatcher, since_ns: int | None = None, until_ns: int | None = None) -> Listening:
        """Events that match.  The past is replayed only if a bound is given.

        Docker: `until` without `since` replays everything up to it; one in the past ends the stream after that.
        """
        return Listening(self, matches, since_ns, until_ns)
