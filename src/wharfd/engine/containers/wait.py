"""Wait for a container's end.

`not-running` is over at once for a container that does not run, `next-exit` and `removed` always wait.
"""

from wharfd.engine.containers.waiters import WaitCondition, Waiters, Waiting, WaitResult
from wharfd.engine.ledger import Ledger
from wharfd.model.container import State
from wharfd.model.errors import InvalidParameter

# Docker: a container that waits for its restart counts as running.
AT_WORK = frozenset({State.STARTING, State.RUNNING, State.PAUSED, State.RESTARTING})


class Wait:
    def __init__(self, *, ledger: Ledger, waiters: Waiters) -> None:
        self.ledger = ledger
        self.waiters = waiters

    def register(self, ref: str, condition: str = "") -> Waiting:
        """Await `result()` of what this gives, and `close()` it.  What happens from now on is not missed.

        Raises:
            ContainerNotFound: it does not exist.
            InvalidParameter: the condition is none of Docker's; an empty one is `not-running`.
        """
        record = self.ledger.container(ref)
        try:
            wanted = WaitCondition(condition or WaitCondition.NOT_RUNNING)
        except ValueError as e:
            raise InvalidParameter(f'invalid condition: "{condition}"') from e
        waiting = self.waiters.register(record.id, wanted)
        if wanted is WaitCondition.NOT_RUNNING and record.state not in AT_WORK:
            waiting.release(WaitResult(record.exit_code, record.error))
            waiting.close()
        return waiting
