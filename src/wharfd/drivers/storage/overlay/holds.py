"""Who needs a root file system mounted: the container while it runs, and whoever copies files out of it or into it.

Two overlay mounts over one upper directory would not see each other's files, so there is one, and it goes when the last one leaves.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from wharfd.model.ids import ContainerId


class Mounted:
    """What is known of a container's mount while somebody copies.  `stays`: the container wants it, too."""

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self.users = 0
        self.holders = 0
        self.stays = False


class Holds:
    """Mounting and unmounting of one root happen one after the other."""

    def __init__(self) -> None:
        self.known: dict[ContainerId, Mounted] = {}

    @asynccontextmanager
    async def turn(self, container_id: ContainerId) -> AsyncIterator[Mounted]:
        mounted = self.known.setdefault(container_id, Mounted())
        mounted.users += 1
        try:
            async with mounted.turn:
                yield mounted
        finally:
            mounted.users -= 1
            if not mounted.users and not mounted.holders and self.known.get(container_id) is mounted:
                del self.known[container_id]
