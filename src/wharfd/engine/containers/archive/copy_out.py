"""Copy a path out of a container, as an archive that is made while it is read."""

import os
from contextlib import AsyncExitStack

from wharfd.engine.containers.archive.view import HeldStream, Views, missing_told
from wharfd.engine.happenings import container_event
from wharfd.engine.ledger import Ledger
from wharfd.model.files import PathStat
from wharfd.ports.archives import FileArchiver
from wharfd.ports.clock import Clock


class CopyOut:
    def __init__(self, *, views: Views, archiver: FileArchiver, ledger: Ledger, clock: Clock) -> None:
        self.views = views
        self.archiver = archiver
        self.ledger = ledger
        self.clock = clock

    async def __call__(self, ref: str, path: str, encoding: str = "") -> tuple[PathStat, HeldStream]:
        """What the path is, and the archive, which is to be closed.  `encoding`: "", gzip, deflate.

        Raises (before the first byte) ContainerNotFound, ContainerFileNotFound, InvalidParameter.
        """
        async with AsyncExitStack() as stack:
            held = await stack.enter_async_context(self.views.open(ref, "read files of"))
            async with missing_told(path, ref):
                status, archive = await self.archiver.read(held.view, os.fsencode(path), encoding)
            stack.push_async_callback(archive.aclose)
            await self.ledger.commit(events=[container_event(held.record, "archive-path", self.clock.now_ns())])
            return status, HeldStream(archive, stack.pop_all())
