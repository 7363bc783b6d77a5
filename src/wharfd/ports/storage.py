"""Port: layers unpacked on this host, and the root file systems that containers put on them.

A layer is kept under its chain id and never changes.  A root file system is a writable directory over layers, kept under the
container's id.  All removals are idempotent.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import msgspec

from wharfd.model.container import Rootfs
from wharfd.model.ids import ChainId, ContainerId, Digest
from wharfd.ports.content import GrowingBlob

Ready = Callable[[], Awaitable[object]]
Growing = Callable[[], Awaitable[GrowingBlob | None]]


class LayerInfo(msgspec.Struct, frozen=True, kw_only=True):
    chain_id: ChainId
    parent: ChainId | None
    diff_id: Digest
    size_bytes: int  # of the files, unpacked


class StorageFacts(msgspec.Struct, frozen=True, kw_only=True):
    """For `/info`: driver name as clients know it, and its status rows."""

    driver: str
    status: list[tuple[str, str]]


class LayerStore(Protocol):
    def get(self, chain_id: ChainId) -> LayerInfo | None: ...

    def list(self) -> Sequence[LayerInfo]: ...

    async def unpack(
        self,
        chain_id: ChainId,
        parent: ChainId | None,
        diff_id: Digest,
        blob_path: str,
        compression: str,
        ready: Ready | None = None,
        growing: Growing | None = None,
    ) -> LayerInfo:
        """Unpack a layer blob, durable when this returns; already there: returns at once.

        The uncompressed bytes must hash to `diff_id`.  Raises InvalidParameter for a broken, escaping or mismatching archive; nothing
        is left then.  `compression`: "", gzip, zstd, bzip2, xz.

        The parent must be there or on its way (NotFound); a layer is on its way as soon as this was called for it.  `ready` is awaited
        before the blob is read, and what it raises is raised: so all layers of an image can be on their way while their blobs are.
        `growing` gives the file of a blob that is coming (None: there is no such file), which may then be read before `ready` has
        ended; the layer appears after that in any case.
        Of several callers for a layer the first one's arguments count; when the last of them is cancelled the work is.
        """

    async def remove(self, chain_id: ChainId) -> None:
        """The caller knows that nothing is built on it."""


class RootfsStore(Protocol):
    async def open(self) -> None:
        """Make directories, check that the file system can be used (clear error if not), drop half-made layers."""

    def facts(self) -> StorageFacts: ...

    def can_limit_size(self) -> bool:
        """Whether the file system can keep a writable layer to a size."""

    async def prepare(
        self, container_id: ContainerId, layers: Sequence[ChainId], *, is_root: bool = True, size_bytes: int = 0
    ) -> Rootfs:
        """Make the writable directories; durable.  Raises NotFound if a layer is absent.

        `size_bytes`: what they may hold (0: no limit), which only a file system can keep that `can_limit_size`.
        `is_root`: a container's root, which has what the runtime mounts over (/dev, /proc, /etc/hosts, …) although no layer has it.
        """

    async def mount(self, container_id: ContainerId, rootfs: Rootfs) -> str:
        """Mount it and return where.  Already mounted: the same answer."""

    async def unmount(self, container_id: ContainerId, rootfs: Rootfs) -> None:
        """Not mounted: nothing to do.  Also unmounts what lies below."""

    async def remove(self, container_id: ContainerId) -> None:
        """Unmount and delete the writable directories."""

    async def size_rw(self, container_id: ContainerId) -> int:
        """Bytes of the files in the writable layer.

        Raises:
            NotFound: it is not prepared, or is being removed.
        """

    async def leftovers(self) -> Sequence[ContainerId]:
        """Ids that have directories or mounts here, recorded or not."""

    async def read_file(self, rootfs: Rootfs, path: str, limit: int) -> bytes | None:
        """The content of a small file inside the root, links resolved inside it; None if it does not exist.

        Works mounted or not (used for /etc/passwd and /etc/group).
        """

    async def is_mounted(self, container_id: ContainerId) -> bool: ...


class HeldRootfs(Protocol):
    """The ability of a `RootfsStore` to keep a root mounted for somebody else than the container."""

    def hold(self, container_id: ContainerId, rootfs: Rootfs) -> AbstractAsyncContextManager[str]:
        """Where it is mounted; it stays so until the block ends, whether the container starts or stops meanwhile.

        A removal of the container does not wait: what is read then fails, what is written is lost.
        """
