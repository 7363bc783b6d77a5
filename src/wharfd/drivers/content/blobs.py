"""Blobs as files named by their digest.

    ROOT/blobs/sha256/<64 hex>      whole and durable, never changed
    ROOT/ingest/<name>/             what workers are writing; dropped at start
    ROOT/partial/<64 hex>           what pulls have brought of a blob (see `partials.py`); kept over restarts

A blob that the engine writes itself has no name until it is complete (O_TMPFILE), so a crash leaves nothing.  This store is the only
writer of its directory and keeps the sizes in memory: `has` and `size` touch no disk.
"""

import hashlib
import io
import os
import secrets
import shutil
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import suppress

from wharfd.drivers.content.files import synced_directory, unlink
from wharfd.drivers.content.partials import PartialFile, Partials
from wharfd.model.errors import Internal, InvalidParameter, NotFound, Unavailable
from wharfd.model.ids import Digest
from wharfd.ports.content import Remnant
from wharfd.sys.blocking import Pool

ALGORITHM = "sha256:"
BATCH_BYTES = 1 << 20  # hashed and written in one go on a thread
STREAM_BYTES = 1 << 20


class BlobStore:
    """The `ContentStore`, `SpoolStore` and `PartialStore` ports on a directory."""

    def __init__(self, root: str, pool: Pool) -> None:
        self.root = root
        self.pool = pool
        self.blobs = f"{root}/blobs/sha256"
        self.ingest = f"{root}/ingest"
        self.sizes: dict[Digest, int] = {}
        self.partials = Partials(root, pool)

    async def open(self) -> None:
        self.sizes = await self.pool.run(self.prepare)
        await self.partials.open(self.sizes)

    def prepare(self) -> dict[Digest, int]:
        try:
            os.makedirs(self.blobs, mode=0o700, exist_ok=True)
            shutil.rmtree(self.ingest, ignore_errors=True)
            os.makedirs(self.ingest, mode=0o700, exist_ok=True)
            with os.scandir(self.blobs) as entries:
                return {Digest(ALGORITHM + entry.name): entry.stat().st_size for entry in entries}
        except OSError as e:
            raise Unavailable(f"content store {self.root}: {e}") from e

    def has(self, digest: Digest) -> bool:
        return digest in self.sizes

    def size(self, digest: Digest) -> int:
        size = self.sizes.get(digest)
        if size is None:
            raise NotFound(f"content digest {digest}: not found")
        return size

    def list(self) -> Sequence[Digest]:
        return list(self.sizes)

    def path(self, digest: Digest) -> str:
        """Raises InvalidParameter for an algorithm that is not kept here."""
        encoded = digest.removeprefix(ALGORITHM)
        if len(encoded) != 64 or not set(encoded) <= set("0123456789abcdef"):
            raise InvalidParameter(f"unsupported digest {digest}")
        return f"{self.blobs}/{encoded}"

    async def writer(self) -> "FileWriter":
        return FileWriter(self)

    async def read(self, digest: Digest, limit: int = 8 << 20) -> bytes:
        if self.size(digest) > limit:
            raise InvalidParameter(f"content digest {digest}: {self.size(digest)} bytes, more than {limit}")
        return await self.pool.run(read_file, self.path(digest))

    async def stream(self, digest: Digest, offset: int = 0) -> AsyncIterator[bytes]:
        self.size(digest)
        fd = await self.pool.run(open_blob, self.path(digest))
        try:
            os.lseek(fd, offset, os.SEEK_SET)
            while chunk := await self.pool.run(os.read, fd, STREAM_BYTES):
                yield chunk
        finally:
            os.close(fd)

    async def delete(self, digest: Digest) -> None:
        if self.sizes.pop(digest, None) is not None:
            await self.partials.claim([digest])
            await self.pool.run(unlink, self.path(digest))

    async def spool(self) -> "Spool":
        path = f"{self.ingest}/{secrets.token_hex(8)}"
        os.mkdir(path, 0o700)
        return Spool(self, path)

    async def partial(self, digest: Digest, size: int) -> PartialFile:
        path = self.path(digest)

        def whole() -> None:
            self.sizes[digest] = size

        return await self.partials.begin(digest, size, path, whole)

    def unclaimed(self) -> frozenset[Digest]:
        return frozenset(self.partials.unclaimed)

    async def claim(self, digests: Iterable[Digest]) -> None:
        await self.partials.claim(digests)

    async def remnants(self) -> Sequence[Remnant]:
        return await self.partials.remnants()

    async def drop_remnant(self, digest: Digest) -> None:
        await self.partials.drop(digest)


class FileWriter:
    """A `BlobWriter`: an unnamed file that is given its name once it is complete and synced."""

    def __init__(self, store: BlobStore) -> None:
        self.store = store
        self.file = open_unnamed(store.blobs)
        self.hash = hashlib.sha256()
        self.size = 0
        self.pending = bytearray()
        self.digest: Digest | None = None  # once it has its name

    async def write(self, data: bytes | memoryview) -> None:
        self.pending += data
        if len(self.pending) >= BATCH_BYTES:
            batch, self.pending = self.pending, bytearray()
            await self.store.pool.run(self.append, batch)

    async def commit(self, expected: Digest | None = None) -> Digest:
        try:
            return await self.store.pool.run(self.finish, expected)
        finally:
            self.file.close()
            if self.digest is not None:  # also when the caller is cancelled: the thread has gone to its end
                self.store.sizes[self.digest] = self.size

    async def abort(self) -> None:
        self.file.close()

    def append(self, data: bytearray) -> None:
        try:
            self.hash.update(data)
            view = memoryview(data)
            at = 0
            while at < len(view):
                at += self.file.write(view[at:])
            self.size += len(view)
        except OSError as e:
            raise Internal(f"content store: {e}") from e

    def finish(self, expected: Digest | None) -> Digest:
        self.append(self.pending)
        digest = Digest(ALGORITHM + self.hash.hexdigest())
        if expected is not None and digest != expected:
            raise InvalidParameter(f"unexpected commit digest {digest}, expected {expected}")
        try:
            os.fsync(self.file.fileno())
            with synced_directory(self.store.blobs) as directory, suppress(FileExistsError):
                # Python uses linkat(2) with AT_SYMLINK_FOLLOW only where a directory descriptor is given.
                name = digest.removeprefix(ALGORITHM)
                os.link(f"/proc/self/fd/{self.file.fileno()}", name, dst_dir_fd=directory, follow_symlinks=True)
        except OSError as e:
            raise Internal(f"content store: {e}") from e
        self.digest = digest
        return digest


class Spool:
    """A directory for a worker's output.  See `ports/content.py`."""

    def __init__(self, store: BlobStore, path: str) -> None:
        self.store = store
        self.path = path

    async def read(self, name: str, limit: int = 8 << 20) -> bytes:
        data = await self.head(name, limit + 1)
        if len(data) > limit:
            raise InvalidParameter(f"{name} is larger than {limit} bytes")
        return data

    async def head(self, name: str, count: int) -> bytes:
        return await self.store.pool.run(read_file, f"{self.path}/{name}", count)

    async def adopt(self, files: Mapping[str, Digest]) -> None:
        sizes = await self.store.pool.run(self.move, files)
        self.store.sizes.update(sizes)

    def move(self, files: Mapping[str, Digest]) -> dict[Digest, int]:
        sizes = {}
        try:
            with synced_directory(self.store.blobs):
                for name, digest in files.items():
                    source = f"{self.path}/{name}"
                    fd = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
                    try:
                        os.fsync(fd)
                        sizes[digest] = os.fstat(fd).st_size
                    finally:
                        os.close(fd)
                    os.rename(source, self.store.path(digest))
        except OSError as e:
            raise Internal(f"content store: {e}") from e
        return sizes

    async def drop(self) -> None:
        await self.store.pool.run(shutil.rmtree, self.path, ignore_errors=True)


def open_unnamed(directory: str) -> io.FileIO:
    """A file that is gone when its object is, unless it is linked to a name before."""
    try:
        return io.FileIO(os.open(directory, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600), "w")
    except OSError as e:
        raise Internal(f"content store: {e}") from e


def open_blob(path: str) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError as e:
        raise NotFound(f"content {path.rpartition('/')[2]}: not found") from e
    except OSError as e:
        raise Internal(f"content store: {e}") from e


def read_file(path: str, count: int = -1) -> bytes:
    fd = open_blob(path)
    with os.fdopen(fd, "rb") as file:
        return file.read(count)
