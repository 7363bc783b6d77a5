"""Requests on the wire, by aiohttp.  Loaded at the first call of a registry: it costs 12 MB that an engine which pulls nothing saves.

Redirects are followed here, by hand: what is private in a request stays with the host that it was meant for.
"""

import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from typing import cast
from urllib.parse import urljoin, urlsplit

import aiohttp
from yarl import URL

import wharfd
from wharfd.drivers.registry.failures import Broken, dialling, during, in_tls, is_reset, shown
from wharfd.drivers.registry.message import PIECE, Answer, Body, Request
from wharfd.drivers.registry.proxies import Proxies
from wharfd.drivers.registry.tls import TlsChoice, TlsContexts
from wharfd.model.errors import InvalidParameter, RegistryFailure
from wharfd.wire.registryhosts import PORTS, origin_of

USER_AGENT = f"wharfd/{wharfd.__version__} (linux)"
REDIRECTS = frozenset({301, 302, 303, 307, 308})
MAX_REDIRECTS = 10
SILENCE_S = 60.0  # a connection on which nothing comes for so long is dead
WIRE_ERRORS = (aiohttp.ClientError, OSError, TimeoutError, ValueError)


class AiohttpAnswer:
    def __init__(self, response: aiohttp.ClientResponse, method: str, url: str, is_own: bool) -> None:
        self.response = response
        self.method = method
        self.url = url
        self.is_own = is_own

    @property
    def status(self) -> int:
        return self.response.status

    @property
    def reason(self) -> str:
        return self.response.reason or ""

    def header(self, name: str) -> str:
        return self.response.headers.get(name, "")

    def headers(self, name: str) -> Sequence[str]:
        return self.response.headers.getall(name, [])

    async def read(self, limit: int) -> bytes:
        data = bytearray()
        async for piece in self.pieces():
            data += piece
            if len(data) > limit:
                raise InvalidParameter(f"{shown(self.url, whole=self.is_own)} answers with more than {limit} bytes")
        return bytes(data)

    async def pieces(self) -> AsyncIterator[bytes]:
        content = self.response.content
        while True:
            try:
                piece = await content.read(PIECE)
            except WIRE_ERRORS as e:
                raise broken(self.method, self.url, e, whole=self.is_own) from e
            if not piece:
                return
            yield piece

    def close(self) -> None:
        self.response.release()


class AiohttpClient:
    """`tls_of` tells how a host to which a redirect leads is to be spoken to."""

    def __init__(
        self,
        contexts: TlsContexts,
        proxies: Proxies,
        tls_of: Callable[[str], TlsChoice],
        silence_s: float = SILENCE_S,
    ) -> None:
        self.contexts = contexts
        self.proxies = proxies
        self.tls_of = tls_of
        self.silence_s = silence_s
        self.session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        session, self.session = self.session, None
        if session is not None:
            await session.close()

    async def send(self, request: Request) -> Answer:
        url, home = request.url, origin_of(request.url)
        method = request.method
        for _ in range(MAX_REDIRECTS):
            is_own = origin_of(url) == home
            response = await self.exchange(request, method, url, is_own)
            target = response.headers.get("Location", "")
            redirected = response.status in REDIRECTS and target and request.may_be_redirected
            if not redirected or method not in ("GET", "HEAD"):
                return AiohttpAnswer(response, method, url, is_own)
            response.release()
            url = self.redirected(request, method, url, target)
        raise RegistryFailure(during(method, shown(request.url), f"stopped after {MAX_REDIRECTS} redirects"))

    def redirected(self, request: Request, method: str, url: str, target: str) -> str:
        whole = urljoin(url, target)
        try:
            scheme, host, _ = origin_of(whole)
        except ValueError:
            scheme, host = "", ""
        if scheme not in PORTS or not host:
            raise RegistryFailure(during(method, shown(url), "redirected to what is no HTTP address"))
        if scheme == "http" and urlsplit(url).scheme == "https" and not request.may_lose_tls:
            raise RegistryFailure(during(method, shown(url), f"redirected from https to {shown(whole, whole=False)}"))
        return whole

    async def exchange(self, request: Request, method: str, url: str, is_own: bool) -> aiohttp.ClientResponse:
        """One request, one answer."""
        headers = [("User-Agent", USER_AGENT), ("Accept-Encoding", "identity"), *request.headers]
        if is_own:
            headers += request.private
        data: bytes | AsyncIterator[bytes] | None = None
        outgoing: Outgoing | None = None
        if isinstance(request.body, Body):
            outgoing = Outgoing(request.body)
            data = outgoing.pieces()
            headers.append(("Content-Length", str(request.body.length)))
        elif request.body is not None:
            data = request.body
        tls: ssl.SSLContext | bool = True
        if urlsplit(url).scheme == "https":
            known = request.tls if is_own else None
            tls = await self.contexts.context(known or self.tls_of(urlsplit(url).netloc.rpartition("@")[2]))
        try:
            return await self.opened().request(
                method,
                URL(url, encoded=True),
                headers=headers,
                skip_auto_headers=("Content-Type", "Accept"),
                data=data,
                allow_redirects=False,
                proxy=self.proxies.towards(url) or None,
                ssl=tls,
                timeout=aiohttp.ClientTimeout(
                    total=None, sock_connect=request.dial_timeout_s, sock_read=self.silence_s
                ),
            )
        except WIRE_ERRORS as e:
            if outgoing is not None and outgoing.failure is not None:
                raise outgoing.failure from None
            raise broken(method, url, e, whole=is_own) from e

    def opened(self) -> aiohttp.ClientSession:
        if self.session is None:
            self.session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=15.0),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                read_bufsize=256 << 10,
                max_field_size=64 << 10,  # signed URLs of storage services
                max_line_size=64 << 10,
            )
        return self.session


class Outgoing:
    """A body on its way.  The library hides what its source raises; it is kept here."""

    def __init__(self, body: Body) -> None:
        self.body = body
        self.failure: Exception | None = None

    async def pieces(self) -> AsyncIterator[bytes]:
        try:
            async with aclosing(cast("AsyncGenerator[bytes, None]", self.body.open())) as source:
                async for piece in source:
                    yield piece
        except Exception as e:
            self.failure = e
            raise


def broken(method: str, url: str, error: Exception, *, whole: bool) -> Broken:
    parts = urlsplit(url)
    host = f"{parts.netloc.rpartition('@')[2]}" + ("" if parts.port else f":{PORTS.get(parts.scheme, 0)}")
    reached = not isinstance(error, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL))
    reason = in_tls(error, host)
    if reason is not None:
        reached = False
    elif isinstance(error, aiohttp.ClientHttpProxyError):
        reason, reached = f"proxyconnect tcp: {error.status} {error.message}", False
    elif isinstance(error, aiohttp.ClientProxyConnectionError):
        reason = f"proxyconnect tcp: {dialling(f'{error.host}:{error.port}', error.os_error)}"
    elif isinstance(error, aiohttp.ClientConnectorError):
        reason = dialling(host, error.os_error)
    elif isinstance(error, aiohttp.ConnectionTimeoutError):
        reason = f"dial tcp {host}: i/o timeout"
    elif isinstance(error, TimeoutError):
        reason = "net/http: timeout awaiting response"
    elif isinstance(error, aiohttp.ClientPayloadError):
        reason = "unexpected EOF"
    elif isinstance(error, aiohttp.ServerDisconnectedError):
        reason = "EOF"
    elif is_reset(error):
        reason = f"read tcp {host}: connection reset by peer"
    elif isinstance(error, aiohttp.ClientResponseError):
        reason = f"net/http: HTTP/1.x transport connection broken: malformed HTTP response: {error.message}"
    else:
        reason = str(error) or type(error).__name__
    return Broken(method, shown(url, whole=whole), reason, reached=reached)
