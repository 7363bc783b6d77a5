"""Remove a container, by request."""

from wharfd.engine.containers.kill import Kill
from wharfd.engine.containers.removal import Removal
from wharfd.engine.containers.signals import NO_EXIT, PATIENCE_S
from wharfd.engine.containers.waiters import Waiting
from wharfd.engine.ledger import Ledger
from wharfd.engine.locks import KeyedLocks
from wharfd.model.container import State
from wharfd.model.errors import Conflict, Internal
from wharfd.model.ids import ContainerId

MUST_BE_KILLED = frozenset({State.RUNNING, State.PAUSED, State.RESTARTING})


class Remove:
    def __init__(self, *, ledger: Ledger, locks: KeyedLocks, kill: Kill, removal: Removal) -> None:
        self.ledger = ledger
        self.locks = locks
        self.kill = kill
        self.removal = removal

    async def __call__(self, ref: str, *, volumes: bool = False, force: bool = False, link: bool = False) -> None:
        """Returns when nothing of it is left.  `volumes`: with its anonymous volumes; `force`: also if it runs.

        Raises:
            Conflict: it runs, or its removal is under way, or only a link was to be removed, of which there are none.
            Internal: something could not be deleted; the container is dead, and may be removed again.
        """
        container_id = self.ledger.container(ref).id
        with self.removal.claim(container_id, ref):
            if link:
                raise Conflict("Conflict, cannot remove the default link name of the container")
            try:
                await self.clear(container_id, volumes, force)
            except (Conflict, Internal) as error:
                raise error.prefixed(f'cannot remove container "{ref}": ') from error

    async def clear(self, container_id: ContainerId, volumes: bool, force: bool) -> None:
        while (waiting := await self.destroy_or_kill(container_id, volumes, force)) is not None:
            try:
                if await waiting.within(PATIENCE_S) is None:
                    raise Internal(f"could not kill container: {NO_EXIT}")
            finally:
                waiting.close()

    async def destroy_or_kill(self, container_id: ContainerId, volumes: bool, force: bool) -> Waiting | None:
        """None when it is gone; else its exit is to be awaited, which cannot be done with the lock held."""
        async with self.locks.hold("container", container_id):
            record = self.ledger.containers.get(container_id)
            if record is None:
                return None
            if record.state in MUST_BE_KILLED and force:
                return await self.kill.strike(container_id)
            await self.removal.destroy(record, volumes=volumes)
            return None
