"""Bad lines and bad days: what is cut, late, refused or lost between the engine and a real registry."""

import asyncio
import hashlib
from collections.abc import AsyncIterator

import pytest

from tests.integration.registry.conftest import Make
from tests.registries.daemon import RealRegistry
from tests.registries.faults import Fault, FaultProxy, fault_proxy
from tests.registries.images import described, fetched, manifest_of, noise, push, source
from wharfd.model.errors import InvalidParameter, RegistryFailure, TooManyRequests, Unauthorized
from wharfd.ports.registry import Retry
from wharfd.wire.oci import digest_of
from wharfd.wire.oci.media_types import OCI_MANIFEST
from wharfd.wire.reference import Reference, parse_normalised

BLOB = noise(1_000_000)
CONFIG = b'{"architecture":"amd64","os":"linux"}'
LIMIT = b'{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit."}]}'


@pytest.fixture
async def proxy(plain: RealRegistry) -> AsyncIterator[FaultProxy]:
    async with fault_proxy(plain.url) as proxy:
        yield proxy


def app(proxy: FaultProxy, name: str = "app:1") -> Reference:
    return parse_normalised(f"{proxy.host}/{name}")


def ranges(proxy: FaultProxy) -> list[str]:
    """Of the downloads so far."""
    return [
        headers.get("Range", "") for method, path, headers in proxy.seen if method == "GET" and "/blobs/sha256" in path
    ]


@pytest.mark.parametrize("tenth", range(10))
async def test_a_download_goes_on_where_it_was_cut(make: Make, proxy: FaultProxy, tenth: int) -> None:
    registry = make()
    await registry.upload_blob(app(proxy), described(BLOB), source(BLOB))
    at = len(BLOB) * tenth // 10
    proxy.next(Fault(match="/blobs/sha256", cut_after=at))
    told: list[Retry] = []
    pieces = [piece async for piece in registry.blob(app(proxy), described(BLOB), on_retry=told.append)]
    assert hashlib.sha256(b"".join(pieces)).hexdigest() == hashlib.sha256(BLOB).hexdigest()
    assert ranges(proxy) == ["", f"bytes={told[0].offset}-" if told[0].offset else ""]
    assert 0 <= told[0].offset <= at
    assert (told[0].attempt, "EOF" in told[0].reason) == (2, True)


async def test_tries_are_counted_anew_when_bytes_come(make: Make, proxy: FaultProxy) -> None:
    registry = make(max_download_attempts=2)
    await registry.upload_blob(app(proxy), described(BLOB), source(BLOB))
    proxy.next(Fault(match="/blobs/sha256", cut_after=100_000), times=8)
    assert await fetched(registry, app(proxy), described(BLOB)) == BLOB


async def test_a_registry_that_gives_nothing_is_left(make: Make, proxy: FaultProxy) -> None:
    registry = make(max_download_attempts=3)
    await registry.upload_blob(app(proxy), described(BLOB), source(BLOB))
    proxy.next(Fault(match="/blobs/sha256", drop=True), times=9)
    with pytest.raises(RegistryFailure, match=f'Get "{proxy.url}/v2/app/blobs/{digest_of(BLOB)}": EOF'):
        await fetched(registry, app(proxy), described(BLOB))
    # The library makes a request again at once when a kept connection turns out to be closed.
    assert 3 <= len(ranges(proxy)) <= 6


async def test_silence_is_taken_for_a_cut(make: Make, proxy: FaultProxy) -> None:
    registry = make(silence_s=0.2)
    await registry.upload_blob(app(proxy), described(BLOB), source(BLOB))
    proxy.next(Fault(match="/blobs/sha256", delay_s=20))
    assert await fetched(registry, app(proxy), described(BLOB)) == BLOB
    assert len(ranges(proxy)) == 2


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 408])
async def test_passing_refusals_are_waited_out(make: Make, proxy: FaultProxy, status: int) -> None:
    registry = make()
    descriptor, document = await push(registry, app(proxy), None, CONFIG, BLOB)
    for match in ("/manifests/", "/blobs/sha256"):
        proxy.next(Fault(match=match, status=status), times=2)
    assert (await registry.document(app(proxy))).data == document
    assert await fetched(registry, app(proxy), described(BLOB)) == BLOB
    assert not proxy.faults
    assert descriptor.digest == digest_of(document)


async def test_a_rate_limit_is_passed_on_in_words(make: Make, proxy: FaultProxy) -> None:
    registry = make()
    await push(registry, app(proxy), None, CONFIG)
    for method in ("HEAD", "GET"):
        proxy.next(Fault(method=method, match="/manifests/", status=429, body=LIMIT), times=9)
    for call in (registry.document, registry.resolve):
        with pytest.raises(TooManyRequests) as raised:
            await call(app(proxy))
        assert str(raised.value) == "toomanyrequests: You have reached your pull rate limit."


async def test_a_registry_that_wants_long_waits_is_not_waited_for(make: Make, proxy: FaultProxy) -> None:
    registry = make()
    await push(registry, app(proxy), None, CONFIG)
    proxy.next(Fault(match="/manifests/", status=429, body=LIMIT, headers={"Retry-After": "3600"}))
    with pytest.raises(TooManyRequests):
        await registry.document(app(proxy))
    assert (await registry.document(app(proxy))).data == manifest_of(CONFIG)


async def test_a_refusal_in_the_middle_of_a_download(make: Make, proxy: FaultProxy) -> None:
    registry = make()
    await registry.upload_blob(app(proxy), described(BLOB), source(BLOB))
    for status in (500, 429, 503):
        proxy.faults.clear()
        proxy.next(Fault(match="/blobs/sha256", cut_after=300_000))
        proxy.next(Fault(match="/blobs/sha256", status=status))
        assert await fetched(registry, app(proxy), described(BLOB)) == BLOB
    proxy.next(Fault(match="/blobs/sha256", cut_after=300_000))
    proxy.next(Fault(match="/blobs/sha256", status=401), times=2)
    with pytest.raises(Unauthorized, match="unauthorized: authentication required"):
        await fetched(registry, app(proxy), described(BLOB))


async def test_a_corrupted_manifest_is_refused(make: Make, proxy: FaultProxy) -> None:
    registry = make()
    descriptor, _ = await push(registry, app(proxy), None, CONFIG)
    for ref in (app(proxy), app(proxy).with_digest(descriptor.digest)):
        proxy.next(Fault(match="/manifests/", corrupt_at=20))
        with pytest.raises(InvalidParameter, match=f"manifest verification failed for digest {descriptor.digest}"):
            await registry.document(ref)


async def test_a_truncated_manifest_is_asked_for_again(make: Make, proxy: FaultProxy) -> None:
    registry = make()
    _, document = await push(registry, app(proxy), None, CONFIG)
    proxy.next(Fault(match="/manifests/", cut_after=20))
    assert (await registry.document(app(proxy))).data == document


async def test_bytes_come_as_the_registry_gives_them(make: Make, proxy: FaultProxy) -> None:
    """Hashing is the caller's."""
    registry = make()
    await registry.upload_blob(app(proxy), described(BLOB), source(BLOB))
    proxy.next(Fault(match="/blobs/sha256", corrupt_at=500_000))
    found = await fetched(registry, app(proxy), described(BLOB))
    assert len(found) == len(BLOB)
    assert [i for i in range(len(BLOB)) if BLOB[i] != found[i]] == [500_000]


async def test_a_cancelled_download_ends_at_once(make: Make, proxy: FaultProxy) -> None:
    registry = make()
    await registry.upload_blob(app(proxy), described(BLOB), source(BLOB))
    proxy.next(Fault(match="/blobs/sha256", delay_s=20))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await fetched(registry, app(proxy), described(BLOB))
    assert await fetched(registry, app(proxy), described(BLOB)) == BLOB


# Uploads.  A blob of 10 MB is more than goes with one request.

BIG = noise(10_000_000, 3)


async def kept(plain: RealRegistry, make: Make, name: str = "app") -> bytes:
    """The blob as the registry itself has it."""
    return await fetched(make(), parse_normalised(f"{plain.host}/{name}"), described(BIG))


@pytest.mark.parametrize("taken", [1, 1_000_000, 5_000_000, 9_999_999])
async def test_an_upload_that_is_cut_is_made_whole(
    make: Make, proxy: FaultProxy, plain: RealRegistry, taken: int
) -> None:
    """docker-registry cannot go on from the middle of a request: its addresses hold the offset at which it began."""
    proxy.next(Fault(method="PATCH", take_only=taken))
    told: list[Retry] = []
    await make().upload_blob(app(proxy), described(BIG), source(BIG), on_retry=told.append)
    assert await kept(plain, make) == BIG
    assert len(told) == 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault(method="POST", drop=True),
        Fault(method="POST", status=503),
        Fault(method="PATCH", drop=True),
        Fault(method="PATCH", status=500),
        Fault(method="PATCH", status=429),
        Fault(method="PATCH", lose_answer=True),
        Fault(method="PUT", drop=True),
        Fault(method="PUT", status=502),
        Fault(method="PUT", lose_answer=True),
    ],
    ids=lambda fault: f"{fault.method}-{fault.status or ('lost' if fault.lose_answer else 'dropped')}",
)
@pytest.mark.parametrize("size", [100_000, 10_000_000])
async def test_an_upload_survives(make: Make, proxy: FaultProxy, plain: RealRegistry, fault: Fault, size: int) -> None:
    data = BIG[:size]
    proxy.next(fault)
    await make().upload_blob(app(proxy), described(data), source(data))
    there = parse_normalised(f"{plain.host}/app")
    assert await fetched(make(), there, described(data)) == data


async def test_too_long_a_request_is_sent_in_chunks(make: Make, proxy: FaultProxy, plain: RealRegistry) -> None:
    data = noise(40_000_000, 4)
    proxy.next(Fault(method="PATCH", status=413))
    await make().upload_blob(app(proxy), described(data), source(data, 1 << 20))
    chunks = [
        headers["Content-Range"]
        for method, _, headers in proxy.seen
        if method == "PATCH" and "Content-Range" in headers
    ]
    assert chunks == ["0-16777215", "16777216-33554431", "33554432-39999999"]
    there = parse_normalised(f"{plain.host}/app")
    assert await fetched(make(), there, described(data)) == data


async def test_a_chunk_that_is_too_long_still_is_an_error(make: Make, proxy: FaultProxy) -> None:
    data = noise(20_000_000, 4)
    proxy.next(Fault(method="PATCH", status=413), times=9)
    with pytest.raises(RegistryFailure, match="413"):
        await make().upload_blob(app(proxy), described(data), source(data, 1 << 20))
    assert [method for method, *_ in proxy.seen].count("DELETE") == 2


@pytest.mark.parametrize(
    "fault", [Fault(method="PUT", drop=True), Fault(method="PUT", status=500), Fault(method="PUT", lose_answer=True)]
)
async def test_a_manifest_is_put_again(make: Make, proxy: FaultProxy, fault: Fault) -> None:
    registry = make()
    await push(registry, app(proxy), None, CONFIG)
    proxy.next(fault)
    digest = await registry.put_document(app(proxy, "app:2"), manifest_of(CONFIG), OCI_MANIFEST)
    assert (await registry.resolve(app(proxy, "app:2"))).digest == digest


async def test_a_mount_that_is_refused_leaves_no_upload_behind(
    make: Make, proxy: FaultProxy, plain: RealRegistry
) -> None:
    registry = make()
    await registry.mount_blob(app(proxy), digest_of(b"none"), app(proxy, "other"))
    uploads = plain.storage / "docker/registry/v2/repositories/app/_uploads"
    assert list(uploads.glob("*/startedat")) == []
    assert [method for method, *_ in proxy.seen] == ["POST", "DELETE"]
