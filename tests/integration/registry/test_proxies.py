"""HTTP proxies on the way to a registry."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.registry.conftest import Make
from tests.registries.certificates import Authority
from tests.registries.daemon import RealRegistry, real_registry
from tests.registries.images import described, fetched, manifest_of, noise, push
from tests.registries.tunnel import tunnel
from wharfd.model.errors import RegistryFailure
from wharfd.wire.reference import parse_normalised

CONFIG, LAYER = b'{"architecture":"amd64","os":"linux"}', noise(300_000)
HOST = "registry.example:5000"
REF = parse_normalised(f"{HOST}/app:1")


def port_of(host: str) -> int:
    return int(host.rpartition(":")[2])


async def test_tls_goes_through_the_proxy(
    make: Make, tmp_path: Path, authority: Authority, certs: Callable[[str], Path]
) -> None:
    (certs(HOST) / "ca.crt").write_bytes(authority.certificate.read_bytes())
    async with real_registry(tmp_path / "r", tls=authority.issue("registry.example")) as real:
        async with tunnel({HOST: port_of(real.host)}, login="me:s@cret") as proxy:
            registry = make(https_proxy=proxy.url.replace("://", "://me:s%40cret@"))
            await push(registry, REF, None, CONFIG, LAYER)
            assert (await registry.document(REF)).data == manifest_of(CONFIG, LAYER)
            assert await fetched(registry, REF, described(LAYER)) == LAYER
            assert set(proxy.asked) == {f"CONNECT {HOST} HTTP/1.1"}
            refused = make(https_proxy=proxy.url)
            with pytest.raises(RegistryFailure, match="proxyconnect tcp: 407 Proxy Authentication Required"):
                await refused.document(REF)


async def test_plain_http_goes_through_the_proxy(make: Make, plain: RealRegistry) -> None:
    async with tunnel({HOST: port_of(plain.host)}) as proxy:
        registry = make(http_proxy=proxy.url.removeprefix("http://"), insecure_registries=[HOST])
        await push(registry, REF, None, CONFIG)
        assert (await registry.document(REF)).data == manifest_of(CONFIG)
        assert f"GET http://{HOST}/v2/app/manifests/1 HTTP/1.1" in proxy.asked


async def test_some_hosts_are_reached_directly(make: Make, plain: RealRegistry) -> None:
    async with tunnel({}) as proxy:
        for settings in ({}, {"no_proxy": "127.0.0.1"}):
            registry = make(http_proxy=proxy.url, https_proxy=proxy.url, **settings)
            await push(registry, parse_normalised(f"{plain.host}/app:1"), None, CONFIG)
        assert proxy.asked == []


async def test_a_proxy_that_is_not_there(make: Make) -> None:
    with pytest.raises(
        RegistryFailure, match=r"proxyconnect tcp: dial tcp 127\.0\.0\.1:1: connect: connection refused"
    ) as raised:
        await make(https_proxy="http://me:secret@127.0.0.1:1").document(REF)
    assert "secret" not in str(raised.value)


async def test_a_kind_of_proxy_that_is_not_known(make: Make) -> None:
    with pytest.raises(RegistryFailure, match="proxies of the kind socks5 are not supported"):
        await make(https_proxy="socks5://127.0.0.1:1").document(REF)
