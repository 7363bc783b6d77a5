"""What the port `registry` promises, held against every implementation."""

from contextlib import aclosing

import msgspec
import pytest

from tests.contract.registry.conftest import Rig
from tests.registries.images import described, fetched, index_of, manifest_of, noise, push, source
from wharfd.model.errors import (
    Forbidden,
    InvalidParameter,
    ManifestNotFound,
    NotFound,
    PullDenied,
    RegistryFailure,
    RepositoryNotFound,
    Unauthorized,
)
from wharfd.ports.registry import MAX_MANIFEST, Mounted
from wharfd.wire.authconfig import AuthConfig
from wharfd.wire.oci import digest_of
from wharfd.wire.oci.media_types import DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST

CONFIG, LAYER = b'{"architecture":"amd64","os":"linux"}', noise(300_000)
REFUSALS = (PullDenied, Unauthorized, Forbidden, RegistryFailure)


async def test_what_was_pushed_is_found_by_tag_and_by_digest(rig: Rig) -> None:
    ref = rig.ref("some/app:1")
    descriptor, document = await push(rig.registry, ref, rig.login, CONFIG, LAYER)
    assert descriptor.digest == digest_of(document)
    for asked in (ref, ref.with_digest(descriptor.digest)):
        assert await rig.registry.resolve(asked, rig.login) == descriptor
        found = await rig.registry.document(asked, rig.login)
        assert (found.descriptor, found.data) == (descriptor, document)
    assert await fetched(rig.registry, ref, described(LAYER), rig.login) == LAYER
    assert await fetched(rig.registry, ref, described(CONFIG), rig.login) == CONFIG


async def test_the_digest_counts_where_a_reference_has_both(rig: Rig) -> None:
    old, _ = await push(rig.registry, rig.ref("app:1"), rig.login, CONFIG, b"old")
    await push(rig.registry, rig.ref("app:1"), rig.login, CONFIG, b"new")
    ref = rig.ref(f"app:1@{old.digest}")
    assert (await rig.registry.document(ref, rig.login)).descriptor == old


async def test_an_index_is_kept_as_it_is(rig: Rig) -> None:
    ref = rig.ref("multi:1")
    parts = [(await push(rig.registry, ref.name_only(), rig.login, CONFIG, layer))[1] for layer in (b"one", b"two")]
    index = index_of(*parts)
    digest = await rig.registry.put_document(ref, index, OCI_INDEX, rig.login)
    found = await rig.registry.document(ref, rig.login)
    assert (found.descriptor.media_type, found.descriptor.digest, found.data) == (OCI_INDEX, digest, index)


async def test_one_media_type_may_be_asked_for_alone(rig: Rig) -> None:
    ref = rig.ref("app:1")
    await push(rig.registry, ref, rig.login, CONFIG)
    assert (await rig.registry.document(ref, rig.login, media_type=OCI_MANIFEST)).descriptor.media_type == OCI_MANIFEST
    with pytest.raises(ManifestNotFound):
        await rig.registry.document(ref, rig.login, media_type=DOCKER_MANIFEST)


@pytest.mark.parametrize("offset", [0, 1, 100_000, len(LAYER) - 1, len(LAYER)])
async def test_a_blob_from_any_byte_on(rig: Rig, offset: int) -> None:
    ref = rig.ref("app:1")
    await rig.registry.upload_blob(ref, described(LAYER), source(LAYER), rig.login)
    pieces = [piece async for piece in rig.registry.blob(ref, described(LAYER), rig.login, offset=offset)]
    assert b"".join(pieces) == LAYER[offset:]
    assert all(0 < len(piece) <= 1 << 20 for piece in pieces)


async def test_a_download_may_be_left_early(rig: Rig) -> None:
    ref = rig.ref("app:1")
    await rig.registry.upload_blob(ref, described(LAYER), source(LAYER), rig.login)
    async with aclosing(rig.registry.blob(ref, described(LAYER), rig.login)) as pieces:  # type: ignore[type-var]
        async for _ in pieces:
            break
    assert await fetched(rig.registry, ref, described(LAYER), rig.login) == LAYER


@pytest.mark.parametrize("difference", [-1, 1, 100_000])
async def test_a_size_that_is_not_the_blobs_is_told(rig: Rig, difference: int) -> None:
    ref = rig.ref("app:1")
    await rig.registry.upload_blob(ref, described(LAYER), source(LAYER), rig.login)
    wrong = msgspec.structs.replace(described(LAYER), size=len(LAYER) + difference)
    with pytest.raises(InvalidParameter):
        await fetched(rig.registry, ref, wrong, rig.login)


async def test_what_is_not_there(rig: Rig) -> None:
    await push(rig.registry, rig.ref("app:1"), rig.login, CONFIG)
    missing = rig.ref("app:2")
    words = f"manifest for {missing.familiar()} not found: manifest unknown: manifest unknown"
    for call in (rig.registry.resolve, rig.registry.document):
        with pytest.raises(ManifestNotFound) as raised:
            await call(missing, rig.login)
        assert str(raised.value) == words
    with pytest.raises(NotFound):
        await fetched(rig.registry, rig.ref("app:1"), described(b"nowhere"), rig.login)
    with pytest.raises(RepositoryNotFound) as unknown:
        await rig.registry.tags(rig.ref("nothing"), rig.login)
    assert str(unknown.value).startswith(f"repository {rig.host}/nothing not found: name unknown: ")
    assert not await rig.registry.has_blob(rig.ref("nothing"), digest_of(b"x"), rig.login)


async def test_tags(rig: Rig) -> None:
    for tag in ("b", "a", "1.0"):
        await push(rig.registry, rig.ref(f"app:{tag}"), rig.login, CONFIG)
    assert sorted(await rig.registry.tags(rig.ref("app"), rig.login)) == ["1.0", "a", "b"]


@pytest.mark.parametrize("login", [None, AuthConfig(username="tester", password="wrong")])
async def test_without_a_good_login_nothing_is_done(rig: Rig, login: AuthConfig | None) -> None:
    ref = rig.ref("app:1")
    await push(rig.registry, ref, rig.login, CONFIG, LAYER)
    with pytest.raises(REFUSALS):
        await rig.registry.resolve(ref, login)
    with pytest.raises(REFUSALS):
        await rig.registry.document(ref, login)
    with pytest.raises(REFUSALS):
        await fetched(rig.registry, ref, described(LAYER), login)
    with pytest.raises(REFUSALS):
        await rig.registry.tags(ref, login)
    with pytest.raises(REFUSALS):
        await rig.registry.has_blob(ref, digest_of(LAYER), login)
    with pytest.raises(REFUSALS):
        await rig.registry.upload_blob(ref, described(b"new"), source(b"new"), login)
    with pytest.raises(REFUSALS):
        await rig.registry.put_document(rig.ref("app:2"), manifest_of(CONFIG), OCI_MANIFEST, login)
    assert not await rig.registry.has_blob(ref, digest_of(b"new"), rig.login)


async def test_a_login_is_checked(rig: Rig) -> None:
    assert (await rig.registry.check_login(rig.login)).status == "Login Succeeded"
    with pytest.raises(Unauthorized):
        await rig.registry.check_login(msgspec.structs.replace(rig.login, password="wrong"))


async def test_blobs_are_mounted_from_another_repository(rig: Rig) -> None:
    await rig.registry.upload_blob(rig.ref("from/here"), described(LAYER), source(LAYER), rig.login)
    there = rig.ref("to/there")
    assert not await rig.registry.has_blob(there, digest_of(LAYER), rig.login)
    found = await rig.registry.mount_blob(there, digest_of(LAYER), rig.ref("from/here"), rig.login)
    assert found is Mounted.MOUNTED
    assert await rig.registry.has_blob(there, digest_of(LAYER), rig.login)
    for source_name in ("from/nowhere", "from/here"):
        ref = rig.ref(source_name)
        assert await rig.registry.mount_blob(there, digest_of(b"no"), ref, rig.login) is Mounted.REFUSED


@pytest.mark.parametrize("size", [0, 1, 70_000, 5_000_000])
async def test_blobs_of_any_size_are_uploaded(rig: Rig, size: int) -> None:
    ref, data, sent = rig.ref("app"), noise(size, 7), [0]
    await rig.registry.upload_blob(ref, described(data), source(data), rig.login, on_sent=sent.append)
    assert sent == sorted(sent)
    assert sent[-1] == size
    assert await rig.registry.has_blob(ref, digest_of(data), rig.login)
    await rig.registry.upload_blob(ref, described(data), source(data), rig.login)
    assert await fetched(rig.registry, ref, described(data), rig.login) == data


@pytest.mark.parametrize(
    "given", [LAYER[:-1], LAYER + b"x", LAYER[:-1] + b"x", b""], ids=["less", "more", "other", "none"]
)
async def test_what_is_not_as_described_is_not_uploaded(rig: Rig, given: bytes) -> None:
    ref = rig.ref("app")
    with pytest.raises(InvalidParameter):
        await rig.registry.upload_blob(ref, described(LAYER), source(given), rig.login)
    assert not await rig.registry.has_blob(ref, digest_of(LAYER), rig.login)


async def test_an_error_of_the_source_is_passed_on(rig: Rig) -> None:
    async def failing(offset: int):  # type: ignore[no-untyped-def]
        yield LAYER[offset:1000]
        raise LookupError("the layer is gone")

    with pytest.raises(LookupError, match="the layer is gone"):
        await rig.registry.upload_blob(rig.ref("app"), described(LAYER), failing, rig.login)


async def test_a_manifest_comes_after_its_blobs(rig: Rig) -> None:
    with pytest.raises(InvalidParameter):
        await rig.registry.put_document(rig.ref("app:1"), manifest_of(CONFIG, LAYER), OCI_MANIFEST, rig.login)
    with pytest.raises(ManifestNotFound):
        await rig.registry.resolve(rig.ref("app:1"), rig.login)


async def test_a_manifest_under_a_wrong_digest_is_refused(rig: Rig) -> None:
    await push(rig.registry, rig.ref("app:1"), rig.login, CONFIG)
    wrong = rig.ref(f"app@{digest_of(b'other')}")
    with pytest.raises(InvalidParameter):
        await rig.registry.put_document(wrong, manifest_of(CONFIG), OCI_MANIFEST, rig.login)


async def test_a_manifest_may_be_stored_by_digest_alone(rig: Rig) -> None:
    await push(rig.registry, rig.ref("app:1"), rig.login, CONFIG)
    document = manifest_of(CONFIG)
    ref = rig.ref(f"app@{digest_of(document)}")
    assert await rig.registry.put_document(ref, document, OCI_MANIFEST, rig.login) == digest_of(document)
    assert (await rig.registry.document(ref, rig.login)).data == document
    assert list(await rig.registry.tags(rig.ref("app"), rig.login)) == ["1"]


async def test_manifests_have_a_largest_size(rig: Rig) -> None:
    await push(rig.registry, rig.ref("app:1"), rig.login, CONFIG)
    with pytest.raises(InvalidParameter):
        await rig.registry.put_document(rig.ref("app:2"), b" " * (MAX_MANIFEST + 1), OCI_MANIFEST, rig.login)


async def test_nobody_refers_to_it(rig: Rig) -> None:
    descriptor, _ = await push(rig.registry, rig.ref("app:1"), rig.login, CONFIG)
    assert list(await rig.registry.referrers(rig.ref("app"), descriptor.digest, rig.login)) == []


async def test_it_works_after_it_was_closed(rig: Rig) -> None:
    ref = rig.ref("app:1")
    await push(rig.registry, ref, rig.login, CONFIG)
    await rig.registry.close()
    await rig.registry.close()
    assert (await rig.registry.document(ref, rig.login)).data == manifest_of(CONFIG)
