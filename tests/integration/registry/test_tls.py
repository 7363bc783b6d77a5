"""Certificates: whose are trusted, who must show one, what is said of those that are not good."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.registry.conftest import Make
from tests.registries.certificates import Authority
from tests.registries.daemon import real_registry
from tests.registries.images import manifest_of, push
from wharfd.drivers.registry.driver import HttpRegistry
from wharfd.model.errors import InvalidParameter, RegistryFailure
from wharfd.wire.reference import Reference, parse_normalised

CONFIG = b'{"architecture":"amd64","os":"linux"}'
Certs = Callable[[str], Path]


async def works(registry: HttpRegistry, host: str) -> None:
    ref = parse_normalised(f"{host}/app:1")
    await push(registry, ref, None, CONFIG)
    assert (await registry.document(ref)).data == manifest_of(CONFIG)


async def refused(registry: HttpRegistry, host: str) -> str:
    ref = parse_normalised(f"{host}/app:1")
    with pytest.raises(RegistryFailure) as raised:
        await registry.document(ref)
    return str(raised.value)


async def test_an_unknown_authority_is_refused_until_it_is_in_certs_d(
    make: Make, tmp_path: Path, authority: Authority, certs: Certs
) -> None:
    async with real_registry(tmp_path / "r", tls=authority.issue("127.0.0.1")) as real:
        registry = make(trusting=False)
        assert await refused(registry, real.host) == (
            f'Get "https://{real.host}/v2/": tls: failed to verify certificate: x509: certificate signed by unknown authority'
        )
        (certs(real.host) / "ca.crt").write_bytes(authority.certificate.read_bytes())
        await works(registry, real.host)


async def test_containerds_spelling_of_the_directory(
    make: Make, tmp_path: Path, authority: Authority, certs: Certs
) -> None:
    async with real_registry(tmp_path / "r", tls=authority.issue("127.0.0.1")) as real:
        (certs(real.host.replace(":", "_") + "_") / "ca.crt").write_bytes(authority.certificate.read_bytes())
        await works(make(trusting=False), real.host)


async def test_an_insecure_registry_may_have_any_certificate(make: Make, tmp_path: Path, authority: Authority) -> None:
    async with real_registry(tmp_path / "r", tls=authority.issue("elsewhere.example")) as real:
        await works(make(), real.host)
        await works(make(trusting=False, insecure_registries=[real.host]), real.host)
        await works(make(insecure_registries=["127.0.0.0/8"]), real.host)


async def test_a_certificate_for_another_name(make: Make, tmp_path: Path, authority: Authority, certs: Certs) -> None:
    async with real_registry(tmp_path / "r", tls=authority.issue("elsewhere.example")) as real:
        (certs(real.host) / "ca.crt").write_bytes(authority.certificate.read_bytes())
        assert "x509: certificate is not valid for 127.0.0.1" in await refused(make(trusting=False), real.host)


async def test_an_expired_certificate(make: Make, tmp_path: Path, authority: Authority, certs: Certs) -> None:
    async with real_registry(tmp_path / "r", tls=authority.issue("127.0.0.1", days=-1)) as real:
        (certs(real.host) / "ca.crt").write_bytes(authority.certificate.read_bytes())
        words = await refused(make(trusting=False), real.host)
        assert "x509: certificate has expired or is not yet valid" in words


async def test_a_registry_that_speaks_no_tls(make: Make, tmp_path: Path) -> None:
    async with real_registry(tmp_path / "r") as real:
        words = await refused(make(trusting=False), real.host)
        assert words == f'Get "https://{real.host}/v2/": http: server gave HTTP response to HTTPS client'
        await works(make(trusting=False, insecure_registries=[real.host]), real.host)


async def test_a_registry_that_wants_certificates_of_its_clients(
    make: Make, tmp_path: Path, authority: Authority, certs: Certs
) -> None:
    clients = Authority(tmp_path / "clients", "clients")
    pair = clients.issue("someone", client=True)
    server = authority.issue("127.0.0.1")
    async with real_registry(tmp_path / "r", tls=server, client_ca=clients.certificate) as real:
        folder = certs(real.host)
        (folder / "ca.crt").write_bytes(authority.certificate.read_bytes())
        registry = make(trusting=False)
        assert re.search("tls: .*certificate", await refused(registry, real.host))
        (folder / "client.cert").write_bytes(pair.certificate.read_bytes())
        missing = (
            "missing key client.key for client certificate client.cert. CA certificates must use the extension .crt"
        )
        assert await refused(registry, real.host) == missing
        (folder / "client.key").write_bytes(pair.key.read_bytes())
        await works(registry, real.host)
        (folder / "client.cert").unlink()
        assert await refused(registry, real.host) == "missing client certificate client.cert for key client.key"


async def test_hosts_toml_names_the_files(make: Make, tmp_path: Path, authority: Authority, certs: Certs) -> None:
    clients = Authority(tmp_path / "clients", "clients")
    pair = clients.issue("someone", client=True)
    server = authority.issue("127.0.0.1")
    async with real_registry(tmp_path / "r", tls=server, client_ca=clients.certificate) as real:
        folder = certs("registry.example")
        (folder / "both.pem").write_bytes(pair.certificate.read_bytes() + pair.key.read_bytes())
        (folder / "hosts.toml").write_text(
            f'server = "https://{real.host}"\nca = "{authority.certificate}"\nclient = "both.pem"\n'
        )
        await works(make(trusting=False), "registry.example")


async def test_verification_may_be_turned_off_by_hosts_toml(
    make: Make, tmp_path: Path, authority: Authority, certs: Certs
) -> None:
    async with real_registry(tmp_path / "r", tls=authority.issue("elsewhere.example")) as real:
        (certs("registry.example") / "hosts.toml").write_text(f'server = "https://{real.host}"\nskip_verify = true\n')
        await works(make(trusting=False), "registry.example")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("ca.crt", "no certificate", "unable to load CA cert"),
        ("hosts.toml", "server = ", "cannot use .*/hosts.toml: invalid hosts.toml"),
        ("hosts.toml", 'ca = "absent.pem"', "unable to load CA cert .*absent.pem"),
        ("hosts.toml", 'client = "absent.pem"', "failed to load X509 key pair .*absent.pem"),
    ],
)
async def test_files_that_cannot_be_used_are_named(
    make: Make, certs: Certs, name: str, content: str, words: str
) -> None:
    (certs("registry.example") / name).write_text(content)
    assert re.search(words, await refused(make(), "registry.example"))


async def test_a_name_that_is_no_host(make: Make) -> None:
    with pytest.raises(InvalidParameter):
        await make().document(Reference("", "my_app.x/web", "1"))


async def test_nobody_listens(make: Make) -> None:
    words = await refused(make(), "127.0.0.1:1")
    assert words == 'Get "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused'


async def test_a_name_that_does_not_exist(make: Make) -> None:
    words = await refused(make(), "nowhere.invalid")
    assert words.startswith('Get "https://nowhere.invalid/v2/": dial tcp: lookup nowhere.invalid: ')
