"""Stop a container: its stop signal, then after a while SIGKILL."""

from wharfd.engine import lifecycle
from wharfd.engine.containers.signals import KILL, NO_EXIT, PATIENCE_S, Signals, stop_signal
from wharfd.engine.containers.waiters import Waiters, Waiting
from wharfd.engine.happenings import container_event
from wharfd.engine.ledger import Ledger
from wharfd.engine.locks import KeyedLocks
from wharfd.model.container import ContainerRecord, State
from wharfd.model.errors import Conflict, Internal
from wharfd.model.ids import ContainerId
from wharfd.ports.clock import Clock
from wharfd.wire.limits import parse_signal

DEFAULT_TIMEOUT_S = 10


class Stop:
    def __init__(self, *, ledger: Ledger, locks: KeyedLocks, clock: Clock, signals: Signals, waiters: Waiters) -> None:
        self.ledger = ledger
        self.locks = locks
        self.clock = clock
        self.signals = signals
        self.waiters = waiters

    async def __call__(self, ref: str, *, signal: str = "", timeout_s: int | None = None) -> None:
        """Returns when it has ended.  `signal` empty: the container's; `timeout_s` None: the container's, −1: no SIGKILL ever.

        Raises:
            NotModified: it does not run.
            InvalidParameter: no such signal.
            Internal: it survived SIGKILL.
        """
        number = parse_signal(signal) if signal else 0
        record = self.ledger.container(ref)
        try:
            await self.halt(record.id, number, timeout_s)
        except Internal as error:
            raise error.prefixed(f"cannot stop container: {ref}: ") from error

    async def halt(self, container_id: ContainerId, signal: int, timeout_s: int | None) -> None:
        """As the call; `signal` 0: the container's."""
        async with self.locks.hold("container", container_id):
            record = self.ledger.container(container_id)
            after = lifecycle.apply(record, lifecycle.StopAsked())
            waiting = self.waiters.next_exit(container_id)
            if record.state is State.RESTARTING:
                self.ledger.post(after)
                self.waiters.exited(after)
            else:
                await self.send(record, signal or stop_signal(record))
        try:
            await self.outlast(waiting, record, grace_s(record, timeout_s))
        finally:
            waiting.close()
        last = self.ledger.containers.get(container_id) or record
        await self.ledger.commit(events=[container_event(last, "stop", self.clock.now_ns())])

    async def send(self, record: ContainerRecord, signal: int) -> None:
        try:
            await self.signals.send(record, signal, final=True)
        except Conflict:
            pass  # its process is gone; its exit is on the way

    async def outlast(self, waiting: Waiting, record: ContainerRecord, grace: float | None) -> None:
        if await waiting.within(grace) is not None:
            return
        async with self.locks.hold("container", record.id):
            now = self.ledger.containers.get(record.id)
            if now is not None and now.is_running and now.sandbox_id == record.sandbox_id:
                await self.send(now, KILL)
        if await waiting.within(PATIENCE_S) is None:
            raise Internal(NO_EXIT)


def grace_s(record: ContainerRecord, timeout_s: int | None) -> float | None:
    """How long it may take to end; None: as long as it wants."""
    if timeout_s is None:
        timeout_s = record.config.stop_timeout
    if timeout_s is None:
        timeout_s = DEFAULT_TIMEOUT_S
    return None if timeout_s < 0 else timeout_s
