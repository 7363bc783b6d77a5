"""What a container has changed of its image's files."""

from collections.abc import Sequence

from wharfd.engine.containers.archive.view import usable_rootfs
from wharfd.engine.ledger import Ledger
from wharfd.model.files import Change
from wharfd.ports.archives import ChangeLister


class ListChanges:
    def __init__(self, *, ledger: Ledger, lister: ChangeLister) -> None:
        self.ledger = ledger
        self.lister = lister

    async def __call__(self, ref: str) -> Sequence[Change]:
        """By path.  Raises ContainerNotFound, Conflict (it is being removed)."""
        return await self.lister.changes(usable_rootfs(self.ledger.container(ref), "list the changes of"))
