"""Which hosts are asked for a registry's name."""

from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path

import pytest

from wharfd.drivers.registry import endpoints
from wharfd.drivers.registry.endpoints import Endpoint, Endpoints
from wharfd.model.errors import RegistryFailure
from wharfd.wire.registryhosts import Address, parse_insecure, parse_mirrors


@pytest.fixture(autouse=True)
def no_names(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"localhost": "127.0.0.1", "inside.example": "10.1.2.3", "outside.example": "192.0.2.1"}

    async def looked_up(name: str) -> list[Address]:
        return [ip_address(known[name])] if name in known else []

    monkeypatch.setattr(endpoints, "addresses_of", looked_up)


def made(root: Path, *, mirrors: Sequence[str] = (), insecure: Sequence[str] = ()) -> Endpoints:
    return Endpoints([str(root / "first"), str(root / "second")], parse_mirrors(mirrors), parse_insecure(insecure))


def write(root: Path, name: str, text: str = "") -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def urls(found: Sequence[Endpoint]) -> list[str]:
    return [
        f"{one.url}{'' if one.tls.verify else ' unverified'}{' fallback' if one.is_fallback else ''}" for one in found
    ]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("docker.io", ["https://registry-1.docker.io/v2"]),
        ("outside.example", ["https://outside.example/v2"]),
        ("unknown.example:5000", ["https://unknown.example:5000/v2"]),
        ("192.0.2.1:5000", ["https://192.0.2.1:5000/v2"]),
        ("localhost:5000", ["https://localhost:5000/v2 unverified", "http://localhost:5000/v2 fallback"]),
        ("127.0.0.1:5000", ["https://127.0.0.1:5000/v2 unverified", "http://127.0.0.1:5000/v2 fallback"]),
        ("[::1]:5000", ["https://[::1]:5000/v2 unverified", "http://[::1]:5000/v2 fallback"]),
    ],
)
async def test_without_settings(tmp_path: Path, name: str, found: list[str]) -> None:
    assert urls(await made(tmp_path).of(name)) == found


async def test_insecure_registries_by_name_and_by_network(tmp_path: Path) -> None:
    all_of = made(tmp_path, insecure=["plain.example:5000", "10.0.0.0/8"])
    assert len(await all_of.of("plain.example:5000")) == 2
    assert len(await all_of.of("inside.example")) == 2
    assert len(await all_of.of("plain.example")) == 1
    assert len(await all_of.of("docker.io")) == 1


async def test_mirrors_of_the_hub_come_first_and_are_not_written(tmp_path: Path) -> None:
    found = await made(tmp_path, mirrors=["https://m.example", "http://n.example/x"]).of("docker.io")
    assert urls(found) == ["https://m.example/v2", "http://n.example/x/v2", "https://registry-1.docker.io/v2"]
    assert [one.is_own for one in found] == [False, False, True]
    assert ["push" in one.capabilities for one in found] == [False, False, True]
    assert urls(await made(tmp_path, mirrors=["https://m.example"]).of("other.example")) == ["https://other.example/v2"]


async def test_a_hosts_file_decides_alone(tmp_path: Path) -> None:
    write(tmp_path, "second/docker.io/hosts.toml", 'server = "https://docker.io"\n[host."https://h.example"]\n')
    found = await made(tmp_path, mirrors=["https://m.example"]).of("docker.io")
    assert urls(found) == ["https://h.example/v2", "https://registry-1.docker.io/v2"]
    assert [(one.is_own, one.announces_name) for one in found] == [(False, True), (True, False)]


async def test_a_hosts_file_without_server_ends_with_the_host_itself(tmp_path: Path) -> None:
    write(tmp_path, "first/localhost_5000_/hosts.toml", '[host."https://h.example"]\n')
    found = await made(tmp_path).of("localhost:5000")
    assert [one.url for one in found] == [
        "https://h.example/v2",
        "https://localhost:5000/v2",
        "http://localhost:5000/v2",
    ]


async def test_an_empty_hosts_file_is_none(tmp_path: Path) -> None:
    write(tmp_path, "first/a.example/hosts.toml", "\n")
    write(tmp_path, "first/a.example/ca.crt")
    found = await made(tmp_path).of("a.example")
    assert [one.tls.ca for one in found] == [(f"{tmp_path}/first/a.example/ca.crt",)]


async def test_the_first_directory_with_the_host_counts_and_the_default_comes_last(tmp_path: Path) -> None:
    write(tmp_path, "first/_default/hosts.toml", 'server = "https://default.example"\n')
    write(tmp_path, "second/a.example/hosts.toml", 'server = "https://second.example"\n')
    all_of = made(tmp_path)
    assert urls(await all_of.of("a.example")) == ["https://second.example/v2"]
    assert urls(await all_of.of("b.example")) == ["https://default.example/v2"]
    write(tmp_path, "first/a.example/hosts.toml", 'server = "https://first.example"\n')
    assert urls(await all_of.of("a.example")) == ["https://first.example/v2"]


async def test_a_change_of_the_files_needs_no_restart(tmp_path: Path) -> None:
    all_of = made(tmp_path)
    assert (await all_of.of("a.example"))[0].tls.ca == ()
    write(tmp_path, "first/a.example/x.crt")
    assert (await all_of.of("a.example"))[0].tls.ca == (f"{tmp_path}/first/a.example/x.crt",)


async def test_clients_need_both_halves(tmp_path: Path) -> None:
    write(tmp_path, "first/a.example/client.cert")
    with pytest.raises(RegistryFailure, match=r"missing key client\.key for client certificate client\.cert"):
        await made(tmp_path).of("a.example")
    write(tmp_path, "first/a.example/client.key")
    folder = f"{tmp_path}/first/a.example"
    assert (await made(tmp_path).of("a.example"))[0].tls.client == ((f"{folder}/client.cert", f"{folder}/client.key"),)


@pytest.mark.parametrize("host", ["..", ".", "../x", "a/../../b", "", "_default", "-x", "a\0b"])
def test_a_redirect_leads_to_no_directory_outside(tmp_path: Path, host: str) -> None:
    write(tmp_path, "ca.crt")
    write(tmp_path, "first/_default/ca.crt")
    assert made(tmp_path).tls_of(host).ca == ()


async def test_a_lookup_is_kept_for_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    async def looked_up(name: str) -> list[Address]:
        asked.append(name)
        return []

    monkeypatch.setattr(endpoints, "addresses_of", looked_up)
    all_of = made(tmp_path)
    for _ in range(3):
        await all_of.of("a.example")
    assert asked == ["a.example"]
