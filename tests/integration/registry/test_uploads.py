"""Uploads to a registry that keeps what a cut request has brought, as the OCI distribution spec has it."""

from collections.abc import AsyncIterator

import pytest

from tests.integration.registry.conftest import Make
from tests.registries.images import described, noise, source
from tests.registries.servers import serving
from tests.registries.uploads import UploadServer
from wharfd.model.errors import InvalidParameter
from wharfd.ports.registry import Retry
from wharfd.wire.oci import digest_of
from wharfd.wire.reference import parse_normalised

BLOB = noise(6_000_000)


@pytest.mark.parametrize("cuts", [[1], [3_000_000], [1_000_000, 2_000_000, 5_000_000]])
async def test_a_cut_upload_goes_on_where_it_was_cut(make: Make, cuts: list[int]) -> None:
    server, told, opened = UploadServer(cut_at=list(cuts)), list[Retry](), list[int]()

    def counted(offset: int) -> AsyncIterator[bytes]:
        opened.append(offset)
        return source(BLOB)(offset)

    async with serving(server.answer) as url:
        ref = parse_normalised(f"{url.removeprefix('http://')}/app")
        await make().upload_blob(ref, described(BLOB), counted, on_retry=told.append)
    assert server.blobs == {digest_of(BLOB): BLOB}
    assert len(told) == len(cuts)
    assert len(opened) == len(cuts) + 1
    for begun, cut in zip(opened[1:], cuts, strict=True):
        assert cut <= begun < cut + (128 << 10)
    assert [where for method, where in server.seen if method == "PATCH"][1:] == [f"{at}-5999999" for at in opened[1:]]


async def test_a_least_length_of_chunks_is_kept(make: Make) -> None:
    server, sent = UploadServer(least_chunk=2_500_000), list[int]()
    async with serving(server.answer) as url:
        ref = parse_normalised(f"{url.removeprefix('http://')}/app")
        await make().upload_blob(ref, described(BLOB), source(BLOB, 999_999), on_sent=sent.append)
    assert [where for method, where in server.seen if method == "PATCH"] == [
        "0-2499999",
        "2500000-4999999",
        "5000000-5999999",
    ]
    assert server.blobs == {digest_of(BLOB): BLOB}
    assert (sent == sorted(sent), sent[-1]) == (True, len(BLOB))


async def test_other_bytes_are_refused_and_forgotten(make: Make) -> None:
    server = UploadServer()
    async with serving(server.answer) as url:
        ref = parse_normalised(f"{url.removeprefix('http://')}/app")
        with pytest.raises(InvalidParameter, match="digest invalid: provided digest did not match uploaded content"):
            await make().upload_blob(ref, described(BLOB), source(BLOB[:-1] + b"x"))
        with pytest.raises(InvalidParameter, match="has 5999999 bytes instead of 6000000"):
            await make().upload_blob(ref, described(BLOB), source(BLOB[:-1]))
    assert (server.blobs, server.uploads) == ({}, {})
