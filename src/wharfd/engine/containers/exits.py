"""What happens when a container's process ends.

The exit is recorded and told at once; taking down what the run held comes after, with the container's lock held, so that a start or a
removal that comes meanwhile waits for it.  Then the container is removed (`AutoRemove`) or started again after a delay (restart
policy).
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from wharfd.engine import lifecycle
from wharfd.engine.containers import restart_policy
from wharfd.engine.containers.debts import Debts
from wharfd.engine.containers.removal import Removal
from wharfd.engine.containers.start import Start
from wharfd.engine.containers.volumes import volumes_of
from wharfd.engine.containers.waiters import Waiters
from wharfd.engine.happenings import container_event, network_event, volume_unmount_event
from wharfd.engine.ledger import Ledger
from wharfd.engine.locks import KeyedLocks
from wharfd.engine.tasks import Tasks
from wharfd.model.container import ContainerRecord, State
from wharfd.model.errors import EngineError
from wharfd.model.event import Event
from wharfd.model.ids import ContainerId
from wharfd.ports.clock import Clock
from wharfd.ports.runtime import Exit

log = logging.getLogger(__name__)

RETRY_S = 2.0  # between attempts to record an exit


class Cancellable(Protocol):
    def cancel(self) -> None: ...


Later = Callable[[float, Callable[[], None]], Cancellable]


def later(delay_s: float, action: Callable[[], None]) -> Cancellable:
    return asyncio.get_running_loop().call_later(delay_s, action)


class Exits:
    """`call_later(seconds, action)` is the loop's, or a test's."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        locks: KeyedLocks,
        tasks: Tasks,
        clock: Clock,
        debts: Debts,
        removal: Removal,
        waiters: Waiters,
        start: Start,
        new_id: Callable[[], str],
        call_later: Later = later,
    ) -> None:
        self.ledger = ledger
        self.locks = locks
        self.tasks = tasks
        self.clock = clock
        self.debts = debts
        self.removal = removal
        self.waiters = waiters
        self.start = start
        self.new_id = new_id
        self.call_later = call_later
        self.is_open = False
        self.is_holding = False
        self.early: list[tuple[Exit, str]] = []
        self.delays_s: dict[ContainerId, float] = {}
        self.timers: dict[ContainerId, Cancellable] = {}

    def open(self) -> None:
        """Records and networks are in order: exits that came before are dealt with now."""
        self.is_open = True
        early, self.early = self.early, []
        for exit_seen, sandbox_id in early:
            self.begin(exit_seen, sandbox_id)

    def hold(self) -> None:
        """No more restarts, but exits are recorded: what the policy would start again is left to the next engine."""
        self.is_holding = True
        self.cancel_timers()

    def close(self) -> None:
        """No more restarts; containers go on."""
        self.is_open = False
        self.cancel_timers()

    def cancel_timers(self) -> None:
        for timer in self.timers.values():
            timer.cancel()
        self.timers.clear()

    def on_exit(self, exit_seen: Exit) -> None:
        """For `RuntimeDriver.open`.  Does not block."""
        record = self.ledger.containers.get(exit_seen.container_id)
        if record is None:
            return
        # The exit belongs to the run that is going on now.  Until it can be recorded there may be another one.
        if self.is_open:
            self.begin(exit_seen, record.sandbox_id)
        else:
            self.early.append((exit_seen, record.sandbox_id))

    def begin(self, exit_seen: Exit, sandbox_id: str) -> None:
        self.tasks.spawn(self.follow(exit_seen, sandbox_id), f"exit:{exit_seen.container_id[:12]}")

    async def follow(self, exit_seen: Exit, sandbox_id: str) -> None:
        async with self.locks.hold("container", exit_seen.container_id):
            record = self.ledger.containers.get(exit_seen.container_id)
            if record is None or not record.is_running or record.sandbox_id != sandbox_id:
                return  # a start that failed, and killed what it had begun
            try:
                ended = await self.record(record, exit_seen)
            except EngineError as error:
                # A store that cannot be written (a full disk): nobody else tells of this exit, so it is kept.
                log.error("container=%s exit=%d is recorded later: error=%s", record.id, exit_seen.code, error)
                self.call_later(RETRY_S, lambda: self.begin(exit_seen, sandbox_id))
                return
            await self.settle(ended)

    async def record(self, record: ContainerRecord, exit_seen: Exit, *, error: str = "") -> ContainerRecord:
        """Note the exit of a running container, tell of it, wake who waits for it.  Its lock is held.

        `error`: why the code is not the process's own.
        """
        restarts = restart_policy.wants_restart(record, exit_seen.code)
        kind = lifecycle.ExitedToRestart if restarts else lifecycle.Exited
        after = lifecycle.apply(
            record,
            kind(code=exit_seen.code, at_ns=exit_seen.at_ns, oom_killed=exit_seen.oom_killed, error=error),
        )
        await self.ledger.commit(after, events=self.events(record, after))
        self.waiters.exited(after)
        if restarts:
            self.schedule(after, after.finished_ns - record.started_ns)
        else:
            self.delays_s.pop(record.id, None)
        return after

    def events(self, before: ContainerRecord, after: ContainerRecord) -> list[Event]:
        """Docker's order: oom, what it leaves, die."""
        now = self.clock.now_ns()
        seconds = (after.finished_ns - before.started_ns) // 10**9
        died = container_event(after, "die", now, exitCode=str(after.exit_code), execDuration=str(seconds))
        networks = (self.ledger.networks.get(network_id) for network_id in before.endpoints)
        return [
            *([container_event(after, "oom", now)] if after.oom_killed else []),
            *(network_event(network, "disconnect", now, container=after.id) for network in networks if network),
            *(volume_unmount_event(volume, after.id, now) for _, volume in volumes_of(self.ledger, after)),
            died,
        ]

    async def settle(self, record: ContainerRecord) -> None:
        """Take down what the run held, then remove the container if it is to be.  Its lock is held."""
        record = await self.debts.pay(record)
        if record.state is State.EXITED:
            await self.removal.automatic(record)

    # Restarts

    def schedule(self, record: ContainerRecord, ran_ns: int) -> None:
        """A container that is RESTARTING is started after the policy's delay."""
        if self.is_holding:
            return
        previous_s = self.delays_s.get(record.id, 0.0) if record.restart_count > 1 else 0.0
        delay_s = restart_policy.next_delay_s(previous_s, ran_ns)
        self.delays_s[record.id] = delay_s
        self.start_after(record, delay_s)

    def start_after(self, record: ContainerRecord, delay_s: float) -> None:
        old = self.timers.pop(record.id, None)
        if old is not None:
            old.cancel()
        self.timers[record.id] = self.call_later(delay_s, lambda: self.due(record))

    def due(self, record: ContainerRecord) -> None:
        self.timers.pop(record.id, None)
        self.tasks.spawn(self.restart(record), f"restart:{record.id[:12]}")

    async def restart(self, scheduled: ContainerRecord) -> None:
        """Unless something has happened to it since."""
        async with self.locks.hold("container", scheduled.id):
            record = self.ledger.containers.get(scheduled.id)
            if record is None or record.state is not State.RESTARTING or record.finished_ns != scheduled.finished_ns:
                return
            try:
                await self.start.begin(record, lifecycle.RestartDue(sandbox_id=self.new_id()))
            except EngineError as error:
                log.error("container=%s not restarted: error=%s", record.id, error)
