"""What is asked of registries: manifests, tags, referrers.  Mirrors first, the host itself last.

A mirror that fails, whatever the reason, is passed over; one that does not answer at all is left alone for a minute.  An insecure
registry is spoken to over TLS first; which of the two it was is remembered.
"""

import hashlib
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar
from urllib.parse import urlencode, urljoin

import msgspec

from wharfd.drivers.registry.client import Client, scope
from wharfd.drivers.registry.endpoints import Endpoint, Endpoints
from wharfd.drivers.registry.failures import Broken, Refused, refuse_pull
from wharfd.drivers.registry.message import Answer
from wharfd.drivers.registry.retries import Backoff
from wharfd.model.errors import EngineError, InvalidParameter, ManifestNotFound, RegistryFailure
from wharfd.model.ids import Digest
from wharfd.ports.registry import MAX_MANIFEST, Document
from wharfd.wire.authconfig import AuthConfig
from wharfd.wire.distribution import media_type_of, next_link
from wharfd.wire.hosts_toml import PULL, PUSH, RESOLVE
from wharfd.wire.oci import Descriptor, Index, decode_target
from wharfd.wire.oci.media_types import ACCEPT, INDEXES, MANIFESTS, OCI_INDEX, SCHEMA_1
from wharfd.wire.reference import Reference, is_digest

T = TypeVar("T")

KNOWN = INDEXES | MANIFESTS | SCHEMA_1
ONCE = Backoff(1)  # of a mirror: the next host is better than waiting
MIRROR_REST_S = 60.0
MAX_PAGE = 4 << 20
MAX_PAGES = 10_000
MAX_TAGS = 1_000_000


class Reading:
    def __init__(self, client: Client, endpoints: Endpoints, backoff: Backoff) -> None:
        self.client = client
        self.endpoints = endpoints
        self.backoff = backoff
        self.resting: dict[str, float] = {}  # mirrors that did not answer -> until when (monotonic)
        self.plain: set[str] = set()  # insecure registries that were found not to speak TLS

    async def candidates(self, ref: Reference, capability: str) -> list[Endpoint]:
        """Which endpoints to ask, in order.  Raises RegistryFailure if none can."""
        able = [one for one in await self.endpoints.of(ref.domain) if capability in one.capabilities]
        if not able:
            raise RegistryFailure(f"no host is configured that can {capability} for {ref.domain}")
        if capability == PUSH:
            # The first that may be written decides, as in containerd: writing is not spread over hosts.
            able = [one for one in able if one.name == able[0].name and one.host == able[0].host]
        now = time.monotonic()
        awake = [one for one in able if one.is_own or self.resting.get(one.url, 0.0) <= now]
        if any(one.is_fallback and one.host in self.plain for one in awake):
            awake = [one for one in awake if one.is_fallback or one.host not in self.plain]
        return awake or able

    async def on_each(self, ref: Reference, capability: str, call: Callable[[Endpoint], Awaitable[T]]) -> T:
        """`call` on one endpoint after the other until one answers.  Raises the last one's error."""
        failure: EngineError | None = None
        spoke_tls = False
        for endpoint in await self.candidates(ref, capability):
            if endpoint.is_fallback and spoke_tls:
                continue
            backoff = self.backoff if endpoint.is_own else ONCE
            try:
                result = await backoff.persist(partial(call, endpoint))
            except EngineError as e:
                failure = e
                if not self.goes_on(endpoint, e):
                    raise
                spoke_tls = not isinstance(e, Broken) or e.reached
                continue
            self.note_answer(endpoint)
            return result
        if failure is None:
            raise RegistryFailure(f"no host of {ref.domain} can be asked")
        raise failure

    def note_answer(self, endpoint: Endpoint) -> None:
        self.resting.pop(endpoint.url, None)
        if endpoint.is_fallback:
            self.plain.add(endpoint.host)

    def goes_on(self, endpoint: Endpoint, failure: EngineError) -> bool:
        """May the next endpoint be asked after this failure?"""
        self.plain.discard(endpoint.host)
        if not endpoint.is_own:
            if isinstance(failure, Broken):
                self.resting[endpoint.url] = time.monotonic() + MIRROR_REST_S
            return True
        return isinstance(failure, Broken) and not failure.reached

    def url(self, endpoint: Endpoint, ref: Reference, rest: str, query: Sequence[tuple[str, str]] = ()) -> str:
        """The address of something in a repository."""
        fields = [*query, ("ns", endpoint.name)] if endpoint.announces_name else list(query)
        return f"{endpoint.url}/{ref.path}/{rest}" + (f"?{urlencode(fields)}" if fields else "")

    async def resolve(self, ref: Reference, login: AuthConfig | None) -> Descriptor:
        async def ask(endpoint: Endpoint) -> Descriptor:
            try:
                answer = await self.client.call(
                    endpoint,
                    "HEAD",
                    self.url(endpoint, ref, f"manifests/{wanted(ref)}"),
                    wanted=(200,),
                    scopes=[scope(ref, "pull")],
                    login=login,
                    headers=[("Accept", ", ".join(ACCEPT))],
                )
            except Refused as e:
                if e.status == 401:
                    refuse_pull(e, ref)  # a wrong password is not sent twice
                # HEAD has no words, and some registries do not know it: the document itself is asked for.
                return (await self.read_document(endpoint, ref, login, "")).descriptor
            answer.close()
            found = announced(answer)
            if found is None or (ref.digest is not None and found.digest != ref.digest):
                return (await self.read_document(endpoint, ref, login, "")).descriptor
            return found

        return await self.on_each(ref, RESOLVE, ask)

    async def document(self, ref: Reference, login: AuthConfig | None, media_type: str) -> Document:
        capability = PULL if ref.digest is not None else RESOLVE
        return await self.on_each(
            ref, capability, lambda endpoint: self.read_document(endpoint, ref, login, media_type)
        )

    async def read_document(
        self, endpoint: Endpoint, ref: Reference, login: AuthConfig | None, media_type: str
    ) -> Document:
        try:
            answer = await self.client.call(
                endpoint,
                "GET",
                self.url(endpoint, ref, f"manifests/{wanted(ref)}"),
                wanted=(200,),
                scopes=[scope(ref, "pull")],
                login=login,
                headers=[("Accept", media_type or ", ".join(ACCEPT))],
                may_lose_tls=ref.digest is not None,
            )
        except Refused as e:
            refuse_pull(e, ref)
        try:
            data = await answer.read(MAX_MANIFEST)
        finally:
            answer.close()
        kind = media_type_of(answer.header("Content-Type"))
        if media_type and kind != media_type:
            raise ManifestNotFound(
                ref.familiar(), f"manifest unknown: none of type {media_type}, only {kind or 'another'}"
            )
        digest = verified(data, ref.digest or answer.header("Docker-Content-Digest"))
        if kind not in KNOWN and not media_type:
            kind = own_media_type(data) or kind
        return Document(descriptor=Descriptor(media_type=kind, digest=digest, size=len(data)), data=data)

    async def tags(self, ref: Reference, login: AuthConfig | None) -> list[str]:
        async def ask(endpoint: Endpoint) -> list[str]:
            found: dict[str, None] = {}
            url = self.url(endpoint, ref, "tags/list", [("n", "1000")])
            for _ in range(MAX_PAGES):
                try:
                    answer = await self.client.call(
                        endpoint, "GET", url, wanted=(200,), scopes=[scope(ref, "pull")], login=login
                    )
                except Refused as e:
                    refuse_pull(e, ref, blob=True)
                page = await read_page(answer)
                found |= dict.fromkeys(page)
                target = next_link(answer.headers("Link"))
                if not target:
                    break
                if len(found) > MAX_TAGS:
                    raise InvalidParameter(f"{ref.familiar_name} has more than {MAX_TAGS} tags")
                url = urljoin(url, target)
            return list(found)

        return await self.on_each(ref, RESOLVE, ask)

    async def referrers(
        self, ref: Reference, digest: Digest, login: AuthConfig | None, artifact_type: str
    ) -> list[Descriptor]:
        async def ask(endpoint: Endpoint) -> list[Descriptor]:
            query = [("artifactType", artifact_type)] if artifact_type else []
            try:
                answer = await self.client.call(
                    endpoint,
                    "GET",
                    self.url(endpoint, ref, f"referrers/{digest}", query),
                    wanted=(200,),
                    scopes=[scope(ref, "pull")],
                    login=login,
                    headers=[("Accept", OCI_INDEX)],
                )
            except Refused as e:
                if e.status not in (404, 405, 400):
                    refuse_pull(e, ref)
                # OCI distribution 1.1, "Unavailable Referrers API": a tag made of the digest.
                tag = Reference(ref.domain, ref.path, digest.replace(":", "-")[:128])
                try:
                    data = (await self.read_document(endpoint, tag, login, OCI_INDEX)).data
                except EngineError as missing:
                    if isinstance(missing, RegistryFailure):
                        raise
                    return []
            else:
                try:
                    data = await answer.read(MAX_MANIFEST)
                finally:
                    answer.close()
            index = decode_target(data, OCI_INDEX)
            found = index.manifests if isinstance(index, Index) else []
            return [one for one in found if artifact_type in ("", one.artifact_type)]

        return await self.on_each(ref, RESOLVE, ask)


class TagPage(msgspec.Struct, frozen=True):
    tags: list[str] | None = None


class Typed(msgspec.Struct, frozen=True, rename="camel"):
    media_type: str | None = None


_pages = msgspec.json.Decoder(TagPage)
_typed = msgspec.json.Decoder(Typed)


async def read_page(answer: Answer) -> list[str]:
    try:
        return _pages.decode(await answer.read(MAX_PAGE)).tags or []
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as e:
        raise RegistryFailure(f"the registry's list of tags cannot be read: {e}") from e
    finally:
        answer.close()


def wanted(ref: Reference) -> str:
    """Docker: with both a tag and a digest the digest counts."""
    return ref.digest or ref.tag or "latest"


def announced(answer: Answer) -> Descriptor | None:
    """What the headers of a manifest say of it; None where they do not say enough."""
    digest = answer.header("Docker-Content-Digest")
    length = answer.header("Content-Length")
    kind = media_type_of(answer.header("Content-Type"))
    if not is_digest(digest) or not length.isdecimal() or kind not in KNOWN:
        return None
    return Descriptor(media_type=kind, digest=Digest(digest), size=int(length))


def verified(data: bytes, digest: str) -> Digest:
    """The digest of these bytes, which is `digest` unless that is empty.  Raises InvalidParameter."""
    if digest and not is_digest(digest):
        raise InvalidParameter(f"the registry announces what is no digest: {digest[:200]!r}")
    algorithm = digest.partition(":")[0] or "sha256"
    found = Digest(f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}")
    if digest and found != digest:
        raise InvalidParameter(f"manifest verification failed for digest {digest}")
    return found


def own_media_type(data: bytes) -> str:
    """What a document says of itself; empty where it says nothing."""
    try:
        return _typed.decode(data).media_type or ""
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return ""
