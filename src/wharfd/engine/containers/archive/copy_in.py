"""Put an archive into a directory of a container."""

import os
from collections.abc import AsyncIterator

from wharfd.engine.containers.archive.view import Held, Views, missing_told
from wharfd.engine.containers.users import user_of
from wharfd.engine.happenings import container_event
from wharfd.engine.ledger import Ledger
from wharfd.model.files import Extraction
from wharfd.ports.archives import FileArchiver
from wharfd.ports.clock import Clock
from wharfd.ports.storage import RootfsStore


class CopyIn:
    def __init__(
        self, *, views: Views, archiver: FileArchiver, ledger: Ledger, clock: Clock, rootfs: RootfsStore
    ) -> None:
        self.views = views
        self.archiver = archiver
        self.ledger = ledger
        self.clock = clock
        self.rootfs = rootfs

    async def __call__(
        self,
        ref: str,
        path: str,
        archive: AsyncIterator[bytes],
        *,
        keep_kinds: bool = False,
        as_user: bool = False,
    ) -> None:
        """Returns when everything is in its place.

        `keep_kinds`: a directory is not replaced by a file, nor the other way round.  `as_user`: all of it belongs to the container's
        user.  What was written before an error stays, as with dockerd.

        Raises:
            ContainerNotFound, ContainerFileNotFound.
            InvalidParameter: no directory, or a read-only one; a broken archive, or one that would lead out of the directory.
        """
        async with self.views.open(ref, "copy files to") as held:
            how = Extraction(keep_kinds=keep_kinds, owner=await self.owner(held) if as_user else None)
            async with missing_told(path, ref):
                await self.archiver.write(held.view, os.fsencode(path), archive, how)
            await self.ledger.commit(events=[container_event(held.record, "extract-to-dir", self.clock.now_ns())])

    async def owner(self, held: Held) -> tuple[int, int] | None:
        """Docker: a container without a user of its own takes the archive's owners."""
        if not held.record.config.user:
            return None
        user = await user_of(held.record, self.rootfs)
        return user.uid, user.gid
