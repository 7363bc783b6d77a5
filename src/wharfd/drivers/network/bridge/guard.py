"""Acts when somebody changes tables of rules that matter to us, a moment after the kernel has told of it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from wharfd.model.errors import EngineError
from wharfd.sys.nftables import TableWatch

log = logging.getLogger(__name__)

PAUSE_S = 0.05  # whoever deletes everything is let to his end

Restore = Callable[[], Awaitable[bool]]
"""Puts a table in order if it is not, and says whether it had to."""


class Guard:
    """`duties` by the name of the table, of whatever family, whose changes they follow."""

    def __init__(self, duties: Mapping[str, Restore]) -> None:
        self.duties = duties
        self.due: set[str] = set()
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
        names = self.watch.changed()
        # Our own changes are told of, too: a duty looks whether there is anything to do.
        self.due |= self.duties.keys() if names is None else self.duties.keys() & names
        self.plan()

    def plan(self) -> None:
        if self.due and self.timer is None:
            self.timer = asyncio.get_running_loop().call_later(PAUSE_S, self.begin)

    def begin(self) -> None:
        self.timer = None
        if self.work is None or self.work.done():
            self.work = asyncio.ensure_future(self.put_back())  # noqa: TID251 - owned here, awaited in close
        else:
            self.plan()

    async def put_back(self) -> None:
        due, self.due = self.due, set()
        for table in sorted(due):
            try:
                if await self.duties[table]():
                    log.warning("table=%s was changed by somebody else and is put in order", table)
            except EngineError as error:
                log.error("table=%s is not put in order: error=%s", table, error)

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
