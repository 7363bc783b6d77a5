"""Set the size of a terminal: an exec's, or a container's."""

from wharfd.engine.execs.registry import Execs
from wharfd.engine.ledger import Ledger
from wharfd.model.container import State
from wharfd.model.errors import Conflict, NotFound
from wharfd.ports.streams import StdioDriver


class ResizeExec:
    def __init__(self, *, execs: Execs) -> None:
        self.execs = execs

    def __call__(self, exec_id: str, *, height: int, width: int) -> None:
        """In characters.  Before its start: the size that it begins with (clients ask while the process is on its way).

        Raises:
            ExecNotFound.
            NotFound: it is over.
        """
        each = self.execs.get(exec_id)
        process = self.execs.processes.get(each.id)
        if each.is_over:
            raise NotFound(f"NotFound: process does not exist {each.id}: not found")
        if process is not None:
            process.resize(height=height, width=width)
        else:
            self.execs.sizes[each.id] = (height, width)


class ResizeContainer:
    def __init__(self, *, ledger: Ledger, streams: StdioDriver) -> None:
        self.ledger = ledger
        self.streams = streams

    async def __call__(self, ref: str, *, height: int, width: int) -> None:
        """In characters.  Docker: without a terminal nothing happens.

        Raises:
            ContainerNotFound.
            Conflict: it does not run.
        """
        record = self.ledger.container(ref)
        if record.state is State.RESTARTING:
            raise Conflict(f"Container {record.id} is restarting, wait until the container is running")
        if not record.is_running:
            raise Conflict(f"container {record.id} is not running")
        if record.config.tty:
            await self.streams.resize(record.id, height=height, width=width)
