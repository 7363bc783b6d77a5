"""Blobs in memory."""

import hashlib
from collections.abc import AsyncIterator, Sequence

from wharfd.model.errors import InvalidParameter, NotFound
from wharfd.model.ids import Digest
from wharfd.testing.fake import Fake

ROOT = "/fake/blobs/sha256"


class FakeBlobWriter:
    """Ends with exactly one `commit` or `abort`; a second end is a bug of the caller and raises RuntimeError."""

    def __init__(self, store: "FakeContent") -> None:
        self.store = store
        self.data = bytearray()
        self.ended = False

    async def write(self, data: bytes | memoryview) -> None:
        self.store.enter("blob.write")
        self.demand_open()
        self.data += data

    async def commit(self, expected: Digest | None = None) -> Digest:
        self.store.enter("blob.commit")
        self.demand_open()
        self.end()
        digest = Digest("sha256:" + hashlib.sha256(self.data).hexdigest())
        if expected is not None and digest != expected:
            raise InvalidParameter(f"digest mismatch: expected {expected}, got {digest}")
        self.store.blobs[digest] = bytes(self.data)
        return digest

    async def abort(self) -> None:
        self.store.enter("blob.abort")
        self.demand_open()
        self.end()

    def demand_open(self) -> None:
        if self.ended:
            raise RuntimeError("this writer was committed or aborted before")

    def end(self) -> None:
        self.ended = True
        self.store.writers.remove(self)


class FakeContent(Fake):
    """Port `content`.  `fail_next("blob.write", …)` speaks of the next writer's call.  `writers` are those not ended."""

    parts = frozenset({"blob.write", "blob.commit", "blob.abort"})

    def __init__(self) -> None:
        super().__init__()
        self.blobs: dict[str, bytes] = {}
        self.writers: list[FakeBlobWriter] = []

    async def open(self) -> None:
        self.enter("open")
        self.writers.clear()

    def put(self, data: bytes) -> Digest:
        """For tests: a blob that is there."""
        digest = Digest("sha256:" + hashlib.sha256(data).hexdigest())
        self.blobs[digest] = data
        return digest

    def at_path(self, path: str) -> bytes | None:
        """For other fakes: what lies where `path` pointed."""
        return self.blobs.get("sha256:" + path.removeprefix(f"{ROOT}/")) if path.startswith(ROOT) else None

    def has(self, digest: Digest) -> bool:
        self.enter("has")
        return digest in self.blobs

    def size(self, digest: Digest) -> int:
        self.enter("size")
        return len(self.find(digest))

    def path(self, digest: Digest) -> str:
        self.enter("path")
        return f"{ROOT}/{digest.removeprefix('sha256:')}"

    async def writer(self) -> FakeBlobWriter:
        self.enter("writer")
        writer = FakeBlobWriter(self)
        self.writers.append(writer)
        return writer

    async def read(self, digest: Digest, limit: int = 8 << 20) -> bytes:
        self.enter("read")
        data = self.find(digest)
        if len(data) > limit:
            raise InvalidParameter(f"blob {digest} is {len(data)} bytes, more than {limit}")
        return data

    async def stream(self, digest: Digest) -> AsyncIterator[bytes]:
        self.enter("stream")
        data = self.find(digest)
        for at in range(0, len(data), 65536):
            yield data[at : at + 65536]

    async def delete(self, digest: Digest) -> None:
        self.enter("delete")
        self.blobs.pop(digest, None)

    def list(self) -> Sequence[Digest]:
        self.enter("list")
        return [Digest(digest) for digest in self.blobs]

    def find(self, digest: Digest) -> bytes:
        data = self.blobs.get(digest)
        if data is None:
            raise NotFound(f"blob {digest} not found")
        return data
