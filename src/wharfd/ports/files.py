"""Port: the small files of a container's own that lie on the host: hosts, hostname, resolv.conf, and its log beside them."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from wharfd.model.ids import ContainerId


class ContainerFiles(Protocol):
    async def open(self) -> None:
        """Make the directory that holds the others."""

    def directory(self, container_id: ContainerId) -> str:
        """Where the container's files lie; it need not exist yet."""

    def write(self, container_id: ContainerId, files: Mapping[str, bytes]) -> None:
        """Make the directory, then replace these files in it: whoever reads sees the old content or the new one.

        Takes well below a millisecond and blocks.  Not synced: they are written again at each start.
        """

    def rewrite(self, container_id: ContainerId, files: Mapping[str, bytes]) -> None:
        """As `write`, but in place: a running container has them mounted, and sees the change."""

    async def remove(self, container_id: ContainerId) -> None:
        """Delete the directory with all that is in it.  Idempotent."""

    async def leftovers(self) -> Sequence[ContainerId]:
        """Ids that have a directory, recorded or not."""
