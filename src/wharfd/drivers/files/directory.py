"""Containers' small files in a directory for each container, below the data root."""

import errno
import os
import shutil
from collections.abc import Mapping, Sequence

from wharfd.drivers.files.mounts import MOUNTS, release
from wharfd.model.errors import Internal
from wharfd.model.ids import ContainerId
from wharfd.sys.blocking import Pool

REMOVAL_TRIES = 20


class FileDirectory:
    """Satisfies `ports.files.ContainerFiles`.  `root` is DATA_ROOT/containers."""

    def __init__(self, root: str, pool: Pool) -> None:
        self.root = root
        self.pool = pool

    async def open(self) -> None:
        try:
            await self.pool.run(os.makedirs, self.root, 0o710, True)
        except OSError as e:
            raise Internal(f"cannot make {self.root}: {e.strerror}") from e

    def directory(self, container_id: ContainerId) -> str:
        return f"{self.root}/{container_id}"

    def write(self, container_id: ContainerId, files: Mapping[str, bytes]) -> None:
        directory = self.directory(container_id)
        try:
            try:
                os.mkdir(directory, 0o710)
            except FileExistsError:
                pass
            for name, content in files.items():
                replace_file(f"{directory}/{name}", content)
        except OSError as e:
            raise Internal(f"cannot write the files of container {container_id}: {e.strerror}") from e

    def rewrite(self, container_id: ContainerId, files: Mapping[str, bytes]) -> None:
        directory = self.directory(container_id)
        try:
            for name, content in files.items():
                fd = os.open(f"{directory}/{name}", os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC)
                try:
                    os.write(fd, content)
                finally:
                    os.close(fd)
        except OSError as e:
            raise Internal(f"cannot write the files of container {container_id}: {e.strerror}") from e

    async def remove(self, container_id: ContainerId) -> None:
        try:
            await self.pool.run(remove_tree, self.directory(container_id))
        except OSError as e:
            raise Internal(f"unable to remove filesystem for {container_id}: {e.strerror}") from e

    async def leftovers(self) -> Sequence[ContainerId]:
        return [ContainerId(name) for name in await self.pool.run(names_in, self.root)]


def replace_file(path: str, content: bytes) -> None:
    """Containers of other users read it, whatever the engine's umask is."""
    temporary = f"{path}.new"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        os.fchmod(fd, 0o644)
        if os.write(fd, content) != len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(fd)
    os.rename(temporary, path)


def remove_tree(path: str) -> None:
    """Also if somebody (who looks after the container's log) still makes and deletes files in it, or a mount is left."""
    release(f"{path}/{MOUNTS}")
    for attempt in range(REMOVAL_TRIES):
        try:
            shutil.rmtree(path)
        except FileNotFoundError:
            if not os.path.lexists(path):
                return
        except OSError as e:
            if e.errno != errno.ENOTEMPTY or attempt == REMOVAL_TRIES - 1:
                raise


def names_in(path: str) -> list[str]:
    try:
        return sorted(os.listdir(path))
    except FileNotFoundError:
        return []
