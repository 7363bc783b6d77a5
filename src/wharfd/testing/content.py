"""Blobs in memory."""

import hashlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence

from wharfd.model.errors import Internal, InvalidParameter, NotFound
from wharfd.model.ids import Digest
from wharfd.ports.content import Remnant
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


class FakePartialBlob:
    """Ends with exactly one `commit`, `suspend` or `discard`; a second end is a bug of the caller and raises RuntimeError."""

    def __init__(self, store: "FakeContent", digest: Digest, size: int) -> None:
        self.store = store
        self.digest = digest
        self.size = size
        self.ended = False

    @property
    def offset(self) -> int:
        return len(self.store.partials[self.digest])

    @property
    def written(self) -> int:
        return self.offset

    @property
    def path(self) -> str:
        return f"/fake/partial/{self.digest.removeprefix('sha256:')}"

    async def write(self, data: bytes | memoryview) -> None:
        self.store.enter("partial.write")
        self.demand_open()
        if self.offset + len(data) > self.size:
            raise InvalidParameter(f"content {self.digest} has more than {self.size} bytes")
        self.store.partials[self.digest] += data
        self.store.changed_ns[self.digest] = self.store.now_ns()

    async def commit(self) -> None:
        self.store.enter("partial.commit")
        self.end()
        data = bytes(self.store.partials[self.digest])
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        if digest != self.digest:
            del self.store.partials[self.digest]
            raise InvalidParameter(f"unexpected commit digest {digest}, expected {self.digest}")
        self.store.blobs[self.digest] = data

    async def suspend(self) -> None:
        self.store.enter("partial.suspend")
        self.end()

    async def discard(self) -> None:
        self.store.enter("partial.discard")
        self.end()
        self.store.partials.pop(self.digest, None)

    def demand_open(self) -> None:
        if self.ended:
            raise RuntimeError("this blob was committed, suspended or discarded before")

    def end(self) -> None:
        self.demand_open()
        self.ended = True
        self.store.in_work.discard(self.digest)


class FakeContent(Fake):
    """Port `content`, partial blobs too.

    `fail_next("blob.write", …)` speaks of the next writer's call.  `writers` are those not ended, `in_work` the partial blobs not ended;
    `partials` holds the bytes of remnants.  `now_ns` gives the time that remnants get.
    """

    parts = frozenset(
        {
            "blob.write",
            "blob.commit",
            "blob.abort",
            "partial.write",
            "partial.commit",
            "partial.suspend",
            "partial.discard",
        }
    )

    def __init__(self, now_ns: Callable[[], int] = lambda: 0) -> None:
        super().__init__()
        self.now_ns = now_ns
        self.blobs: dict[str, bytes] = {}
        self.writers: list[FakeBlobWriter] = []
        self.partials: dict[str, bytearray] = {}
        self.changed_ns: dict[str, int] = {}
        self.in_work: set[Digest] = set()

    async def open(self) -> None:
        self.enter("open")
        self.writers.clear()
        self.in_work.clear()

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

    async def stream(self, digest: Digest, offset: int = 0) -> AsyncIterator[bytes]:
        self.enter("stream")
        data = self.find(digest)
        for at in range(offset, len(data), 65536):
            yield data[at : at + 65536]

    async def delete(self, digest: Digest) -> None:
        self.enter("delete")
        if self.blobs.pop(digest, None) is not None:
            self.partials.pop(digest, None)

    async def partial(self, digest: Digest, size: int) -> FakePartialBlob:
        self.enter("partial")
        if digest in self.in_work:
            raise Internal(f"content {digest} is being written already")
        self.in_work.add(digest)
        if len(self.partials.setdefault(digest, bytearray())) > size:
            self.partials[digest] = bytearray()
        return FakePartialBlob(self, digest, size)

    def unclaimed(self) -> frozenset[Digest]:
        self.enter("unclaimed")
        return frozenset(Digest(each) for each in self.partials if each in self.blobs)

    async def claim(self, digests: Iterable[Digest]) -> None:
        self.enter("claim")
        for digest in digests:
            if digest in self.blobs:
                self.partials.pop(digest, None)

    async def remnants(self) -> Sequence[Remnant]:
        self.enter("remnants")
        return [
            Remnant(
                digest=Digest(digest),
                size=len(data),
                whole=digest in self.blobs,
                changed_ns=self.changed_ns.get(digest, 0),
            )
            for digest, data in self.partials.items()
            if digest not in self.in_work
        ]

    async def drop_remnant(self, digest: Digest) -> None:
        self.enter("drop_remnant")
        if digest not in self.in_work:
            self.partials.pop(digest, None)

    def list(self) -> Sequence[Digest]:
        self.enter("list")
        return [Digest(digest) for digest in self.blobs]

    def find(self, digest: Digest) -> bytes:
        data = self.blobs.get(digest)
        if data is None:
            raise NotFound(f"blob {digest} not found")
        return data
