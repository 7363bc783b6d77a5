"""Port: blobs addressed by their digest."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence, Set
from typing import Protocol

import msgspec

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

    def stream(self, digest: Digest, offset: int = 0) -> AsyncIterator[bytes]:
        """The bytes from `offset` on.  Raises NotFound."""

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


class Remnant(msgspec.Struct, frozen=True, kw_only=True):
    """What an unfinished pull has left: a part of a blob, or (`whole`) a blob that no image has claimed yet."""

    digest: Digest
    size: int  # bytes that are here
    whole: bool
    changed_ns: int  # when it last grew; by the file system's clock


class PartialBlob(Protocol):
    """A blob whose digest and size are known, on its way in piece by piece.

    Exactly one of `commit`, `suspend` and `discard` ends it.  What has come stays for the next attempt unless it is discarded, also when
    the engine is killed.
    """

    @property
    def offset(self) -> int:
        """Bytes that are here; what is written next goes behind them."""

    @property
    def path(self) -> str:
        """Where its bytes lie while they come, for `GrowingBlob`."""

    @property
    def written(self) -> int:
        """Bytes that a reader of `path` finds there; never more than `offset`."""

    async def write(self, data: bytes | memoryview) -> None:
        """Raises InvalidParameter beyond the blob's size, Internal when the disk is full."""

    async def commit(self) -> None:
        """Make it a blob that waits to be claimed; durable when this returns.

        Raises InvalidParameter if it is not whole or does not hash to its digest; nothing is kept then.
        """

    async def suspend(self) -> None:
        """Keep what has come."""

    async def discard(self) -> None: ...


class GrowingBlob(Protocol):
    """The file of a `PartialBlob` for somebody who reads behind the writer: one attempt to bring the blob.

    What is read is not known to be right until `is_whole`; the reader keeps nothing of it before.
    """

    @property
    def path(self) -> str: ...

    @property
    def is_whole(self) -> bool:
        """The attempt has come to its end, and the bytes hash to the digest."""

    def offsets(self) -> AsyncIterator[int]:
        """How many bytes are there, each time that there are more; ends when `is_whole`.

        Raises Unavailable when the attempt has ended in another way.  Any number of readers may ask.
        """


class PartialStore(Protocol):
    """The ability of a `ContentStore` to take blobs in several attempts, and to keep those of an image that is not whole yet.

    A blob that was brought this way is whole and can be read, but *unclaimed*: it is a remnant until an image is recorded that has it.
    """

    async def partial(self, digest: Digest, size: int) -> PartialBlob:
        """Begin, or go on where an earlier attempt ended.  One at a time for a digest, and only while the store does not have it.

        Raises InvalidParameter for a digest that cannot be kept here, Internal where the disk has no room for it.
        """

    def unclaimed(self) -> Set[Digest]:
        """Whole blobs that are remnants."""

    async def claim(self, digests: Iterable[Digest]) -> None:
        """An image has them: they are ordinary blobs from now on.  Others are passed over."""

    async def remnants(self) -> Sequence[Remnant]:
        """All that is not in work now."""

    async def drop_remnant(self, digest: Digest) -> None:
        """A part is deleted; a whole blob is no remnant any more, and stays until `delete`.  Not there, or in work: nothing happens."""


class ResumableContent(ContentStore, PartialStore, Protocol):
    """A content store that takes blobs from registries."""
