"""Port `registry`: what this engine asks of registries over HTTP.

The HTTP library is loaded at the first call that needs it, on a thread, so that neither an idle engine nor its loop pays for it.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence

from wharfd.drivers.registry.accounts import Accounts
from wharfd.drivers.registry.auth import Authority
from wharfd.drivers.registry.blobs import Blobs
from wharfd.drivers.registry.client import Client
from wharfd.drivers.registry.endpoints import Endpoints
from wharfd.drivers.registry.message import Http
from wharfd.drivers.registry.proxies import Proxies
from wharfd.drivers.registry.reading import Reading
from wharfd.drivers.registry.retries import Backoff
from wharfd.drivers.registry.tls import TlsContexts
from wharfd.drivers.registry.writing import Upload, Writing
from wharfd.model.ids import Digest
from wharfd.model.settings import Settings
from wharfd.ports.registry import Document, LoginStatus, Mounted, OnRetry, SearchResult, Sent, Source
from wharfd.sys.blocking import Pool
from wharfd.wire.authconfig import AuthConfig
from wharfd.wire.oci import Descriptor
from wharfd.wire.reference import Reference
from wharfd.wire.registryhosts import parse_insecure, parse_mirrors

REQUEST_ATTEMPTS = 3
UPLOAD_ATTEMPTS = 5


class HttpRegistry:
    """`first_wait_s` and `silence_s` are for tests: they have no patience."""

    def __init__(
        self,
        settings: Settings,
        pool: Pool,
        *,
        first_wait_s: float = 1.0,
        silence_s: float = 60.0,
    ) -> None:
        self.pool = pool
        self.silence_s = silence_s
        self.proxies = Proxies(settings.http_proxy, settings.https_proxy, settings.no_proxy)
        self.endpoints = Endpoints(
            settings.registry_config_dirs,
            parse_mirrors(settings.registry_mirrors),
            parse_insecure(settings.insecure_registries),
        )
        self.opening = asyncio.Lock()
        self.opened: Http | None = None
        requests = Backoff(REQUEST_ATTEMPTS, first_wait_s)
        self.authority = Authority(self.http, requests)
        self.client = Client(self.http, self.authority)
        self.reading = Reading(self.client, self.endpoints, requests)
        self.blobs = Blobs(self.reading, Backoff(settings.max_download_attempts, first_wait_s))
        self.writing = Writing(self.reading, Backoff(UPLOAD_ATTEMPTS, first_wait_s))
        self.accounts = Accounts(self.client, self.authority, self.endpoints)

    async def http(self) -> Http:
        async with self.opening:
            if self.opened is None:
                self.opened = await self.pool.run(self.load)
            return self.opened

    def load(self) -> Http:
        from wharfd.drivers.registry.http import AiohttpClient

        return AiohttpClient(TlsContexts(self.pool), self.proxies, self.endpoints.tls_of, self.silence_s)

    async def resolve(self, ref: Reference, login: AuthConfig | None = None) -> Descriptor:
        return await self.reading.resolve(ref, login)

    async def document(self, ref: Reference, login: AuthConfig | None = None, *, media_type: str = "") -> Document:
        return await self.reading.document(ref, login, media_type)

    def blob(
        self,
        ref: Reference,
        descriptor: Descriptor,
        login: AuthConfig | None = None,
        *,
        offset: int = 0,
        on_retry: OnRetry | None = None,
        own_host_only: bool = False,
    ) -> AsyncIterator[bytes]:
        return self.blobs.stream(ref, descriptor, login, offset, on_retry, own_host_only)

    async def tags(self, ref: Reference, login: AuthConfig | None = None) -> Sequence[str]:
        return await self.reading.tags(ref, login)

    async def referrers(
        self, ref: Reference, digest: Digest, login: AuthConfig | None = None, *, artifact_type: str = ""
    ) -> Sequence[Descriptor]:
        return await self.reading.referrers(ref, digest, login, artifact_type)

    async def has_blob(self, ref: Reference, digest: Digest, login: AuthConfig | None = None) -> bool:
        return await self.writing.has_blob(ref, digest, login)

    async def mount_blob(
        self, ref: Reference, digest: Digest, source: Reference, login: AuthConfig | None = None
    ) -> Mounted:
        return await self.writing.mount_blob(ref, digest, source, login)

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
        upload = Upload(ref=ref, descriptor=descriptor, source=source, login=login, on_sent=on_sent)
        await self.writing.upload_blob(upload, on_retry)

    async def put_document(
        self, ref: Reference, data: bytes, media_type: str, login: AuthConfig | None = None
    ) -> Digest:
        return await self.writing.put_document(ref, data, media_type, login)

    async def check_login(self, login: AuthConfig) -> LoginStatus:
        return await self.accounts.check_login(login)

    async def search(self, term: str, *, limit: int = 0, login: AuthConfig | None = None) -> Sequence[SearchResult]:
        return await self.accounts.search(term, limit, login)

    async def close(self) -> None:
        if self.opened is not None:
            await self.opened.close()
