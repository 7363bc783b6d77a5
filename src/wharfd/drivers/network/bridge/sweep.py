"""Deletes links some time after they have had their purpose, so that nobody waits for it.

Linux: every change of a network waits for one lock, and deleting a link holds it while all processors pass a quiet state, some 10 to
30 ms.  Veth pairs that are deleted in one go wait together; bridges wait one by one, however they are deleted, so they go one at a time
with pauses between, in which containers can start.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable

from wharfd.drivers.network.bridge import links
from wharfd.sys.blocking import Pool
from wharfd.sys.netlink import Netlink

log = logging.getLogger(__name__)

LINGER_S = 0.5  # how long a link may outlive its endpoint before it is deleted by hand: most go with their namespace
PAUSE_S = 0.03
CLOSING_S = 2.0  # what is left then carries the engine's mark, and the next one deletes it


class Sweeper:
    """Its attributes are changed on the loop only.  `near` gives the socket of the host's namespace."""

    def __init__(self, pool: Pool, near: Callable[[], Netlink]) -> None:
        self.pool = pool
        self.near = near
        self.links: list[str] = []
        self.bridges: deque[str] = deque()
        self.timer: asyncio.TimerHandle | None = None
        self.work: asyncio.Future[None] | None = None
        self.is_closing = False

    def link(self, name: str) -> None:
        self.links.append(name)
        self.plan(LINGER_S)

    def bridge(self, name: str) -> None:
        """Whose ports are gone, or are going."""
        self.bridges.append(name)
        self.plan(LINGER_S)

    def keep(self, name: str) -> None:
        """A network wants a bridge of that name."""
        if name in self.bridges:
            self.bridges.remove(name)

    def plan(self, delay_s: float) -> None:
        if self.timer is None and self.work is None and not self.is_closing:
            self.timer = asyncio.get_running_loop().call_later(delay_s, self.begin)

    def begin(self) -> None:
        self.timer = None
        gone, self.links = self.links, []
        bridge = self.bridges.popleft() if self.bridges else ""
        self.work = asyncio.ensure_future(self.pool.run(self.delete, gone, bridge))  # noqa: TID251 - owned here, awaited in close
        self.work.add_done_callback(self.done)

    def done(self, work: asyncio.Future[None]) -> None:
        self.work = None
        if not work.cancelled() and work.exception() is not None:
            log.warning("links not deleted: error=%s", work.exception())
        if self.links or self.bridges:
            self.plan(PAUSE_S if self.bridges else LINGER_S)

    def delete(self, gone: list[str], bridge: str) -> None:
        links.delete_links(self.near(), gone)
        if bridge:
            links.delete_bridge(self.near(), bridge)

    async def close(self) -> None:
        self.is_closing = True
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        if self.work is not None:
            await asyncio.wait([self.work])
        if self.links or self.bridges:
            await self.pool.run(self.delete_at_the_end)
        self.is_closing = False

    def delete_at_the_end(self) -> None:
        end = time.monotonic() + CLOSING_S
        links.delete_links(self.near(), self.links)
        for name in self.bridges:
            if time.monotonic() > end:
                break
            links.delete_bridge(self.near(), name)
        self.links, self.bridges = [], deque()
