"""Registries in memory."""

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import cast

from wharfd.model.errors import (
    Forbidden,
    InvalidParameter,
    ManifestNotFound,
    NotFound,
    PullDenied,
    RepositoryNotFound,
    Unauthorized,
)
from wharfd.model.ids import Digest
from wharfd.ports.registry import (
    MAX_MANIFEST,
    Document,
    LoginStatus,
    Mounted,
    OnRetry,
    SearchResult,
    Sent,
    Source,
)
from wharfd.testing.fake import Fake
from wharfd.wire.authconfig import AuthConfig
from wharfd.wire.oci import Descriptor, Index, Manifest, decode_target
from wharfd.wire.reference import Reference, parse_normalised

PIECE = 64 << 10
DENIED = "denied: requested access to the resource is denied"


@dataclass(slots=True)
class FakeRepository:
    """`documents`: digest -> (media type, bytes).  `tags`: tag -> digest."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    documents: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


class FakeRegistry(Fake):
    """Port `registry`.  `repositories` is keyed by canonical name (`docker.io/library/alpine`).

    `accounts[host]` are the users (name -> password) who may read and write there; a host that is not in it takes everybody.
    `fail_next("blob.piece", …, skip=n)` breaks a download off after n pieces of 64 KiB; `"upload_blob.piece"` an upload.
    `found` is what `search` finds.
    """

    parts = frozenset({"blob.piece", "upload_blob.piece"})

    def __init__(self) -> None:
        super().__init__()
        self.repositories: dict[str, FakeRepository] = defaultdict(FakeRepository)
        self.accounts: dict[str, dict[str, str]] = {}
        self.found: list[SearchResult] = []

    # For tests.

    def put(self, name: str, document: bytes, media_type: str, *blobs: bytes) -> Descriptor:
        """`name` with its tag, as users write it.  An image of several platforms takes one call for each, and one for the index."""
        ref = parse_normalised(name)
        repository = self.repositories[ref.name]
        for blob in blobs:
            repository.blobs[digest_of(blob)] = blob
        digest = digest_of(document)
        repository.documents[digest] = (media_type, document)
        if ref.tag is not None:
            repository.tags[ref.tag] = digest
        return Descriptor(media_type=media_type, digest=digest, size=len(document))

    # Reading.

    async def resolve(self, ref: Reference, login: AuthConfig | None = None) -> Descriptor:
        self.enter("resolve")
        media_type, data, digest = self.find(ref, login)
        return Descriptor(media_type=media_type, digest=digest, size=len(data))

    async def document(self, ref: Reference, login: AuthConfig | None = None, *, media_type: str = "") -> Document:
        self.enter("document")
        kind, data, digest = self.find(ref, login)
        if media_type and media_type != kind:
            raise ManifestNotFound(ref.familiar())
        if len(data) > MAX_MANIFEST:
            raise InvalidParameter(f"manifest of {ref.familiar()} is larger than {MAX_MANIFEST} bytes")
        if digest_of(data) != digest:
            raise InvalidParameter(f"manifest verification failed for digest {digest}")
        return Document(descriptor=Descriptor(media_type=kind, digest=digest, size=len(data)), data=data)

    async def blob(
        self,
        ref: Reference,
        descriptor: Descriptor,
        login: AuthConfig | None = None,
        *,
        offset: int = 0,
        on_retry: OnRetry | None = None,
        own_host_only: bool = False,
    ) -> AsyncIterator[bytes]:
        self.enter("blob")
        data = self.readable(ref, login).blobs.get(descriptor.digest)
        if data is None:
            raise NotFound("unknown blob")
        if len(data) != descriptor.size:
            raise InvalidParameter(f"blob {descriptor.digest} has {len(data)} bytes instead of {descriptor.size}")
        for at in range(offset, len(data), PIECE):
            await asyncio.sleep(0)
            self.enter("blob.piece")
            yield data[at : at + PIECE]

    async def tags(self, ref: Reference, login: AuthConfig | None = None) -> Sequence[str]:
        self.enter("tags")
        return sorted(self.readable(ref, login).tags)

    async def referrers(
        self, ref: Reference, digest: Digest, login: AuthConfig | None = None, *, artifact_type: str = ""
    ) -> Sequence[Descriptor]:
        self.enter("referrers")
        found = []
        for name, (media_type, data) in self.readable(ref, login).documents.items():
            target = decode_target(data, media_type)
            if target.subject is None or target.subject.digest != digest:
                continue
            kind = target.artifact_type or (target.config.media_type if isinstance(target, Manifest) else "")
            if artifact_type in ("", kind):
                found.append(
                    Descriptor(
                        media_type=media_type,
                        digest=Digest(name),
                        size=len(data),
                        artifact_type=kind,
                        annotations=target.annotations,
                    )
                )
        return found

    # Writing.

    async def has_blob(self, ref: Reference, digest: Digest, login: AuthConfig | None = None) -> bool:
        self.enter("has_blob")
        return digest in self.writable(ref, login).blobs

    async def mount_blob(
        self, ref: Reference, digest: Digest, source: Reference, login: AuthConfig | None = None
    ) -> Mounted:
        self.enter("mount_blob")
        target = self.writable(ref, login)
        have = self.repositories.get(source.name)
        if source.domain != ref.domain or have is None or digest not in have.blobs:
            return Mounted.REFUSED
        target.blobs[digest] = have.blobs[digest]
        return Mounted.MOUNTED

    async def upload_blob(
        self,
        ref: Reference,
        descriptor: Descriptor,
        source: Source,
        login: AuthConfig | None = None,
        *,
        on_sent: Sent | None = None,
        on_retry: OnRetry | None = None,
    ) -> None:
        self.enter("upload_blob")
        target = self.writable(ref, login)
        data = bytearray()
        async with aclosing(cast(AsyncGenerator[bytes], source(0))) as pieces:
            async for piece in pieces:
                self.enter("upload_blob.piece")
                data += piece
                if on_sent is not None:
                    on_sent(len(data))
        if len(data) != descriptor.size or digest_of(data) != descriptor.digest:
            raise InvalidParameter(
                f"digest invalid: provided digest did not match uploaded content: {descriptor.digest}"
            )
        target.blobs[descriptor.digest] = bytes(data)

    async def put_document(
        self, ref: Reference, data: bytes, media_type: str, login: AuthConfig | None = None
    ) -> Digest:
        self.enter("put_document")
        target = self.writable(ref, login)
        digest = digest_of(data)
        if ref.digest is not None and ref.digest != digest:
            raise InvalidParameter("digest invalid: provided digest did not match uploaded content")
        document = decode_target(data, media_type)
        for part in document.manifests if isinstance(document, Index) else [document.config, *document.layers]:
            # As docker-registry: an index may name blobs, too (caches of builds do).
            have = {**target.documents, **target.blobs} if isinstance(document, Index) else target.blobs
            if part.digest not in have and not part.urls:
                raise InvalidParameter(f"manifest blob unknown: blob unknown to registry: {part.digest}")
        target.documents[digest] = (media_type, data)
        if ref.tag is not None:
            target.tags[ref.tag] = digest
        return digest

    # Accounts.

    async def check_login(self, login: AuthConfig) -> LoginStatus:
        self.enter("check_login")
        host = login.serveraddress.removeprefix("https://").removeprefix("http://").partition("/")[0] or "docker.io"
        host = "docker.io" if host == "index.docker.io" else host
        if not self.knows(host, login):
            raise Unauthorized(f'Get "https://{host}/v2/": unauthorized: incorrect username or password')
        return LoginStatus(status="Login Succeeded")

    async def search(self, term: str, *, limit: int = 0, login: AuthConfig | None = None) -> Sequence[SearchResult]:
        self.enter("search")
        found = [result for result in self.found if term in result.name]
        return found[:limit] if limit else found

    async def close(self) -> None:
        self.enter("close")

    # Within.

    def knows(self, host: str, login: AuthConfig | None) -> bool:
        accounts = self.accounts.get(host)
        if accounts is None:
            return True
        return login is not None and bool(login.username) and accounts.get(login.username) == login.password

    def readable(self, ref: Reference, login: AuthConfig | None) -> FakeRepository:
        if not self.knows(ref.domain, login):
            raise PullDenied(ref.familiar_name, DENIED)
        found = self.repositories.get(ref.name)
        if found is None:
            raise RepositoryNotFound(ref.familiar_name)
        return found

    def writable(self, ref: Reference, login: AuthConfig | None) -> FakeRepository:
        if not self.knows(ref.domain, login):
            raise Forbidden(DENIED)
        return self.repositories[ref.name]

    def find(self, ref: Reference, login: AuthConfig | None) -> tuple[str, bytes, Digest]:
        if not self.knows(ref.domain, login):
            raise PullDenied(ref.familiar_name, DENIED)
        repository = self.repositories.get(ref.name) or FakeRepository()
        digest = ref.digest or repository.tags.get(ref.tag or "")
        found = repository.documents.get(digest or "")
        if digest is None or found is None:
            raise ManifestNotFound(ref.familiar())
        return *found, Digest(digest)


def digest_of(data: bytes | bytearray) -> Digest:
    return Digest("sha256:" + hashlib.sha256(data).hexdigest())
