"""Blobs that come in several attempts.

    ROOT/partial/<64 hex>       the bytes that are here, in order, without holes

A blob that is whole gets its name among the blobs as a second link to the same file; the first one stays as the mark that no image has
claimed it.  So a blob of an image that did not come to its end survives a restart, and takes its room once.

What lies on the disk is hashed again by the next attempt: after a power cut the file may be longer than what was written of it.
"""

import errno
import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from wharfd.drivers.content.files import synced_directory, unlink
from wharfd.model.errors import Internal, InvalidParameter
from wharfd.model.ids import Digest
from wharfd.ports.content import Remnant
from wharfd.sys.blocking import Pool
from wharfd.sys.filesystem import start_writeback

ALGORITHM = "sha256:"
BATCH_BYTES = 1 << 20  # hashed and written in one go on a thread
FLUSH_BYTES = 16 << 20
RESERVE_BYTES = 64 << 20  # of the disk, that no blob may fill


class Partials:
    def __init__(self, root: str, pool: Pool) -> None:
        self.directory = f"{root}/partial"
        self.pool = pool
        self.unclaimed: set[Digest] = set()
        self.in_work: set[Digest] = set()

    async def open(self, blobs: Iterable[Digest]) -> None:
        """`blobs`: what the store has."""
        present = await self.pool.run(self.prepare)
        self.unclaimed = present & set(blobs)

    def prepare(self) -> set[Digest]:
        try:
            os.makedirs(self.directory, mode=0o700, exist_ok=True)
            return {Digest(ALGORITHM + name) for name in os.listdir(self.directory)}
        except OSError as e:
            raise Internal(f"content store {self.directory}: {e}") from e

    def path(self, digest: Digest) -> str:
        return f"{self.directory}/{digest.removeprefix(ALGORITHM)}"

    async def begin(self, digest: Digest, size: int, blob_path: str, whole: Callable[[], None]) -> "PartialFile":
        """`whole` is called when the blob has its name, `blob_path`."""
        if digest in self.in_work:
            raise Internal(f"content {digest} is being written already")
        self.in_work.add(digest)
        file = PartialFile(self, digest, size, blob_path, whole)
        try:
            await self.pool.run(file.open)
        except BaseException:
            file.close()
            raise
        return file

    async def claim(self, digests: Iterable[Digest]) -> None:
        marked = [digest for digest in digests if digest in self.unclaimed]
        self.unclaimed.difference_update(marked)
        if marked:
            await self.pool.run(self.unlink_all, marked)

    def unlink_all(self, digests: Iterable[Digest]) -> None:
        for digest in digests:
            unlink(self.path(digest))

    async def remnants(self) -> Sequence[Remnant]:
        return await self.pool.run(self.scan)

    def scan(self) -> list[Remnant]:
        found = []
        with os.scandir(self.directory) as entries:
            for entry in entries:
                digest = Digest(ALGORITHM + entry.name)
                if digest in self.in_work:
                    continue
                with suppress(FileNotFoundError):
                    status = entry.stat(follow_symlinks=False)
                    whole = digest in self.unclaimed
                    found.append(
                        Remnant(digest=digest, size=status.st_size, whole=whole, changed_ns=status.st_mtime_ns)
                    )
        return found

    async def drop(self, digest: Digest) -> None:
        if digest not in self.in_work:
            self.unclaimed.discard(digest)
            await self.pool.run(unlink, self.path(digest))


class PartialFile:
    """A `PartialBlob`."""

    def __init__(self, store: Partials, digest: Digest, size: int, blob_path: str, whole: Callable[[], None]) -> None:
        self.store = store
        self.digest = digest
        self.size = size
        self.path = store.path(digest)
        self.blob_path = blob_path
        self.whole = whole
        self.fd = -1
        self.hash = hashlib.sha256()
        self.written = 0  # in the file
        self.flushed = 0
        self.pending = bytearray()
        self.is_whole = False

    @property
    def offset(self) -> int:
        return self.written + len(self.pending)

    def open(self) -> None:
        try:
            self.fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            present = os.fstat(self.fd).st_size
            if present > self.size:
                os.ftruncate(self.fd, 0)
                present = 0
            space = os.fstatvfs(self.fd)
            if self.size - present > max(0, space.f_bavail * space.f_frsize - RESERVE_BYTES):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            while chunk := os.read(self.fd, BATCH_BYTES):
                self.hash.update(chunk)
                self.written += len(chunk)
            self.flushed = self.written
        except OSError as e:
            raise failure(self.digest, e) from e

    async def write(self, data: bytes | memoryview) -> None:
        if self.offset + len(data) > self.size:
            raise InvalidParameter(f"content {self.digest} has more than {self.size} bytes")
        self.pending += data
        if len(self.pending) >= BATCH_BYTES:
            await self.flush()

    async def flush(self) -> None:
        batch, self.pending = self.pending, bytearray()
        await self.store.pool.run(self.append, batch)

    def append(self, data: bytearray) -> None:
        view = memoryview(data)
        try:
            at = 0
            while at < len(view):
                at += os.write(self.fd, view[at:])
        except OSError as e:
            raise failure(self.digest, e) from e
        self.hash.update(view)
        self.written += len(view)
        if self.written - self.flushed >= FLUSH_BYTES:
            # What is on its way to the disk by the end does not have to be waited for then.
            start_writeback(self.fd, self.flushed, self.written - self.flushed)
            self.flushed = self.written

    async def commit(self) -> None:
        try:
            await self.store.pool.run(self.finish)
        finally:
            self.close()
            if self.is_whole:  # also when the caller is cancelled: the thread has gone to its end
                self.store.unclaimed.add(self.digest)
                self.whole()

    def finish(self) -> None:
        try:
            if self.pending:
                self.append(self.pending)
            found = ALGORITHM + self.hash.hexdigest()
            if found != self.digest:
                unlink(self.path)
                raise InvalidParameter(f"unexpected commit digest {found}, expected {self.digest}")
            os.fsync(self.fd)
            with synced_directory(os.path.dirname(self.blob_path)), suppress(FileExistsError):
                os.link(self.path, self.blob_path)
            self.is_whole = True
        except OSError as e:
            raise failure(self.digest, e) from e

    async def suspend(self) -> None:
        try:
            if self.pending:
                await self.store.pool.run_through(self.append, self.pending)
        finally:
            self.close()

    async def discard(self) -> None:
        try:
            await self.store.pool.run_through(unlink, self.path)
        finally:
            self.close()

    def close(self) -> None:
        self.store.in_work.discard(self.digest)
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def failure(digest: Digest, error: OSError) -> Internal:
    return Internal(f"content {digest}: {(error.strerror or str(error)).lower()}")
