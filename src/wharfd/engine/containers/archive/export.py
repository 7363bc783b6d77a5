"""A container's root file system as one archive.  Docker: what is mounted in it is not part of it."""

from contextlib import AsyncExitStack

from wharfd.engine.containers.archive.view import HeldStream, Views
from wharfd.engine.happenings import container_event
from wharfd.engine.ledger import Ledger
from wharfd.ports.archives import FileArchiver
from wharfd.ports.clock import Clock


class Export:
    def __init__(self, *, views: Views, archiver: FileArchiver, ledger: Ledger, clock: Clock) -> None:
        self.views = views
        self.archiver = archiver
        self.ledger = ledger
        self.clock = clock

    async def __call__(self, ref: str) -> HeldStream:
        """To be closed.  Raises (before the first byte) ContainerNotFound, Conflict (it is being removed)."""
        async with AsyncExitStack() as stack:
            held = await stack.enter_async_context(self.views.open(ref, "export"))
            archive = await self.archiver.export(held.bare)
            stack.push_async_callback(archive.aclose)
            await self.ledger.commit(events=[container_event(held.record, "export", self.clock.now_ns())])
            return HeldStream(archive, stack.pop_all())
