"""Mirrors: of the Hub by settings, of any registry by hosts.toml."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiohttp import web

from tests.integration.registry.conftest import Make
from tests.registries.daemon import PASSWORD, USER, RealRegistry, real_registry
from tests.registries.faults import Fault, FaultProxy, fault_proxy
from tests.registries.images import described, fetched, manifest_of, noise, push
from tests.registries.servers import serving
from wharfd.model.errors import ManifestNotFound, RegistryFailure
from wharfd.wire.authconfig import AuthConfig
from wharfd.wire.reference import parse_normalised

CONFIG, LAYER = b'{"architecture":"amd64","os":"linux"}', noise(500_000)
NAME = "registry.example:5000"
Certs = Callable[[str], Path]


@pytest.fixture
async def mirror(plain: RealRegistry) -> AsyncIterator[FaultProxy]:
    """In front of `plain`."""
    async with fault_proxy(plain.url) as proxy:
        yield proxy


@pytest.fixture
async def own(tmp_path: Path) -> AsyncIterator[FaultProxy]:
    async with real_registry(tmp_path / "own") as real, fault_proxy(real.url) as proxy:
        yield proxy


async def fill(make: Make, proxy: FaultProxy, *layers: bytes) -> None:
    await push(make(), parse_normalised(f"{proxy.host}/app:1"), None, CONFIG, *layers)
    proxy.seen.clear()


async def test_a_mirror_is_asked_first(make: Make, mirror: FaultProxy, own: FaultProxy, certs: Certs) -> None:
    await fill(make, mirror, LAYER)
    (certs(NAME) / "hosts.toml").write_text(
        f'server = "{own.url}"\n[host."{mirror.url}"]\ncapabilities = ["pull", "resolve"]\n'
        f'[host."{mirror.url}".header]\nx-mirror = ["a", "b"]\n'
    )
    registry, ref = make(), parse_normalised(f"{NAME}/app:1")
    assert (await registry.document(ref)).data == manifest_of(CONFIG, LAYER)
    assert await fetched(registry, ref, described(LAYER)) == LAYER
    assert own.seen == []
    assert all(f"ns={NAME.replace(':', '%3A')}" in path for _, path, _ in mirror.seen)
    assert all(headers["x-mirror"] in ("a", "a, b", "b") for *_, headers in mirror.seen)


async def test_what_a_mirror_does_not_have_is_asked_of_the_host(
    make: Make, mirror: FaultProxy, own: FaultProxy, certs: Certs
) -> None:
    await fill(make, own, LAYER)
    (certs(NAME) / "hosts.toml").write_text(f'server = "{own.url}"\n[host."{mirror.url}"]\n')
    registry, ref = make(), parse_normalised(f"{NAME}/app:1")
    assert (await registry.resolve(ref)).size == len(manifest_of(CONFIG, LAYER))
    assert (await registry.document(ref)).data == manifest_of(CONFIG, LAYER)
    assert await fetched(registry, ref, described(LAYER)) == LAYER
    assert "ns=" not in "".join(path for _, path, _ in own.seen)
    with pytest.raises(ManifestNotFound, match=f"manifest for {NAME}/app:2 not found"):
        await registry.document(parse_normalised(f"{NAME}/app:2"))


@pytest.mark.parametrize(
    "fault",
    [
        Fault(drop=True),
        Fault(status=500),
        Fault(status=429),
        Fault(status=401),
        Fault(status=403),
        Fault(status=200, body=b"!"),
    ],
)
async def test_whatever_a_mirror_does_is_not_the_users_matter(
    make: Make, mirror: FaultProxy, own: FaultProxy, certs: Certs, fault: Fault
) -> None:
    await fill(make, own, LAYER)
    (certs(NAME) / "hosts.toml").write_text(f'server = "{own.url}"\n[host."{mirror.url}"]\n')
    registry, ref = (
        make(),
        parse_normalised(f"{NAME}/app:1@{(await make().resolve(parse_normalised(f'{own.host}/app:1'))).digest}"),
    )
    mirror.next(fault, times=9)
    assert (await registry.document(ref)).data == manifest_of(CONFIG, LAYER)
    assert await fetched(registry, ref, described(LAYER)) == LAYER


async def test_a_download_that_a_mirror_breaks_off_goes_on_at_the_host(
    make: Make, mirror: FaultProxy, own: FaultProxy, certs: Certs
) -> None:
    await fill(make, own, LAYER)
    await fill(make, mirror, LAYER)
    (certs(NAME) / "hosts.toml").write_text(f'server = "{own.url}"\n[host."{mirror.url}"]\n')
    mirror.next(Fault(match="/blobs/", cut_after=200_000), times=9)
    assert await fetched(make(), parse_normalised(f"{NAME}/app"), described(LAYER)) == LAYER
    assert [headers["Range"] for _, _, headers in own.seen if "Range" in headers] != []


async def test_a_mirror_that_is_down_is_left_alone_for_a_while(make: Make, own: FaultProxy, certs: Certs) -> None:
    await fill(make, own, LAYER)
    (certs(NAME) / "hosts.toml").write_text(f'server = "{own.url}"\n[host."http://127.0.0.1:1"]\n')
    registry, ref = make(), parse_normalised(f"{NAME}/app:1")
    assert (await registry.document(ref)).data == manifest_of(CONFIG, LAYER)
    assert [one.url for one in await registry.reading.candidates(ref, "pull")] == [f"{own.url}/v2"]


async def test_a_second_try_may_pass_a_lying_mirror_over(
    make: Make, mirror: FaultProxy, own: FaultProxy, certs: Certs
) -> None:
    await fill(make, own, LAYER)
    await fill(make, mirror, LAYER)
    (certs(NAME) / "hosts.toml").write_text(f'server = "{own.url}"\n[host."{mirror.url}"]\n')
    mirror.next(Fault(match="/blobs/", corrupt_at=5), times=9)
    registry, ref = make(), parse_normalised(f"{NAME}/app")
    assert await fetched(registry, ref, described(LAYER)) != LAYER
    pieces = [piece async for piece in registry.blob(ref, described(LAYER), own_host_only=True)]
    assert b"".join(pieces) == LAYER


async def test_logins_are_not_shown_to_mirrors(make: Make, mirror: FaultProxy, own: FaultProxy, certs: Certs) -> None:
    login = AuthConfig(username=USER, password=PASSWORD, identitytoken="")
    (certs(NAME) / "hosts.toml").write_text(f'server = "{own.url}"\n[host."{mirror.url}"]\n')
    for proxy in (mirror, own):
        proxy.next(Fault(match="/manifests/", status=401, headers={"WWW-Authenticate": 'Basic realm="x"'}), times=9)
    with pytest.raises(Exception, match="authentication required"):
        await make().document(parse_normalised(f"{NAME}/app:1"), login)
    assert all("Authorization" not in headers for *_, headers in mirror.seen)
    assert [("Authorization" in headers) for *_, headers in own.seen] == [False, True]


async def test_pushing_goes_to_the_first_host_that_may_be_written(
    make: Make, mirror: FaultProxy, own: FaultProxy, certs: Certs
) -> None:
    hosts = certs(NAME) / "hosts.toml"
    hosts.write_text(f'server = "{own.url}"\n[host."{mirror.url}"]\ncapabilities = ["pull", "resolve"]\n')
    ref = parse_normalised(f"{NAME}/app:1")
    await push(make(), ref, None, CONFIG)
    assert (mirror.seen == [], own.seen != []) == (True, True)
    own.seen.clear()
    hosts.write_text(f'server = "{own.url}"\n[host."{mirror.url}"]\n')
    await push(make(), ref, None, CONFIG)
    assert (mirror.seen != [], own.seen == []) == (True, True)


async def test_a_host_that_may_do_nothing(make: Make, own: FaultProxy, certs: Certs) -> None:
    (certs(NAME) / "hosts.toml").write_text(f'server = "{own.url}"\ncapabilities = ["pull"]\n')
    with pytest.raises(RegistryFailure, match=f"no host is configured that can push for {NAME}"):
        await push(make(), parse_normalised(f"{NAME}/app:1"), None, CONFIG)


async def test_the_root_of_the_api_may_be_anywhere(make: Make, certs: Certs) -> None:
    seen: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.path)
        return web.json_response({"errors": [{"code": "MANIFEST_UNKNOWN"}]}, status=404)

    async with serving(answer) as url:
        (certs(NAME) / "hosts.toml").write_text(
            f'server = "{url}"\n[host."{url}/deep"]\n[host."{url}/odd/root"]\noverride_path = true\n'
        )
        with pytest.raises(ManifestNotFound):
            await make().document(parse_normalised(f"{NAME}/app:1"))
    assert seen == ["/deep/v2/app/manifests/1", "/odd/root/app/manifests/1", "/v2/app/manifests/1"]


async def test_a_default_for_all_registries(make: Make, mirror: FaultProxy, certs: Certs) -> None:
    await fill(make, mirror)
    (certs("_default") / "hosts.toml").write_text(f'server = "{mirror.url}"\n')
    assert (await make().document(parse_normalised("any.example/app:1"))).data == manifest_of(CONFIG)


async def test_a_mirror_of_the_hub(make: Make, mirror: FaultProxy, plain: RealRegistry) -> None:
    await push(make(), parse_normalised(f"{plain.host}/library/busybox:1"), None, CONFIG)
    registry = make(registry_mirrors=[mirror.url])
    assert (await registry.document(parse_normalised("busybox:1"))).data == manifest_of(CONFIG)
    assert [path for _, path, _ in mirror.seen] == ["/v2/library/busybox/manifests/1"]
