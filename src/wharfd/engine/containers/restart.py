"""Restart a container by hand: stop it if it runs, then start it."""

from collections.abc import Callable

from wharfd.engine import lifecycle
from wharfd.engine.containers.removal import Removal
from wharfd.engine.containers.start import Start
from wharfd.engine.containers.stop import Stop
from wharfd.engine.happenings import container_event
from wharfd.engine.ledger import Ledger
from wharfd.engine.locks import KeyedLocks
from wharfd.model.errors import EngineError, NotModified
from wharfd.model.ids import ContainerId
from wharfd.ports.clock import Clock
from wharfd.wire.limits import parse_signal


class Restart:
    def __init__(
        self,
        *,
        ledger: Ledger,
        locks: KeyedLocks,
        clock: Clock,
        new_id: Callable[[], str],
        stop: Stop,
        start: Start,
        removal: Removal,
    ) -> None:
        self.ledger = ledger
        self.locks = locks
        self.clock = clock
        self.new_id = new_id
        self.stop = stop
        self.start = start
        self.removal = removal

    async def __call__(self, ref: str, *, signal: str = "", timeout_s: int | None = None) -> None:
        """Returns when it runs again.  Arguments and errors as of stop and start; `AutoRemove` does not take it in between."""
        number = parse_signal(signal) if signal else 0
        record = self.ledger.container(ref)
        try:
            with self.removal.keep(record.id):
                await self.cycle(record.id, number, timeout_s)
        except EngineError as error:
            raise error.prefixed(f"Cannot restart container {ref}: ") from error

    async def cycle(self, container_id: ContainerId, signal: int, timeout_s: int | None) -> None:
        try:
            await self.stop.halt(container_id, signal, timeout_s)
        except NotModified:
            pass  # it does not run
        async with self.locks.hold("container", container_id):
            record = self.ledger.container(container_id)
            try:
                record = await self.start.begin(record, lifecycle.StartAsked(sandbox_id=self.new_id()))
            except NotModified:
                pass  # somebody else has started it meanwhile
            await self.ledger.commit(events=[container_event(record, "restart", self.clock.now_ns())])
