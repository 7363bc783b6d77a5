"""The Hub's names and hosts, led to servers of the test's by a proxy: what is asked of whom."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from aiohttp import web

from tests.integration.registry.conftest import Make
from tests.registries.certificates import Authority
from tests.registries.daemon import PASSWORD, USER, real_registry
from tests.registries.images import manifest_of, push
from tests.registries.servers import serving
from tests.registries.tokens import TokenServer
from tests.registries.tunnel import Tunnel, tunnel
from wharfd.model.errors import InvalidParameter, PullDenied, RegistryFailure
from wharfd.ports.registry import SearchResult
from wharfd.wire.authconfig import AuthConfig
from wharfd.wire.reference import parse_normalised

CONFIG = b'{"architecture":"amd64","os":"linux"}'
LOGIN = AuthConfig(username=USER, password=PASSWORD, serveraddress="https://index.docker.io/v1/")


class Index:
    """The first version's search."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, dict[str, str]]] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.seen.append((request.path_qs, dict(request.headers)))
        if request.path != "/v1/search":
            return web.Response(status=404)
        return web.json_response(
            {"num_results": 2, "results": [
                {"name": "busybox", "description": "Busybox base image.", "star_count": 3000, "is_official": True},
                {"name": "me/busybox", "description": None, "star_count": 1, "is_official": False, "is_automated": True},
            ]}
        )  # fmt: skip


class Hub:
    def __init__(self, tokens: TokenServer, index: Index, proxy: Tunnel) -> None:
        self.tokens, self.index, self.proxy = tokens, index, proxy


@pytest.fixture
async def hub(tmp_path: Path, authority: Authority, certs: Callable[[str], Path]) -> AsyncIterator[Hub]:
    for name in ("docker.io", "index.docker.io"):
        (certs(name) / "ca.crt").write_bytes(authority.certificate.read_bytes())
    tokens, index = TokenServer(tmp_path / "tokens", {USER: PASSWORD}, private=("me/",)), Index()
    tokens.realm = "https://auth.docker.io/token"
    async with AsyncExitStack() as stack:
        pair = authority.issue("registry-1.docker.io")
        real = await stack.enter_async_context(real_registry(tmp_path / "r", tls=pair, token=tokens.settings))
        auth_url = await stack.enter_async_context(serving(tokens.answer, tls=authority.issue("auth.docker.io")))
        index_url = await stack.enter_async_context(serving(index.answer, tls=authority.issue("index.docker.io")))
        ports = [int(where.rpartition(":")[2]) for where in (real.host, auth_url, index_url)]
        names = ("registry-1.docker.io:443", "auth.docker.io:443", "index.docker.io:443")
        proxy = await stack.enter_async_context(tunnel(dict(zip(names, ports, strict=True))))
        yield Hub(tokens, index, proxy)


async def test_images_of_the_hub(make: Make, hub: Hub) -> None:
    registry = make(https_proxy=hub.proxy.url)
    await push(registry, parse_normalised("busybox:1"), LOGIN, CONFIG)
    assert (await registry.document(parse_normalised("docker.io/library/busybox:1"))).data == manifest_of(CONFIG)
    assert (await registry.resolve(parse_normalised("index.docker.io/busybox:1"))).size == len(manifest_of(CONFIG))
    assert list(await registry.tags(parse_normalised("busybox"))) == ["1"]
    assert ("GET", "", ["repository:library/busybox:pull"]) in hub.tokens.asked
    with pytest.raises(PullDenied) as raised:
        await registry.document(parse_normalised("me/private:1"))
    assert str(raised.value) == (
        "pull access denied for me/private, repository does not exist or may require 'docker login': "
        "denied: requested access to the resource is denied"
    )


async def test_a_login_to_the_hub(make: Make, hub: Hub) -> None:
    registry = make(https_proxy=hub.proxy.url)
    for address in ("https://index.docker.io/v1/", ""):
        status = await registry.check_login(AuthConfig(username=USER, password=PASSWORD, serveraddress=address))
        assert status.identity_token == f"identity-of-{USER}"


async def test_search(make: Make, hub: Hub) -> None:
    registry = make(https_proxy=hub.proxy.url)
    assert list(await registry.search("library/busy box", limit=7)) == [
        SearchResult(name="busybox", description="Busybox base image.", star_count=3000, is_official=True),
        SearchResult(name="me/busybox", star_count=1, is_automated=True),
    ]
    assert [path for path, _ in hub.index.seen] == ["/v1/search?q=busy+box&n=7"]
    assert "Authorization" not in hub.index.seen[0][1]
    await registry.search("busybox", login=LOGIN)
    assert hub.index.seen[1][0] == "/v1/search?q=busybox&n=25"
    assert hub.index.seen[1][1]["Authorization"].startswith("Basic ")


async def test_a_registry_that_knows_no_search(make: Make, tmp_path: Path) -> None:
    async with real_registry(tmp_path / "plain") as real:
        with pytest.raises(RegistryFailure, match="unexpected status code 404"):
            await make().search(f"{real.host}/app")


async def test_a_registry_that_is_not_there_is_told_with_advice(make: Make) -> None:
    with pytest.raises(
        InvalidParameter, match=r"HTTPS attempt: .*connection refused\. HTTP attempt: .*connection refused"
    ):
        await make().search("127.0.0.1:1/app")
    with pytest.raises(InvalidParameter, match=r"add `--insecure-registry 127\.0\.0\.1:1` to the daemon's arguments"):
        await make(trusting=False).search("127.0.0.1:1/app")
