"""What is sent to registries: blobs and manifests.  Always to the first host that may be written.

A blob of up to `MONOLITHIC` bytes goes with one request behind the one that opens the upload; a larger one as one long PATCH, as
dockerd sends it, or in chunks where the registry (or the proxy before it) refuses so long a request.  After a broken connection
the registry is asked how much it has, and the upload goes on from there.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import cast
from urllib.parse import urlencode, urljoin, urlsplit, urlunsplit

from wharfd.drivers.registry.client import scope
from wharfd.drivers.registry.endpoints import Endpoint
from wharfd.drivers.registry.failures import Broken, Refused, refuse_push
from wharfd.drivers.registry.message import Answer, Body
from wharfd.drivers.registry.reading import Reading
from wharfd.drivers.registry.retries import Backoff
from wharfd.model.errors import EngineError, InvalidParameter, RegistryFailure, Unauthorized
from wharfd.model.ids import Digest
from wharfd.ports.registry import MAX_MANIFEST, Mounted, OnRetry, Retry, Sent, Source
from wharfd.wire.authconfig import AuthConfig
from wharfd.wire.distribution import parse_upload_range
from wharfd.wire.hosts_toml import PUSH
from wharfd.wire.oci import Descriptor
from wharfd.wire.reference import Reference

MONOLITHIC = 4 << 20
CHUNK = 16 << 20
MAX_CHUNK = 512 << 20  # a registry that wants longer ones gets what it can have
MOST_RETRIES = 100
LOST = frozenset({"BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID", "RANGE_INVALID"})  # the upload, not the blob
CANCEL_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """An open upload: where its next request goes, and the least length of a chunk that the registry takes."""

    endpoint: Endpoint
    url: str
    least_chunk: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """What stays the same over all tries."""

    ref: Reference
    descriptor: Descriptor
    source: Source
    login: AuthConfig | None
    on_sent: Sent | None

    @property
    def scopes(self) -> list[str]:
        return [scope(self.ref, "pull", "push")]

    def body(self, offset: int, length: int) -> Body:
        """`length` bytes from `offset` on, told to `on_sent` as they go."""
        is_rest = offset + length == self.descriptor.size
        return Body(open=lambda: self.pieces(offset, length, is_rest), length=length)

    async def pieces(self, offset: int, length: int, is_rest: bool) -> AsyncIterator[bytes]:
        left = length
        async with aclosing(cast("AsyncGenerator[bytes, None]", self.source(offset))) as source:
            async for piece in source:
                if len(piece) > left:
                    if is_rest:
                        raise InvalidParameter(
                            f"blob {self.descriptor.digest} has more than {self.descriptor.size} bytes"
                        )
                    piece = piece[:left]
                left -= len(piece)
                if piece:
                    yield piece
                    if self.on_sent is not None:
                        self.on_sent(offset + length - left)
                if not left and not is_rest:
                    return
        if left:
            has = self.descriptor.size - left
            raise InvalidParameter(f"blob {self.descriptor.digest} has {has} bytes instead of {self.descriptor.size}")


class Writing:
    def __init__(self, reading: Reading, backoff: Backoff) -> None:
        self.reading = reading
        self.client = reading.client
        self.backoff = backoff

    async def has_blob(self, ref: Reference, digest: Digest, login: AuthConfig | None) -> bool:
        async def ask(endpoint: Endpoint) -> bool:
            try:
                answer = await self.client.call(
                    endpoint,
                    "HEAD",
                    self.reading.url(endpoint, ref, f"blobs/{digest}"),
                    wanted=(200,),
                    scopes=[scope(ref, "pull", "push")],
                    login=login,
                    may_lose_tls=True,
                )
            except Refused as e:
                if e.status == 404:
                    return False
                refuse_push(e)
            answer.close()
            return True

        return await self.reading.on_each(ref, PUSH, ask)

    async def mount_blob(self, ref: Reference, digest: Digest, source: Reference, login: AuthConfig | None) -> Mounted:
        if source.domain != ref.domain:
            return Mounted.REFUSED

        async def ask(endpoint: Endpoint) -> Mounted:
            query = [("mount", str(digest)), ("from", source.path)]
            try:
                answer = await self.client.call(
                    endpoint,
                    "POST",
                    self.reading.url(endpoint, ref, "blobs/uploads/", query),
                    wanted=(201, 202),
                    scopes=[scope(ref, "pull", "push"), scope(source, "pull")],
                    login=login,
                    body=b"",
                )
            except Refused as e:
                if e.may_pass:
                    raise
                return Mounted.REFUSED
            except Unauthorized:
                return Mounted.REFUSED  # perhaps for the source alone; the upload will tell
            answer.close()
            if answer.status == 201:
                return Mounted.MOUNTED
            await self.cancel(opened(endpoint, answer), ref, login)
            return Mounted.REFUSED

        return await self.reading.on_each(ref, PUSH, ask)

    async def upload_blob(self, upload: Upload, on_retry: OnRetry | None) -> None:
        session: Session | None = None
        attempt, retries, reached, limit = 1, 0, 0, 0
        while True:
            offset = 0
            try:
                if session is not None:
                    offset = await self.progress(session, upload)
                    session = session if offset >= 0 else None
                if session is None:
                    if retries and await self.has_blob(upload.ref, upload.descriptor.digest, upload.login):
                        return  # the answer was lost, not the blob
                    session, offset = await self.begin(upload), 0
                if offset > reached:
                    reached, attempt = offset, 1
                await self.send(session, upload, offset, limit)
                return
            except Refused as e:
                failure: RegistryFailure = e
                too_long = e.status == 413 and limit != CHUNK
                if too_long and session is not None and upload.descriptor.size > CHUNK:
                    await self.cancel(session, upload.ref, upload.login)
                    session, limit = None, CHUNK
                    continue
                if session is not None and (e.status in (404, 416) or e.code in LOST):
                    session, failure.may_pass = None, True  # begun anew
                if not failure.may_pass:
                    await self.give_up(session, upload)
                    refuse_push(e)
            except Broken as e:
                failure = e
                if session is not None:
                    failure.may_pass = True  # this host has answered before
            except EngineError:
                await self.give_up(session, upload)
                raise
            wait_s = self.backoff.delay(failure, attempt) if retries < MOST_RETRIES else None
            if wait_s is None:
                await self.give_up(session, upload)
                raise failure
            attempt, retries = attempt + 1, retries + 1
            if on_retry is not None:
                on_retry(Retry(attempt=attempt, delay_s=wait_s, offset=offset, reason=str(failure)))
            await asyncio.sleep(wait_s)

    async def begin(self, upload: Upload) -> Session:
        async def ask(endpoint: Endpoint) -> Session:
            answer = await self.client.call(
                endpoint,
                "POST",
                self.reading.url(endpoint, upload.ref, "blobs/uploads/"),
                wanted=(202,),
                scopes=upload.scopes,
                login=upload.login,
                body=b"",
            )
            answer.close()
            return opened(endpoint, answer)

        return await self.reading.on_each(upload.ref, PUSH, ask)

    async def progress(self, session: Session, upload: Upload) -> int:
        """How many bytes the registry has; -1 if it does not know the upload any more."""
        try:
            answer = await self.client.call(
                session.endpoint, "GET", session.url, wanted=(204,), scopes=upload.scopes, login=upload.login
            )
        except Refused as e:
            if e.may_pass:
                raise
            return -1
        answer.close()
        return min(parse_upload_range(answer.header("Range")), upload.descriptor.size)

    async def send(self, session: Session, upload: Upload, offset: int, limit: int) -> None:
        """The rest of the blob, and the request that ends the upload."""
        size = upload.descriptor.size
        if size <= MONOLITHIC and not offset:
            await self.finish(session, upload, upload.body(0, size))
            return
        most = min(max(limit, session.least_chunk), MAX_CHUNK) if limit or session.least_chunk else 0
        while offset < size:
            length = min(most or size, size - offset)
            session = await self.send_chunk(session, upload, offset, length)
            offset += length
        await self.finish(session, upload, b"")

    async def send_chunk(self, session: Session, upload: Upload, offset: int, length: int) -> Session:
        headers = [("Content-Type", "application/octet-stream")]
        if length != upload.descriptor.size:
            headers.append(("Content-Range", f"{offset}-{offset + length - 1}"))
        answer = await self.client.call(
            session.endpoint,
            "PATCH",
            session.url,
            wanted=(202, 204),
            scopes=upload.scopes,
            login=upload.login,
            headers=headers,
            body=upload.body(offset, length),
        )
        answer.close()
        return replace(session, url=urljoin(session.url, answer.header("Location")))

    async def finish(self, session: Session, upload: Upload, body: Body | bytes) -> None:
        answer = await self.client.call(
            session.endpoint,
            "PUT",
            with_digest(session.url, upload.descriptor.digest),
            wanted=(201, 204),
            scopes=upload.scopes,
            login=upload.login,
            headers=[("Content-Type", "application/octet-stream")],
            body=body,
        )
        answer.close()

    async def give_up(self, session: Session | None, upload: Upload) -> None:
        if session is not None:
            await self.cancel(session, upload.ref, upload.login)

    async def cancel(self, session: Session, ref: Reference, login: AuthConfig | None) -> None:
        """Tell the registry to forget an upload.  It would by itself, some day."""
        try:
            async with asyncio.timeout(CANCEL_S):
                answer = await self.client.call(
                    session.endpoint,
                    "DELETE",
                    session.url,
                    wanted=(202, 204, 404, 405),
                    scopes=[scope(ref, "pull", "push")],
                    login=login,
                )
            answer.close()
        except (EngineError, TimeoutError):
            pass

    async def put_document(self, ref: Reference, data: bytes, media_type: str, login: AuthConfig | None) -> Digest:
        algorithm = ref.digest.partition(":")[0] if ref.digest is not None else "sha256"
        digest = Digest(f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}")
        if ref.digest not in (None, digest):
            raise InvalidParameter(f"manifest verification failed for digest {ref.digest}")
        if len(data) > MAX_MANIFEST:
            raise InvalidParameter(
                f"a manifest of {len(data)} bytes is larger than the {MAX_MANIFEST} that registries take"
            )

        async def ask(endpoint: Endpoint) -> Digest:
            try:
                answer = await self.client.call(
                    endpoint,
                    "PUT",
                    self.reading.url(endpoint, ref, f"manifests/{ref.tag or digest}"),
                    wanted=(201, 202, 204),
                    scopes=[scope(ref, "pull", "push")],
                    login=login,
                    headers=[("Content-Type", media_type)],
                    body=data,
                )
            except Refused as e:
                refuse_push(e)
            answer.close()
            kept = answer.header("Docker-Content-Digest")
            if kept and kept.startswith(f"{algorithm}:") and kept != digest:
                raise InvalidParameter(f"the registry has stored {kept[:200]} instead of manifest {digest}")
            return digest

        return await self.reading.on_each(ref, PUSH, ask)


def opened(endpoint: Endpoint, answer: Answer) -> Session:
    location = answer.header("Location")
    if not location:
        raise RegistryFailure(f"the registry {endpoint.host} does not say where to upload to")
    least = answer.header("OCI-Chunk-Min-Length")
    return Session(
        endpoint=endpoint,
        url=urljoin(answer.url, location),
        least_chunk=int(least) if least.isdecimal() and len(least) < 16 else 0,
    )


def with_digest(url: str, digest: Digest) -> str:
    """The address of an upload, whose query is the registry's own affair, with the digest that ends it."""
    parts = urlsplit(url)
    query = "&".join(filter(None, (parts.query, urlencode([("digest", digest)]))))
    return urlunsplit(parts._replace(query=query))
