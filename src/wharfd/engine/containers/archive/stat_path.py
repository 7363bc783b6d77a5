"""What a path in a container is, without following it."""

import os

from wharfd.engine.containers.archive.view import Views, missing_told
from wharfd.model.files import PathStat
from wharfd.ports.archives import FileArchiver


class StatPath:
    def __init__(self, *, views: Views, archiver: FileArchiver) -> None:
        self.views = views
        self.archiver = archiver

    async def __call__(self, ref: str, path: str) -> PathStat:
        """Raises ContainerNotFound, ContainerFileNotFound, InvalidParameter."""
        async with self.views.open(ref, "read files of") as held, missing_told(path, ref):
            return await self.archiver.stat(held.view, os.fsencode(path))
