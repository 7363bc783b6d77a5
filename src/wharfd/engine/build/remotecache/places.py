"""Where caches lie: in registries, in directories of the client's, in images of the store."""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Protocol

from wharfd.engine.build.client import BuildClient
from wharfd.engine.images.downloads import Downloads
from wharfd.engine.images.progress import Step
from wharfd.model.errors import InvalidParameter, NotFound
from wharfd.model.ids import Digest
from wharfd.ports.content import ContentStore
from wharfd.ports.registry import Registry
from wharfd.wire.authconfig import AuthConfig
from wharfd.wire.oci import Descriptor, digest_of, encode
from wharfd.wire.reference import Reference

MAX_BYTES = 8 << 20  # of a document or a cache's config

Watch = Callable[[int], None]
"""Told how many bytes have come."""


class Origin(Protocol):
    """Where a cache is read.  What is not there: NotFound; an origin that cannot be asked: what its port raises."""

    async def target(self) -> bytes:
        """The manifest or index that the cache's name stands for."""

    async def document(self, descriptor: Descriptor) -> bytes:
        """Another manifest."""

    async def read(self, descriptor: Descriptor) -> bytes:
        """A small blob, checked."""

    async def bring(self, descriptor: Descriptor, watch: Watch) -> None:
        """A blob, into the content store.  The caller holds a lease on it."""


class Destination(Protocol):
    """Where a cache is written."""

    async def has(self, descriptor: Descriptor) -> bool: ...

    async def send(self, descriptor: Descriptor, source: Callable[[int], AsyncIterator[bytes]]) -> None:
        """`source` gives the blob from an offset on."""

    async def finish(self, document: bytes, media_type: str) -> Mapping[str, str]:
        """The manifest, last.  Returns what the client is told."""


class RegistryCache:
    """Satisfies `Origin` and `Destination`."""

    def __init__(
        self,
        *,
        registry: Registry,
        downloads: Downloads,
        content: ContentStore,
        ref: Reference,
        login: AuthConfig | None,
    ) -> None:
        self.registry = registry
        self.downloads = downloads
        self.content = content
        self.ref = ref
        self.login = login

    async def target(self) -> bytes:
        return (await self.registry.document(self.ref, self.login)).data

    async def document(self, descriptor: Descriptor) -> bytes:
        return (await self.registry.document(self.ref.with_digest(descriptor.digest), self.login)).data

    async def read(self, descriptor: Descriptor) -> bytes:
        return await collected(descriptor, self.registry.blob(self.ref, descriptor, self.login))

    async def bring(self, descriptor: Descriptor, watch: Watch) -> None:
        def told(step: Step, amount: int) -> None:
            if step is Step.DOWNLOADING:
                watch(amount)

        await self.downloads.bring(self.ref, descriptor, self.login, told)

    async def has(self, descriptor: Descriptor) -> bool:
        return await self.registry.has_blob(self.ref, descriptor.digest, self.login)

    async def send(self, descriptor: Descriptor, source: Callable[[int], AsyncIterator[bytes]]) -> None:
        await self.registry.upload_blob(self.ref, descriptor, source, self.login)

    async def finish(self, document: bytes, media_type: str) -> Mapping[str, str]:
        await self.registry.put_document(self.ref, document, media_type, self.login)
        return {}


class ClientCache:
    """A content store of the client's.  `target_digest` empty: it is only written to.  Satisfies `Origin` and `Destination`.

    Docker: the client notes the manifest, which it is told, in the store's index.
    """

    def __init__(self, *, client: BuildClient, content: ContentStore, store_id: str, target_digest: str = "") -> None:
        self.client = client
        self.content = content
        self.store_id = store_id
        self.target_digest = target_digest

    async def target(self) -> bytes:
        return await self.read_any(self.target_digest)

    async def document(self, descriptor: Descriptor) -> bytes:
        return await self.read_any(descriptor.digest)

    async def read_any(self, digest: str) -> bytes:
        found = await gathered(self.client.read_blob(self.store_id, digest))
        if digest_of(found) != digest:
            raise InvalidParameter(f"{digest} of the client's store {self.store_id} is not what its digest says")
        return found

    async def read(self, descriptor: Descriptor) -> bytes:
        return await collected(descriptor, self.client.read_blob(self.store_id, descriptor.digest))

    async def bring(self, descriptor: Descriptor, watch: Watch) -> None:
        if self.content.has(descriptor.digest):
            return
        writer = await self.content.writer()
        size = 0
        try:
            async for chunk in self.client.read_blob(self.store_id, descriptor.digest):
                await writer.write(chunk)
                size += len(chunk)
                watch(size)
        except BaseException:
            await writer.abort()
            raise
        await writer.commit(descriptor.digest)

    async def has(self, descriptor: Descriptor) -> bool:
        return False  # `send` asks

    async def send(self, descriptor: Descriptor, source: Callable[[int], AsyncIterator[bytes]]) -> None:
        await self.client.write_blob(self.store_id, descriptor.digest, descriptor.size, source(0))

    async def finish(self, document: bytes, media_type: str) -> Mapping[str, str]:
        descriptor = described(document, media_type)
        await self.send(descriptor, lambda offset: pieces(document[offset:]))
        return {MANIFEST: encode(descriptor).decode()}


class StoredImage:
    """An image of the store, whose blobs are here.  Satisfies `Origin`."""

    def __init__(self, *, content: ContentStore, digest: Digest) -> None:
        self.content = content
        self.digest = digest

    async def target(self) -> bytes:
        return await self.content.read(self.digest)

    async def document(self, descriptor: Descriptor) -> bytes:
        return await self.content.read(descriptor.digest)

    async def read(self, descriptor: Descriptor) -> bytes:
        return await self.content.read(descriptor.digest)

    async def bring(self, descriptor: Descriptor, watch: Watch) -> None:
        if not self.content.has(descriptor.digest):
            raise NotFound(f"blob {descriptor.digest} is not here any more")


MANIFEST = "cache.manifest"  # of the answer: a descriptor


def described(document: bytes, media_type: str) -> Descriptor:
    return Descriptor(media_type=media_type, digest=digest_of(document), size=len(document))


async def pieces(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def gathered(chunks: AsyncIterator[bytes]) -> bytes:
    found = bytearray()
    async for chunk in chunks:
        found += chunk
        if len(found) > MAX_BYTES:
            raise InvalidParameter(f"a build cache's document is larger than {MAX_BYTES} bytes")
    return bytes(found)


async def collected(descriptor: Descriptor, chunks: AsyncIterator[bytes]) -> bytes:
    found = await gathered(chunks)
    if digest_of(found) != descriptor.digest:
        raise InvalidParameter(f"blob {descriptor.digest} is not what its digest says")
    return found
