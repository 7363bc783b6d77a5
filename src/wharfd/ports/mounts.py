"""Port: what is mounted on the host for one container: memory that it shares, parts of volumes, images.

Each has a place below the container's directory, named by a key of the caller's; a key that is mounted already stays as it is.
"""

from collections.abc import Sequence
from typing import Protocol

from wharfd.model.ids import ContainerId


class ContainerMounts(Protocol):
    def place(self, container_id: ContainerId, key: str) -> str:
        """Where it is, or would be, mounted."""

    async def memory(self, container_id: ContainerId, key: str, size_bytes: int) -> str:
        """Memory (tmpfs) that containers can share as their /dev/shm."""

    async def part(self, container_id: ContainerId, key: str, base: str, subpath: str) -> str:
        """A file or directory below `base`, which no link leads out of.

        Raises:
            NotFound: there is none (dockerd's text).
            InvalidParameter: it leads out of `base`.
        """

    async def layers(self, container_id: ContainerId, key: str, lower: Sequence[str]) -> str:
        """The tree that these directories make, the uppermost first, to be read only."""

    async def release(self, container_id: ContainerId) -> None:
        """All of them.  Idempotent.  Linux: who has been given one has a mount of his own, which stays."""
