"""Send a signal to a container's process."""

from wharfd.engine import lifecycle
from wharfd.engine.containers.signals import KILL, NO_EXIT, PATIENCE_S, Signals, is_final
from wharfd.engine.containers.waiters import Waiters, Waiting
from wharfd.engine.ledger import Ledger
from wharfd.engine.locks import KeyedLocks
from wharfd.model.container import State
from wharfd.model.errors import Conflict, EngineError, Internal
from wharfd.model.ids import ContainerId
from wharfd.wire.limits import parse_signal


class Kill:
    def __init__(self, *, ledger: Ledger, locks: KeyedLocks, signals: Signals, waiters: Waiters) -> None:
        self.ledger = ledger
        self.locks = locks
        self.signals = signals
        self.waiters = waiters

    async def __call__(self, ref: str, signal: str = "") -> None:
        """`signal` empty: SIGKILL, after which it returns when the container has ended.

        Raises, all with `cannot kill container: REF: ` before their texts, as dockerd does:
            InvalidParameter: no such signal.
            ContainerNotFound
            Conflict: it does not run.
            Internal: it survived SIGKILL.
        """
        try:
            number = parse_signal(signal) if signal else KILL
            record = self.ledger.container(ref)
            if number == KILL:
                await self.end(record.id)
            else:
                await self.pass_on(record.id, number)
        except EngineError as error:
            raise error.prefixed(f"cannot kill container: {ref}: ") from error

    async def pass_on(self, container_id: ContainerId, signal: int) -> None:
        async with self.locks.hold("container", container_id):
            record = self.ledger.container(container_id)
            final = is_final(record, signal)
            after = lifecycle.apply(record, lifecycle.KillAsked(final=final))
            if record.state is not State.RESTARTING:
                await self.signals.send(record, signal, final=final)
            elif final:
                self.ledger.post(after)
                self.waiters.exited(after)

    async def end(self, container_id: ContainerId) -> None:
        """SIGKILL, and wait for the exit.

        Raises:
            Conflict: it does not run.
            Internal: it survived.
        """
        async with self.locks.hold("container", container_id):
            waiting = await self.strike(container_id)
        try:
            if await waiting.within(PATIENCE_S) is None:
                raise Internal(NO_EXIT)
        finally:
            waiting.close()

    async def strike(self, container_id: ContainerId) -> Waiting:
        """SIGKILL; whoever gets the answer may wait for the exit when the lock, which is held, is free."""
        record = self.ledger.container(container_id)
        after = lifecycle.apply(record, lifecycle.KillAsked(final=True))
        waiting = self.waiters.next_exit(container_id)
        if record.state is State.RESTARTING:
            self.ledger.post(after)
            self.waiters.exited(after)
            return waiting
        try:
            await self.signals.send(record, KILL, final=True)
        except Conflict:
            pass  # its process is gone; its exit is on the way
        except BaseException:
            waiting.close()
            raise
        return waiting
