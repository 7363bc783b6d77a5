"""What a registry sends without end is not taken; what it sends fast is taken at the reader's pace."""

import asyncio
from contextlib import aclosing

import pytest
from aiohttp import web

from tests.integration.registry.conftest import Make
from tests.registries.images import fetched
from tests.registries.servers import serving
from wharfd.model.errors import InvalidParameter, RegistryFailure
from wharfd.ports.registry import MAX_MANIFEST
from wharfd.wire.oci import Descriptor, digest_of
from wharfd.wire.oci.media_types import OCI_LAYER, OCI_MANIFEST
from wharfd.wire.reference import Reference, parse_normalised

PIECE = b"x" * (64 << 10)
DIGEST = digest_of(b"")


class Endless:
    """Sends for ever, whatever is asked for; `length` is what it announces, None: nothing (chunked)."""

    def __init__(self, length: int | None = None, content_type: str = "application/octet-stream") -> None:
        self.length = length
        self.content_type = content_type
        self.sent = 0
        self.ended = asyncio.Event()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": self.content_type})
        if self.length is not None:
            response.content_length = self.length
        else:
            response.enable_chunked_encoding()
        await response.prepare(request)
        try:
            while self.length is None or self.sent < self.length:
                await response.write(PIECE)
                self.sent += len(PIECE)
        finally:
            self.ended.set()
        return response


def app(url: str) -> Reference:
    return parse_normalised(f"{url.removeprefix('http://')}/app:1")


@pytest.mark.parametrize("content_type", [OCI_MANIFEST, "text/html"])
async def test_an_endless_manifest(make: Make, content_type: str) -> None:
    server = Endless(content_type=content_type)
    async with serving(server.answer) as url:
        with pytest.raises(InvalidParameter, match=f"answers with more than {MAX_MANIFEST} bytes"):
            await make().document(app(url))
        await asyncio.wait_for(server.ended.wait(), 30)
    assert server.sent < MAX_MANIFEST + (16 << 20)


async def test_an_endless_blob(make: Make) -> None:
    server = Endless()
    descriptor = Descriptor(media_type=OCI_LAYER, digest=DIGEST, size=1_000_000)
    async with serving(server.answer) as url:
        with pytest.raises(InvalidParameter, match="the registry has more than 1000000 bytes as blob"):
            await fetched(make(), app(url), descriptor)


async def test_a_blob_that_announces_another_size(make: Make) -> None:
    server = Endless(length=1 << 40)
    descriptor = Descriptor(media_type=OCI_LAYER, digest=DIGEST, size=1_000_000)
    async with serving(server.answer) as url:
        with pytest.raises(InvalidParameter, match="the registry has 1099511627776 bytes as blob"):
            await fetched(make(), app(url), descriptor)


async def test_a_slow_reader_slows_the_registry_down(make: Make) -> None:
    size = 1 << 30
    server = Endless(length=size)
    descriptor = Descriptor(media_type=OCI_LAYER, digest=DIGEST, size=size)
    async with serving(server.answer) as url:
        async with aclosing(make().blob(app(url), descriptor)) as pieces:  # type: ignore[type-var]
            await anext(pieces)
            before = -1
            while before != server.sent:
                before = server.sent
                await asyncio.sleep(0.2)
        assert server.sent < 32 << 20, "what is sent lies in buffers of the kernel and of this process"
        await asyncio.wait_for(server.ended.wait(), 30)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"token": 3}', b'{"token": ""}', b'{"token": "a\\r\\nx: y"}', b"x" * 2_000_000]
)
async def test_token_servers_that_answer_nonsense(make: Make, body: bytes) -> None:
    async def answer(request: web.Request) -> web.Response:
        if request.path == "/token":
            return web.Response(body=body)
        realm = f"http://{request.host}/token"
        return web.Response(status=401, headers={"WWW-Authenticate": f'Bearer realm="{realm}"'})

    async with serving(answer) as url:
        with pytest.raises((RegistryFailure, InvalidParameter)):
            await make().document(app(url))


@pytest.mark.parametrize(
    "challenge",
    ['Bearer realm=""', 'Bearer realm="not an address"', 'Bearer realm="ftp://x/"', "Negotiate", "Digest realm=x", ""],
)
async def test_challenges_that_cannot_be_met(make: Make, challenge: str) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=401, headers={"WWW-Authenticate": challenge})

    async with serving(answer) as url:
        with pytest.raises(
            Exception, match=r"unauthorized: authentication required|names a token server that is no address"
        ):
            await make().document(app(url))


async def test_many_pages_of_tags(make: Make) -> None:
    async def answer(request: web.Request) -> web.Response:
        page = int(request.query.get("page", "0"))
        headers = {"Link": f'<{request.path}?page={page + 1}>; rel="next"'} if page < 20 else {}
        return web.json_response({"name": "app", "tags": [f"t{page}-{i}" for i in range(50)]}, headers=headers)

    async with serving(answer) as url:
        tags = await make().tags(app(url))
    assert len(tags) == 21 * 50
    assert list(tags[:2]) == ["t0-0", "t0-1"]


async def test_pages_of_tags_without_end(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wharfd.drivers.registry.reading.MAX_TAGS", 300)

    async def answer(request: web.Request) -> web.Response:
        page = int(request.query.get("page", "0"))
        headers = {"Link": f'<{request.path}?page={page + 1}>; rel="next"'}
        return web.json_response({"name": "app", "tags": [f"t{page}-{i}" for i in range(50)]}, headers=headers)

    async with serving(answer) as url:
        with pytest.raises(InvalidParameter, match="has more than 300 tags"):
            await make().tags(app(url))
