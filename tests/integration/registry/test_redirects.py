"""Redirects: blobs come from storage services, and what is private stays with the registry."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web

from tests.integration.registry.conftest import Make
from tests.registries.certificates import Authority
from tests.registries.images import described, fetched, manifest_of, noise
from tests.registries.servers import Handler, serving
from wharfd.model.errors import RegistryFailure
from wharfd.wire.authconfig import AuthConfig
from wharfd.wire.oci.media_types import OCI_MANIFEST
from wharfd.wire.reference import parse_normalised

BLOB = noise(300_000)
MANIFEST = manifest_of(b"{}")
LOGIN = AuthConfig(username="me", password="secret")
Certs = Callable[[str], Path]
Seen = list[tuple[str, dict[str, str]]]


class Storage:
    """Gives the blob to whoever asks, in parts too."""

    def __init__(self) -> None:
        self.seen: Seen = []

    async def answer(self, request: web.Request) -> web.Response:
        self.seen.append((request.path_qs, dict(request.headers)))
        data = MANIFEST if "manifest" in request.path else BLOB
        begin = request.http_range.start or 0
        headers = {"Content-Type": OCI_MANIFEST if data is MANIFEST else "application/octet-stream"}
        if begin:
            headers["Content-Range"] = f"bytes {begin}-{len(data) - 1}/{len(data)}"
        return web.Response(status=206 if begin else 200, body=data[begin:], headers=headers)


def registry_before(target: Callable[[web.Request], str], seen: Seen, status: int = 307) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        seen.append((request.path_qs, dict(request.headers)))
        if "Authorization" not in request.headers:
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})
        return web.Response(status=status, headers={"Location": target(request)})

    return answer


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_credentials_do_not_follow_to_another_host(make: Make, certs: Certs, status: int) -> None:
    storage, seen = Storage(), Seen()
    async with serving(storage.answer) as there:
        signed = f"{there}/data?X-Signature=a%2Fb%2Bc&x=1"
        async with serving(registry_before(lambda _: signed, seen, status)) as url:
            (certs("registry.example") / "hosts.toml").write_text(
                f'server = "{url}"\n[header]\nx-operator = "secret"\n'
            )
            ref = parse_normalised("registry.example/app")
            assert await fetched(make(), ref, described(BLOB), LOGIN) == BLOB
            pieces = [piece async for piece in make().blob(ref, described(BLOB), LOGIN, offset=1000)]
            assert b"".join(pieces) == BLOB[1000:]
    assert all(headers["x-operator"] == "secret" for _, headers in seen)
    for path, headers in storage.seen:
        assert path == "/data?X-Signature=a%2Fb%2Bc&x=1", "a signed address is sent as it was given"
        assert not {"Authorization", "x-operator"} & headers.keys()
    assert [headers.get("Range") for _, headers in storage.seen] == [None, "bytes=1000-"]


async def test_within_the_host_they_do(make: Make) -> None:
    storage, seen = Storage(), Seen()

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path == "/elsewhere":
            return await storage.answer(request)
        return await registry_before(lambda _: "/elsewhere", seen)(request)

    async with serving(answer) as url:
        assert await fetched(make(), parse_normalised(f"{url[7:]}/app"), described(BLOB), LOGIN) == BLOB
    assert "Authorization" in storage.seen[0][1]


async def test_a_circle_is_left(make: Make) -> None:
    seen = Seen()
    async with serving(registry_before(lambda request: request.path, seen)) as url:
        with pytest.raises(RegistryFailure, match="stopped after 10 redirects"):
            await fetched(make(), parse_normalised(f"{url[7:]}/app"), described(BLOB), LOGIN)


@pytest.mark.parametrize("target", ["ftp://x/y", "file:///etc/passwd", "https://x:port/"])
async def test_only_to_http(make: Make, target: str) -> None:
    async with serving(registry_before(lambda _: target, [])) as url:
        with pytest.raises(RegistryFailure, match="redirected to what is no HTTP address"):
            await fetched(make(), parse_normalised(f"{url[7:]}/app"), described(BLOB), LOGIN)


async def test_only_what_a_digest_vouches_for_may_come_over_plain_http(make: Make, authority: Authority) -> None:
    storage = Storage()
    async with serving(storage.answer) as there:

        def target(request: web.Request) -> str:
            return f"{there}/{'manifest' if 'manifests' in request.path else 'blob'}?signature=s"

        async with serving(registry_before(target, []), tls=authority.issue("127.0.0.1")) as url:
            ref = parse_normalised(f"{url[8:]}/app:1")
            assert await fetched(make(), ref, described(BLOB), LOGIN) == BLOB
            by_digest = ref.with_digest("sha256:" + hashlib.sha256(MANIFEST).hexdigest())
            assert (await make().document(by_digest, LOGIN)).data == MANIFEST
            with pytest.raises(RegistryFailure, match=r"redirected from https to http://127\.0\.0\.1") as raised:
                await make().document(ref, LOGIN)
            assert "signature" not in str(raised.value)


async def test_what_a_stranger_says_is_not_shown(make: Make) -> None:
    """A registry could have the engine read from where it cannot look itself."""

    async def secret(request: web.Request) -> web.Response:
        return web.Response(status=403, text="the secret of the inner network")

    async with serving(secret) as there, serving(registry_before(lambda _: f"{there}/latest?token=t", [])) as url:
        with pytest.raises(Exception) as raised:
            await fetched(make(), parse_normalised(f"{url[7:]}/app"), described(BLOB), LOGIN)
    assert "secret" not in str(raised.value)
    assert "token=t" not in str(raised.value)


async def test_a_token_server_is_not_left_either(make: Make) -> None:
    stolen: Seen = []

    async def thief(request: web.Request) -> web.Response:
        stolen.append((request.path_qs, dict(request.headers)))
        return web.json_response({"token": "t"})

    async with serving(thief) as there:

        async def realm(request: web.Request) -> web.Response:
            return web.Response(status=302, headers={"Location": f"{there}/token"})

        async with serving(realm) as tokens:

            async def registry(request: web.Request) -> web.Response:
                return web.Response(status=401, headers={"WWW-Authenticate": f'Bearer realm="{tokens}/t",service="s"'})

            async with serving(registry) as url:
                with pytest.raises(Exception, match="authentication required"):
                    await make().document(parse_normalised(f"{url[7:]}/app:1"), LOGIN)
    assert stolen
    assert all("Authorization" not in headers for _, headers in stolen)


async def test_a_login_is_not_sent_in_the_clear_for_a_registry_with_tls(
    make: Make, authority: Authority, certs: Certs
) -> None:
    async def registry(request: web.Request) -> web.Response:
        return web.Response(status=401, headers={"WWW-Authenticate": 'Bearer realm="http://127.0.0.1:1/t"'})

    async with serving(registry, tls=authority.issue("127.0.0.1")) as url:
        (certs(url[8:]) / "ca.crt").write_bytes(authority.certificate.read_bytes())
        with pytest.raises(RegistryFailure, match=r"wants the login sent in the clear to http://127\.0\.0\.1:1/t"):
            await make(trusting=False).document(parse_normalised(f"{url[8:]}/app:1"), LOGIN)
