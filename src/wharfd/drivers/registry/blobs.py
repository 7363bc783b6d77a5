"""Downloading a blob: as a stream, taken up again where it was cut, from one host or several.

Tries are counted anew whenever bytes have come, so that a bad line slows a pull down and does not end it; a registry that hands out
its blobs in crumbs is left after `MOST_RETRIES` all the same.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from wharfd.drivers.registry.client import scope
from wharfd.drivers.registry.endpoints import Endpoint
from wharfd.drivers.registry.failures import Broken, Refused, during, refuse_pull, shown
from wharfd.drivers.registry.message import Answer
from wharfd.drivers.registry.reading import Reading
from wharfd.drivers.registry.retries import Backoff
from wharfd.model.errors import EngineError, InvalidParameter, NotFound, RegistryFailure
from wharfd.ports.registry import OnRetry, Retry
from wharfd.wire.authconfig import AuthConfig
from wharfd.wire.distribution import parse_content_range
from wharfd.wire.hosts_toml import PULL
from wharfd.wire.oci import Descriptor
from wharfd.wire.oci.media_types import is_foreign_layer
from wharfd.wire.reference import Reference
from wharfd.wire.registryhosts import origin_of

MOST_RETRIES = 100
END_S = 5.0  # how long the end of an answer without a length is waited for


class Blobs:
    def __init__(self, reading: Reading, backoff: Backoff) -> None:
        self.reading = reading
        self.backoff = backoff

    async def stream(
        self,
        ref: Reference,
        descriptor: Descriptor,
        login: AuthConfig | None,
        offset: int,
        on_retry: OnRetry | None,
        own_host_only: bool,
    ) -> AsyncGenerator[bytes, None]:
        if not 0 <= offset <= descriptor.size:
            raise InvalidParameter(f"blob {descriptor.digest} of {descriptor.size} bytes has no byte {offset}")
        at = offset
        endpoints = [e for e in await self.reading.candidates(ref, PULL) if e.is_own or not own_host_only]
        turn, attempt, retries = 0, 1, 0
        while at < descriptor.size:
            begun = at
            failure: EngineError
            try:
                async with aclosing(self.read(endpoints[turn], ref, descriptor, login, at)) as pieces:
                    async for piece in pieces:
                        at += len(piece)
                        yield piece
                self.reading.note_answer(endpoints[turn])
                return
            except EngineError as e:
                failure = e
            attempt = 1 if at > begun else attempt
            if turn + 1 < len(endpoints) and self.reading.goes_on(endpoints[turn], failure):
                turn += 1
                continue
            if isinstance(failure, NotFound) and is_foreign_layer(descriptor.media_type) and descriptor.urls:
                break
            if not isinstance(failure, RegistryFailure):
                raise failure
            if isinstance(failure, Broken) and at > offset:
                failure.may_pass = True  # this host has answered before
            wait_s = self.backoff.delay(failure, attempt) if retries < MOST_RETRIES else None
            if wait_s is None:
                raise failure
            attempt, retries = attempt + 1, retries + 1
            if on_retry is not None:
                on_retry(Retry(attempt=attempt, delay_s=wait_s, offset=at, reason=str(failure)))
            await asyncio.sleep(wait_s)
            turn = next((i for i, one in enumerate(endpoints) if one.is_own), 0)
        else:
            return
        async with aclosing(self.from_elsewhere(ref, descriptor, at)) as pieces:
            async for piece in pieces:
                yield piece

    async def read(
        self,
        endpoint: Endpoint,
        ref: Reference,
        descriptor: Descriptor,
        login: AuthConfig | None,
        at: int,
        url: str = "",
    ) -> AsyncGenerator[bytes, None]:
        """The bytes from `at` on, by one request."""
        try:
            answer = await self.reading.client.call(
                endpoint,
                "GET",
                url or self.reading.url(endpoint, ref, f"blobs/{descriptor.digest}"),
                wanted=(200, 206),
                scopes=[scope(ref, "pull")],
                login=login,
                headers=[("Range", f"bytes={at}-")] if at else [],
                may_lose_tls=True,
            )
        except Refused as e:
            if e.status == 416:
                raise InvalidParameter(f"the registry has fewer than {at} bytes of blob {descriptor.digest}") from e
            refuse_pull(e, ref, blob=True)
        try:
            passed_over, has_length = agreed(answer, descriptor, at)
            async with aclosing(exactly(answer, descriptor, at, passed_over, has_length)) as pieces:
                async for piece in pieces:
                    yield piece
        finally:
            answer.close()

    async def from_elsewhere(self, ref: Reference, descriptor: Descriptor, at: int) -> AsyncGenerator[bytes, None]:
        """From the addresses that the descriptor itself names, for layers that registries may not hand out."""
        for url in descriptor.urls or ():
            try:
                scheme, host, _ = origin_of(url)
            except ValueError:
                continue
            if scheme not in ("http", "https") or not host:
                continue
            endpoint = Endpoint(url=url, name=ref.domain, is_own=False)
            try:
                async with aclosing(self.read(endpoint, ref, descriptor, None, at, url)) as pieces:
                    async for piece in pieces:
                        at += len(piece)
                        yield piece
                return
            except EngineError:
                continue
        raise NotFound(f"blob {descriptor.digest} cannot be had from any of its addresses")


def agreed(answer: Answer, descriptor: Descriptor, at: int) -> tuple[int, bool]:
    """How many bytes to pass over (a host that knows no ranges begins at the first), and whether the length is announced.

    Raises InvalidParameter if the announced size is not the descriptor's.
    """
    length = answer.header("Content-Length")
    if answer.status == 200:
        demand_size(descriptor, int(length) if length.isdecimal() else None)
        return at, length.isdecimal()
    found = parse_content_range(answer.header("Content-Range"))
    if found is None or found[0] != at:
        raise RegistryFailure(
            during("Get", shown(answer.url, whole=answer.is_own), "answered with another range of bytes")
        )
    first, last, whole = found
    demand_size(descriptor, whole)
    if length.isdecimal() and int(length) != last - first + 1:
        raise RegistryFailure(
            during("Get", shown(answer.url, whole=answer.is_own), "answered with another range of bytes")
        )
    return 0, last + 1 == descriptor.size and length.isdecimal()


def demand_size(descriptor: Descriptor, size: int | None) -> None:
    if size is not None and size != descriptor.size:
        raise InvalidParameter(
            f"the registry has {size} bytes as blob {descriptor.digest} instead of {descriptor.size}"
        )


async def exactly(
    answer: Answer, descriptor: Descriptor, at: int, passed_over: int, has_length: bool
) -> AsyncGenerator[bytes, None]:
    """The body as far as the blob goes: what is missing or too much is an error."""
    left = descriptor.size - at
    pieces = answer.pieces()
    while left or not has_length:
        piece = await following(pieces, may_take_long=left > 0)
        if not piece:
            break
        if passed_over:
            dropped = min(passed_over, len(piece))
            passed_over -= dropped
            piece = piece[dropped:]
        if len(piece) > left:
            raise InvalidParameter(f"the registry has more than {descriptor.size} bytes as blob {descriptor.digest}")
        left -= len(piece)
        if piece:
            yield piece
    if not left:
        return
    if answer.header("Transfer-Encoding").lower() == "chunked":
        demand_size(descriptor, descriptor.size - left)
    raise Broken("Get", shown(answer.url, whole=answer.is_own), "unexpected EOF", reached=True)


async def following(pieces: AsyncIterator[bytes], *, may_take_long: bool) -> bytes:
    """The next piece; empty at the end, and when an end that is all that is missing does not come."""
    try:
        async with asyncio.timeout(None if may_take_long else END_S):
            return await anext(pieces, b"")
    except TimeoutError:
        return b""
