"""Puts the table of rules back when somebody deletes it or something of it, a moment after the kernel has told of it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from wharfd.model.errors import EngineError
from wharfd.sys.nftables import TableWatch

log = logging.getLogger(__name__)

PAUSE_S = 0.05  # whoever deletes everything is let to his end


class Guard:
    """`restore` puts the table back if it is not whole, and says whether it had to."""

    def __init__(self, table: str, restore: Callable[[], Awaitable[bool]]) -> None:
        self.table = table
        self.restore = restore
        self.watch: TableWatch | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.work: asyncio.Future[None] | None = None

    def open(self) -> None:
        try:
            self.watch = TableWatch()
        except OSError as error:
            log.warning("the firewall is not watched: error=%s", error)
            return
        asyncio.get_running_loop().add_reader(self.watch.fileno(), self.happened)

    def happened(self) -> None:
        if self.watch is None:
            return
        names = self.watch.damaged()
        # Our own replacement of the table deletes it, too: `restore` looks whether it is whole.
        if (names is None or self.table in names) and self.timer is None:
            self.timer = asyncio.get_running_loop().call_later(PAUSE_S, self.due)

    def due(self) -> None:
        self.timer = None
        if self.work is None or self.work.done():
            self.work = asyncio.ensure_future(self.put_back())  # noqa: TID251 - owned here, awaited in close

    async def put_back(self) -> None:
        try:
            if await self.restore():
                log.warning("table=%s was changed by somebody else and is put back", self.table)
        except EngineError as error:
            log.error("table=%s is not put back: error=%s", self.table, error)

    async def close(self) -> None:
        if self.watch is not None:
            asyncio.get_running_loop().remove_reader(self.watch.fileno())
            self.watch.close()
            self.watch = None
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        if self.work is not None:
            await asyncio.wait([self.work])
