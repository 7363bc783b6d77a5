"""Port: blobs addressed by their digest."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

from wharfd.model.ids import Digest


class BlobWriter(Protocol):
    """One blob on its way in.  Exactly one of `commit` and `abort` ends it; a writer that is dropped leaves nothing."""

    async def write(self, data: bytes | memoryview) -> None: ...

    async def commit(self, expected: Digest | None = None) -> Digest:
        """Durable when it returns.  Raises InvalidParameter if the bytes do not hash to `expected`; nothing is kept then."""

    async def abort(self) -> None: ...


class ContentStore(Protocol):
    async def open(self) -> None:
        """Make directories, drop half-written blobs."""

    def has(self, digest: Digest) -> bool: ...

    def size(self, digest: Digest) -> int:
        """Raises NotFound."""

    def path(self, digest: Digest) -> str:
        """Where its bytes lie, for workers."""

    async def writer(self) -> BlobWriter: ...

    async def read(self, digest: Digest, limit: int = 8 << 20) -> bytes:
        """A small blob, whole (manifests, configs).  Raises NotFound, InvalidParameter beyond `limit`."""

    def stream(self, digest: Digest) -> AsyncIterator[bytes]: ...

    async def delete(self, digest: Digest) -> None: ...

    def list(self) -> Sequence[Digest]: ...


class Spool(Protocol):
    """A private directory in which a worker leaves files that become blobs."""

    @property
    def path(self) -> str: ...

    async def read(self, name: str, limit: int = 8 << 20) -> bytes:
        """A small file, whole.  Raises NotFound, InvalidParameter beyond `limit`."""

    async def head(self, name: str, count: int) -> bytes:
        """The first bytes of a file of any size."""

    async def adopt(self, files: Mapping[str, Digest]) -> None:
        """Make blobs of these files (name in the directory -> the digest that the worker has computed).  Durable when it returns."""

    async def drop(self) -> None:
        """Delete the directory with what was not adopted.  A spool that nobody drops is gone at the next start."""


class SpoolStore(Protocol):
    """The ability of a `ContentStore` to take over files that workers have written on its file system."""

    async def spool(self) -> Spool: ...
