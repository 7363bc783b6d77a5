import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from wharfd.drivers.files.directory import FileDirectory
from wharfd.model.errors import Internal
from wharfd.model.ids import ContainerId
from wharfd.sys.blocking import Pool
from wharfd.testing.builders import an_id


@pytest.fixture
def pool() -> Iterator[Pool]:
    pool = Pool("test", 1)
    yield pool
    pool.close()


@pytest.fixture
async def files(tmp_path: Path, pool: Pool) -> FileDirectory:
    files = FileDirectory(str(tmp_path / "containers"), pool)
    await files.open()
    return files


async def test_write_replaces_and_others_may_read(files: FileDirectory) -> None:
    container_id = ContainerId(an_id())
    old_umask = os.umask(0o077)
    try:
        files.write(container_id, {"hosts": b"one\n"})
        with open(f"{files.directory(container_id)}/hosts", "rb") as reader:
            files.write(container_id, {"hosts": b"two\n"})
            assert reader.read() == b"one\n"
    finally:
        os.umask(old_umask)
    path = Path(files.directory(container_id)) / "hosts"
    assert path.read_bytes() == b"two\n"
    assert path.stat().st_mode & 0o777 == 0o644
    assert sorted(os.listdir(path.parent)) == ["hosts"]


async def test_remove_takes_everything_and_may_be_repeated(files: FileDirectory) -> None:
    container_id = ContainerId(an_id())
    files.write(container_id, {"hosts": b""})
    Path(files.directory(container_id), "log").write_bytes(b"x")
    assert await files.leftovers() == [container_id]
    await files.remove(container_id)
    await files.remove(container_id)
    assert await files.leftovers() == []


async def test_a_write_that_fails_says_so(files: FileDirectory) -> None:
    container_id = ContainerId(an_id())
    Path(files.directory(container_id)).write_bytes(b"in the way")
    with pytest.raises(Internal, match=f"cannot write the files of container {container_id}"):
        files.write(container_id, {"hosts": b""})


async def test_leftovers_before_anything_was_made(tmp_path: Path, pool: Pool) -> None:
    assert await FileDirectory(str(tmp_path / "absent"), pool).leftovers() == []
