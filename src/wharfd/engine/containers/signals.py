"""Sends signals to a running container, with what goes along: thawing, the note in its record, the event."""

import signal as numbers

from wharfd.engine import lifecycle
from wharfd.engine.happenings import container_event
from wharfd.engine.ledger import Ledger
from wharfd.model.container import ContainerRecord, State
from wharfd.model.errors import Conflict
from wharfd.ports.clock import Clock
from wharfd.ports.runtime import RuntimeDriver
from wharfd.wire.limits import parse_signal

KILL = int(numbers.SIGKILL)
TERM = int(numbers.SIGTERM)
PATIENCE_S = 10.0  # Docker: how long it waits for the exit of what it has killed
NO_EXIT = "tried to kill container, but did not receive an exit event"


def stop_signal(record: ContainerRecord) -> int:
    return parse_signal(record.config.stop_signal) if record.config.stop_signal else TERM


def is_final(record: ContainerRecord, signal: int) -> bool:
    """Does whoever sends this want the container to end?

    Docker: SIGKILL and the stop signal say so, and every signal to a container that has no stop signal of its own.
    """
    return signal == KILL or not record.config.stop_signal or signal == stop_signal(record)


class Signals:
    def __init__(self, *, ledger: Ledger, clock: Clock, runtime: RuntimeDriver) -> None:
        self.ledger = ledger
        self.clock = clock
        self.runtime = runtime

    async def send(self, record: ContainerRecord, signal: int, *, final: bool) -> None:
        """To a container that is running or paused; its lock is held.  A final signal thaws it, so that it can obey.

        Its exit, if this is the end of it, is noted by others when the lock is free.

        Raises:
            Conflict: its process is gone; its exit is on the way.
        """
        now = self.clock.now_ns
        try:
            await self.runtime.signal(record.id, record.pid, signal)
        except Conflict:
            if final:
                self.ledger.post(lifecycle.apply(record, lifecycle.KillAsked(final=True)))
            raise Conflict(f"container {record.id} is not running") from None
        events = [container_event(record, "kill", now(), signal=str(signal))]
        after = lifecycle.apply(record, lifecycle.KillAsked(final=final))
        if final and record.state is State.PAUSED:
            await self.runtime.resume(record.id)
            after = lifecycle.apply(after, lifecycle.UnpauseAsked())
            events.append(container_event(record, "unpause", now()))
        self.ledger.post(after, events=events)
