"""Layers and root file systems in memory: directories are dictionaries from path to content."""

import asyncio
import bz2
import gzip
import hashlib
import io
import lzma
import posixpath
import tarfile
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec
import zstandard

from wharfd.model.container import Rootfs
from wharfd.model.errors import InvalidParameter, NotFound, Unavailable
from wharfd.model.ids import ChainId, ContainerId, Digest
from wharfd.ports.storage import Growing, LayerInfo, Ready, StorageFacts
from wharfd.testing.builders import a_rootfs
from wharfd.testing.content import FakeContent
from wharfd.testing.fake import Fake

OPENERS: dict[str, Callable[[bytes], bytes]] = {
    "": lambda data: data,
    "gzip": gzip.decompress,
    "bzip2": bz2.decompress,
    "xz": lzma.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
}


class FakeLayers(Fake):
    """Port `storage.LayerStore`.  Blobs are read from `content`, or from disk when its path is a real one.

    Whiteouts remove what they name; `files[chain_id]` is what the layer's stack shows, all parents included.
    """

    def __init__(self, content: FakeContent | None = None) -> None:
        super().__init__()
        self.content = content or FakeContent()
        self.layers: dict[str, LayerInfo] = {}
        self.files: dict[str, dict[str, bytes]] = {}
        self.coming: dict[str, asyncio.Future[None]] = {}
        self.followed: dict[str, list[int]] = {}

    def put(self, chain_id: str, files: dict[str, bytes] | None = None, parent: str | None = None) -> LayerInfo:
        """For tests: a layer that is there."""
        info = LayerInfo(
            chain_id=ChainId(chain_id),
            parent=ChainId(parent) if parent else None,
            diff_id=Digest(chain_id),
            size_bytes=sum(map(len, (files or {}).values())),
        )
        self.layers[chain_id] = info
        self.files[chain_id] = {**(self.files[parent] if parent else {}), **(files or {})}
        return info

    def get(self, chain_id: ChainId) -> LayerInfo | None:
        self.enter("get")
        return self.layers.get(chain_id)

    def list(self) -> Sequence[LayerInfo]:
        self.enter("list")
        return list(self.layers.values())

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
        self.enter("unpack")
        while chain_id in self.coming:
            await asyncio.shield(self.coming[chain_id])
        if chain_id in self.layers:
            return self.layers[chain_id]
        if parent is not None and parent not in self.layers and parent not in self.coming:
            raise NotFound(f"layer {parent} not found")
        ended = self.coming[chain_id] = asyncio.get_running_loop().create_future()
        try:
            if growing is not None and (blob := await growing()) is not None:
                offsets = self.followed[chain_id] = []
                with suppress(Unavailable):
                    async for offset in blob.offsets():
                        offsets.append(offset)
            if ready is not None:
                await ready()
            if parent in self.coming:
                await asyncio.shield(self.coming[parent])
            return self.make(chain_id, parent, diff_id, blob_path, compression)
        finally:
            del self.coming[chain_id]
            ended.set_result(None)

    def make(
        self, chain_id: ChainId, parent: ChainId | None, diff_id: Digest, blob_path: str, compression: str
    ) -> LayerInfo:
        if parent is not None and parent not in self.layers:
            raise NotFound(f"layer {parent} not found")
        blob = self.content.at_path(blob_path)
        if blob is None:
            try:
                blob = Path(blob_path).read_bytes()
            except FileNotFoundError as e:
                raise NotFound(f"blob {blob_path} not found") from e
        archive = open_blob(blob, compression)
        found = "sha256:" + hashlib.sha256(archive).hexdigest()
        if found != diff_id:
            raise InvalidParameter(f"layer does not match its diff id: expected {diff_id}, got {found}")
        files = dict(self.files[parent]) if parent else {}
        size = apply_archive(archive, files)
        self.files[chain_id] = files
        info = LayerInfo(chain_id=chain_id, parent=parent, diff_id=diff_id, size_bytes=size)
        self.layers[chain_id] = info
        return info

    async def remove(self, chain_id: ChainId) -> None:
        self.enter("remove")
        self.layers.pop(chain_id, None)
        self.files.pop(chain_id, None)


def open_blob(blob: bytes, compression: str) -> bytes:
    if compression not in OPENERS:
        raise InvalidParameter(f"unknown compression {compression!r}")
    try:
        return OPENERS[compression](blob)
    except (OSError, EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError, ValueError) as e:
        raise InvalidParameter(f"broken {compression} stream: {e}") from e


def apply_archive(archive: bytes, files: dict[str, bytes]) -> int:
    """Change `files` as the layer says.  Returns the bytes that it brought."""
    size = 0
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as tar:
            for member in tar:
                path = posixpath.normpath("/" + member.name.lstrip("/"))
                if ".." in member.name.split("/"):
                    raise InvalidParameter(f"archive entry {member.name!r} leads outside")
                folder, base = posixpath.split(path)
                if base.startswith(".wh."):
                    gone = posixpath.join(folder, base.removeprefix(".wh."))
                    for old in [old for old in files if old == gone or old.startswith(f"{gone}/")]:
                        del files[old]
                elif member.isfile():
                    reader = tar.extractfile(member)
                    files[path] = reader.read() if reader else b""
                    size += len(files[path])
                elif member.issym():
                    files[path] = files.get(posixpath.normpath(posixpath.join(folder, member.linkname)), b"")
    except tarfile.TarError as e:
        raise InvalidParameter(f"broken archive: {e}") from e
    return size


class FakeRootfs(Fake):
    """Ports `storage.RootfsStore` and `storage.HeldRootfs`.  `files[container_id]` is the writable layer."""

    def __init__(self, layers: FakeLayers | None = None) -> None:
        super().__init__()
        self.layers = layers or FakeLayers()
        self.prepared: dict[str, Rootfs] = {}
        self.mounted: set[str] = set()
        self.wanted: set[str] = set()  # mounted for the container itself
        self.holders: Counter[str] = Counter()
        self.files: dict[str, dict[str, bytes]] = {}
        self.limits_size = False

    async def open(self) -> None:
        self.enter("open")

    def facts(self) -> StorageFacts:
        self.enter("facts")
        return StorageFacts(driver="overlay2", status=[("Backing Filesystem", "extfs"), ("Supports d_type", "true")])

    def can_limit_size(self) -> bool:
        self.enter("can_limit_size")
        return self.limits_size

    async def prepare(
        self, container_id: ContainerId, layers: Sequence[ChainId], *, is_root: bool = True, size_bytes: int = 0
    ) -> Rootfs:
        self.enter("prepare")
        for chain_id in layers:
            if chain_id not in self.layers.layers:
                raise NotFound(f"layer {chain_id} not found")
        rootfs = msgspec.structs.replace(a_rootfs(container_id, list(layers)), size_bytes=size_bytes)
        self.prepared[container_id] = rootfs
        self.files.setdefault(container_id, {})
        return rootfs

    async def mount(self, container_id: ContainerId, rootfs: Rootfs) -> str:
        self.enter("mount")
        if container_id not in self.prepared:
            raise NotFound(f"no root file system was prepared for {container_id}")
        self.mounted.add(container_id)
        self.wanted.add(container_id)
        return rootfs.merged

    async def unmount(self, container_id: ContainerId, rootfs: Rootfs) -> None:
        self.enter("unmount")
        self.wanted.discard(container_id)
        if not self.holders[container_id]:
            self.mounted.discard(container_id)

    @asynccontextmanager
    async def hold(self, container_id: ContainerId, rootfs: Rootfs) -> AsyncIterator[str]:
        self.enter("hold")
        if container_id not in self.prepared:
            raise NotFound(f"no root file system was prepared for {container_id}")
        if not self.holders[container_id] and container_id in self.mounted:
            self.wanted.add(container_id)
        self.mounted.add(container_id)
        self.holders[container_id] += 1
        try:
            yield rootfs.merged
        finally:
            self.holders[container_id] -= 1
            if not self.holders[container_id] and container_id not in self.wanted:
                self.mounted.discard(container_id)

    async def remove(self, container_id: ContainerId) -> None:
        self.enter("remove")
        self.mounted.discard(container_id)
        self.prepared.pop(container_id, None)
        self.files.pop(container_id, None)

    async def size_rw(self, container_id: ContainerId) -> int:
        self.enter("size_rw")
        if container_id not in self.prepared:
            raise NotFound(f"no root file system was prepared for {container_id}")
        return sum(map(len, self.files[container_id].values()))

    async def leftovers(self) -> Sequence[ContainerId]:
        self.enter("leftovers")
        return [ContainerId(each) for each in sorted(self.prepared.keys() | self.mounted)]

    async def read_file(self, rootfs: Rootfs, path: str, limit: int) -> bytes | None:
        self.enter("read_file")
        owner = next((each for each, known in self.prepared.items() if known.upper == rootfs.upper), "")
        wanted = posixpath.normpath("/" + path.lstrip("/"))
        for files in (self.files.get(owner, {}), self.layers.files.get(rootfs.layers[-1], {}) if rootfs.layers else {}):
            if wanted in files:
                if len(files[wanted]) > limit:
                    raise InvalidParameter(f"{path} is larger than {limit} bytes")
                return files[wanted]
        return None

    async def is_mounted(self, container_id: ContainerId) -> bool:
        self.enter("is_mounted")
        return container_id in self.mounted

    def is_mount_point(self, path: str) -> bool:
        """For other fakes: is the root at this host path mounted?"""
        return any(self.prepared[each].merged == path for each in self.mounted if each in self.prepared)

    def reboot(self) -> None:
        """For tests: the machine went down; no mount survives that, directories do."""
        self.mounted.clear()
