"""The processes of a container, as the host's `ps` shows them."""

import re
from dataclasses import dataclass

from wharfd.engine.happenings import container_event
from wharfd.engine.ledger import Ledger
from wharfd.model.container import State
from wharfd.model.errors import Conflict, InvalidParameter
from wharfd.ports.clock import Clock
from wharfd.ports.runtime import RuntimeDriver

DEFAULT_ARGS = "-ef"
# ps names a column by what stands behind `-o pid=`; a name with that form would hide which column is the PID.
_RENAMED_PID = re.compile(r"\s+pid=\S+|-o\s*pid=|,pid=", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Processes:
    titles: list[str]
    rows: list[list[str]]


class TopContainer:
    def __init__(self, *, ledger: Ledger, clock: Clock, runtime: RuntimeDriver) -> None:
        self.ledger = ledger
        self.clock = clock
        self.runtime = runtime

    async def __call__(self, ref: str, ps_args: str = "") -> Processes:
        """Raises ContainerNotFound, Conflict (it does not run), InvalidParameter (arguments that ps refuses)."""
        record = self.ledger.container(ref)
        if _RENAMED_PID.search(ps_args):
            raise InvalidParameter('specifying "pid=" is not allowed')
        if "\0" in ps_args:
            raise InvalidParameter("ps arguments contain a NUL byte")
        if record.state is State.RESTARTING:
            raise Conflict(f"Container {record.id} is restarting, wait until the container is running")
        if not record.is_running:
            raise Conflict(f"container {record.id} is not running")
        pids = await self.runtime.processes(record.id)
        titles, rows = await self.runtime.top(pids, ps_args or DEFAULT_ARGS)
        self.ledger.post(events=[container_event(record, "top", self.clock.now_ns())])
        return Processes(titles, rows)
