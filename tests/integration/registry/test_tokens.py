"""Token authentication, with docker-registry as the one who checks the tokens."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.registry.conftest import Make
from tests.registries.daemon import PASSWORD, USER, RealRegistry, real_registry
from tests.registries.faults import Fault, fault_proxy
from tests.registries.images import described, fetched, manifest_of, noise, push, source
from tests.registries.tokens import TokenServer, token_server
from wharfd.model.errors import Forbidden, PullDenied, RegistryFailure, Unauthorized
from wharfd.ports.registry import Mounted
from wharfd.wire.authconfig import AuthConfig
from wharfd.wire.oci import digest_of
from wharfd.wire.reference import Reference, parse_normalised

CONFIG, LAYER = b'{"architecture":"amd64","os":"linux"}', noise(200_000)
LOGIN = AuthConfig(username=USER, password=PASSWORD)
WRONG = AuthConfig(username=USER, password="wrong")


@dataclass
class Rig:
    tokens: TokenServer
    real: RealRegistry

    def ref(self, name: str) -> Reference:
        return parse_normalised(f"{self.real.host}/{name}")


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with token_server(tmp_path / "tokens", {USER: PASSWORD}) as tokens:
        async with real_registry(tmp_path / "r", token=tokens.settings) as real:
            yield Rig(tokens, real)


async def test_everybody_reads_what_is_public(make: Make, rig: Rig) -> None:
    registry = make()
    await push(registry, rig.ref("public/app:1"), LOGIN, CONFIG, LAYER)
    assert (await registry.document(rig.ref("public/app:1"))).data == manifest_of(CONFIG, LAYER)
    assert await fetched(registry, rig.ref("public/app"), described(LAYER)) == LAYER
    assert list(await registry.tags(rig.ref("public/app"))) == ["1"]


async def test_what_is_private_is_denied_as_if_it_were_not_there(make: Make, rig: Rig) -> None:
    registry = make()
    await push(registry, rig.ref("private/app:1"), LOGIN, CONFIG, LAYER)
    for name in ("private/app:1", "private/nothing:1"):
        for call in (registry.document, registry.resolve):
            with pytest.raises(PullDenied) as raised:
                await call(rig.ref(name))
            assert str(raised.value) == (
                f"pull access denied for {rig.real.host}/{name.removesuffix(':1')}, repository does not exist or may require "
                "'docker login': denied: requested access to the resource is denied"
            )
    rig.tokens.asked.clear()
    with pytest.raises(PullDenied):
        await registry.resolve(rig.ref("private/app:1"))
    assert len(rig.tokens.asked) == 1
    with pytest.raises(PullDenied):
        await fetched(registry, rig.ref("private/app"), described(LAYER))
    assert (await registry.document(rig.ref("private/app:1"), LOGIN)).data == manifest_of(CONFIG, LAYER)


async def test_nobody_writes_without_a_login(make: Make, rig: Rig) -> None:
    with pytest.raises(Forbidden) as raised:
        await make().upload_blob(rig.ref("public/app"), described(LAYER), source(LAYER))
    assert str(raised.value) == "denied: requested access to the resource is denied"


async def test_a_wrong_password_is_told_by_the_token_server(make: Make, rig: Rig) -> None:
    registry = make()
    with pytest.raises(Unauthorized) as raised:
        await registry.resolve(rig.ref("public/app:1"), WRONG)
    assert str(raised.value) == (
        f'Head "{rig.real.url}/v2/public/app/manifests/1": unauthorized: incorrect username or password'
    )
    assert len(rig.tokens.asked) == 1, "a wrong password is sent once"


async def test_a_token_is_fetched_once_for_many(make: Make, rig: Rig) -> None:
    registry = make()
    await push(registry, rig.ref("public/app:1"), LOGIN, CONFIG, LAYER)
    rig.tokens.asked.clear()
    other = make()
    async with asyncio.TaskGroup() as group:
        for _ in range(10):
            group.create_task(fetched(other, rig.ref("public/app"), described(LAYER)))
    assert len(rig.tokens.asked) == 1
    await other.document(rig.ref("public/app:1"))
    assert len(rig.tokens.asked) == 1


async def test_tokens_are_not_shared_between_logins(make: Make, rig: Rig) -> None:
    registry = make()
    await push(registry, rig.ref("private/app:1"), LOGIN, CONFIG)
    assert (await registry.document(rig.ref("private/app:1"), LOGIN)).data == manifest_of(CONFIG)
    with pytest.raises(PullDenied):
        await registry.document(rig.ref("private/app:1"))
    with pytest.raises(Unauthorized):
        await registry.document(rig.ref("private/app:1"), WRONG)


async def test_a_token_that_has_ended_is_replaced(make: Make, rig: Rig) -> None:
    registry = make()
    await push(registry, rig.ref("public/app:1"), LOGIN, CONFIG)
    rig.tokens.asked.clear()
    for key, (token, until) in registry.authority.tokens.items():
        registry.authority.tokens[key] = (token[:-8] + "AAAAAAAA", until)
    assert (await registry.document(rig.ref("public/app:1"), LOGIN)).data == manifest_of(CONFIG)
    assert len(rig.tokens.asked) == 1


async def test_a_token_ends_in_the_middle_of_a_download(make: Make, rig: Rig, tmp_path: Path) -> None:
    async with fault_proxy(rig.real.url) as proxy:
        ref = parse_normalised(f"{proxy.host}/public/app:1")
        registry = make()
        await registry.upload_blob(ref, described(LAYER), source(LAYER), LOGIN)
        proxy.next(Fault(match="/blobs/", cut_after=100_000))
        challenge = f'Bearer realm="{rig.tokens.realm}",service="tests-registry",error="invalid_token"'
        proxy.next(Fault(match="/blobs/", status=401, headers={"WWW-Authenticate": challenge}))
        assert await fetched(registry, ref, described(LAYER)) == LAYER


async def test_a_login_gives_an_identity_token_that_stands_for_it(make: Make, rig: Rig) -> None:
    registry = make()
    login = AuthConfig(username=USER, password=PASSWORD, serveraddress=rig.real.host)
    status = await registry.check_login(login)
    assert (status.status, status.identity_token) == ("Login Succeeded", f"identity-of-{USER}")
    with_token = AuthConfig(identitytoken=status.identity_token, serveraddress=rig.real.host)
    await push(registry, rig.ref("private/app:1"), with_token, CONFIG)
    assert (await registry.document(rig.ref("private/app:1"), with_token)).data == manifest_of(CONFIG)
    assert ("POST", USER, ["repository:private/app:pull,push"]) in rig.tokens.asked
    with pytest.raises(Unauthorized, match="unauthorized: incorrect username or password"):
        await registry.document(rig.ref("private/app:1"), AuthConfig(identitytoken="stale"))


async def test_a_refused_login(make: Make, rig: Rig) -> None:
    login = AuthConfig(username=USER, password="wrong", serveraddress=f"https://{rig.real.host}/v2/")
    with pytest.raises(Unauthorized) as raised:
        await make().check_login(login)
    assert str(raised.value) == f'Get "{rig.real.url}/v2/": unauthorized: incorrect username or password'


async def test_a_registry_token_is_passed_on_as_it_is(make: Make, rig: Rig) -> None:
    registry = make()
    await push(registry, rig.ref("private/app:1"), LOGIN, CONFIG)
    token = rig.tokens.token(USER, ["repository:private/app:pull"])
    rig.tokens.asked.clear()
    found = await registry.document(rig.ref("private/app:1"), AuthConfig(registrytoken=token))
    assert (found.data, rig.tokens.asked) == (manifest_of(CONFIG), [])


async def test_a_token_server_that_fails_is_asked_again(make: Make, rig: Rig) -> None:
    registry = make()
    await push(registry, rig.ref("public/app:1"), LOGIN, CONFIG)
    rig.tokens.fail_next += [503, 500]
    assert (await registry.document(rig.ref("public/app:1"))).data == manifest_of(CONFIG)
    rig.tokens.fail_next += [500] * 9
    with pytest.raises(RegistryFailure, match="received unexpected HTTP status: 500 Internal Server Error"):
        await make().document(rig.ref("public/app:1"))


async def test_a_mount_asks_for_both_repositories(make: Make, rig: Rig) -> None:
    registry = make()
    await registry.upload_blob(rig.ref("private/from"), described(LAYER), source(LAYER), LOGIN)
    found = await registry.mount_blob(rig.ref("public/to"), digest_of(LAYER), rig.ref("private/from"), LOGIN)
    assert found is Mounted.MOUNTED
    assert rig.tokens.asked[-1][2] == ["repository:public/to:pull,push", "repository:private/from:pull"]
