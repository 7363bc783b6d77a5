import asyncio

import pytest

from wharfd.api.grpc.uploads import Upload, Uploads
from wharfd.model.errors import InvalidParameter, Unavailable


def upload() -> Upload:
    return Upload(object())  # type: ignore[arg-type]  # nobody looks into it


@pytest.mark.parametrize("build_first", [True, False])
async def test_whichever_comes_first_waits(build_first: bool) -> None:
    uploads, brought = Uploads(), upload()
    calls = [uploads.take("one"), uploads.bring("one", brought)]
    taken, other = await asyncio.gather(*(calls if build_first else calls[::-1]))
    assert {taken, other} == {brought.tree, None}
    assert brought.taken.is_set()


async def test_nobody_comes() -> None:
    uploads, brought = Uploads(wait_s=0.01), upload()
    with pytest.raises(Unavailable):
        await uploads.bring("one", brought)
    assert not brought.taken.is_set()
    with pytest.raises(Unavailable):
        await uploads.take("one")


async def test_a_second_archive_is_refused_and_the_first_still_taken() -> None:
    uploads, first = Uploads(), upload()
    bringing = asyncio.create_task(uploads.bring("one", first))
    await asyncio.sleep(0)
    with pytest.raises(InvalidParameter):
        await uploads.bring("one", upload())
    assert await uploads.take("one") is first.tree
    await bringing


async def test_two_builds_of_one_id_do_not_get_the_same_archive() -> None:
    uploads, brought = Uploads(wait_s=0.05), upload()
    builds = [asyncio.create_task(uploads.take("one")) for _ in range(2)]
    await uploads.bring("one", brought)
    found = await asyncio.gather(*builds, return_exceptions=True)
    assert found[0] is brought.tree
    assert isinstance(found[1], Unavailable)


async def test_an_archive_whose_client_has_gone_is_not_taken() -> None:
    uploads, brought = Uploads(wait_s=0.01), upload()
    bringing = asyncio.create_task(uploads.bring("one", brought))
    await asyncio.sleep(0)
    bringing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await bringing
    with pytest.raises(Unavailable):
        await uploads.take("one")
    assert not brought.taken.is_set()
