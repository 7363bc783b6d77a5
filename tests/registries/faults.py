"""A proxy before a registry that drops, delays, truncates, corrupts and refuses, as it is told.

proxy.next(Fault(match="/blobs/sha256:", cut_after=1000))     the next answer to a GET of a blob ends after 1000 bytes
proxy.next(Fault(method="PATCH", status=500), times=2)
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import NoReturn

import aiohttp
from aiohttp import web

from tests.registries.servers import serving


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Of a request whose method is `method` and whose path holds `match`.  Bytes are those of the body."""

    method: str = "GET"
    match: str = ""
    status: int = 0  # answer this without asking the registry
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    drop: bool = False  # close the connection before any answer
    cut_after: int | None = None  # of the answer: announce all, send so many, close
    take_only: int | None = None  # of the request: pass on so many bytes, then close both sides
    corrupt_at: int | None = None  # of the answer: this byte is another one
    delay_s: float = 0.0  # before the answer's body
    lose_answer: bool = False  # the registry does it, nobody hears of it


@dataclass
class FaultProxy:
    target: str
    url: str = ""
    faults: list[Fault] = field(default_factory=list)
    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)  # method, path with query, headers

    def next(self, fault: Fault, times: int = 1) -> None:
        self.faults += [fault] * times

    @property
    def host(self) -> str:
        return self.url.partition("://")[2]

    def take(self, request: web.Request) -> Fault | None:
        for i, fault in enumerate(self.faults):
            if fault.method == request.method and fault.match in request.path_qs:
                return self.faults.pop(i)
        return None

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.seen.append((request.method, request.path_qs, dict(request.headers)))
        fault = self.take(request) or Fault()
        if fault.drop:
            abort(request)
        if fault.status:
            return web.Response(status=fault.status, headers=fault.headers, body=fault.body)
        headers = {k: v for k, v in request.headers.items() if k.lower() not in ("transfer-encoding", "connection")}
        async with aiohttp.ClientSession(auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()) as session:
            body = limited(request, fault.take_only) if request.body_exists else None
            try:
                async with session.request(
                    request.method, f"{self.target}{request.path_qs}", headers=headers, data=body, allow_redirects=False
                ) as got:
                    if fault.lose_answer:
                        abort(request)
                    return await self.pass_on(request, got, fault)
            except aiohttp.ClientError:
                abort(request)

    async def pass_on(self, request: web.Request, got: aiohttp.ClientResponse, fault: Fault) -> web.StreamResponse:
        response = web.StreamResponse(status=got.status, reason=got.reason)
        for name, value in got.headers.items():
            if name.lower() not in ("transfer-encoding", "connection"):
                response.headers.add(name, value)
        await response.prepare(request)
        if fault.delay_s:
            await asyncio.sleep(fault.delay_s)
        at = 0
        async for piece in got.content.iter_any():
            if fault.corrupt_at is not None and at <= fault.corrupt_at < at + len(piece):
                changed = bytearray(piece)
                changed[fault.corrupt_at - at] ^= 0xFF
                piece = bytes(changed)
            if fault.cut_after is not None and at + len(piece) >= fault.cut_after:
                await response.write(piece[: fault.cut_after - at])
                await asyncio.sleep(0.02)
                abort(request)
            await response.write(piece)
            at += len(piece)
        if request.method != "HEAD":
            await response.write_eof()
        return response


def abort(request: web.Request) -> NoReturn:
    """Close the client's connection without a word; the handler ends."""
    if request.transport is not None:
        request.transport.abort()
    raise asyncio.CancelledError


async def limited(request: web.Request, most: int | None) -> AsyncIterator[bytes]:
    left = most
    async for piece in request.content.iter_any():
        if left is not None and len(piece) >= left:
            yield piece[:left]
            raise aiohttp.ClientError("as ordered")
        if left is not None:
            left -= len(piece)
        yield piece


@asynccontextmanager
async def fault_proxy(target: str) -> AsyncIterator[FaultProxy]:
    """Before the registry at the URL `target`, over plain HTTP."""
    proxy = FaultProxy(target)
    async with serving(proxy.answer) as url:
        proxy.url = url
        yield proxy
