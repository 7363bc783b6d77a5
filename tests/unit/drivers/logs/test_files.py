"""Several files as one, also while they change places."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from wharfd.drivers.logs.files import BLOCK, LogFiles
from wharfd.model.errors import Internal
from wharfd.sys.blocking import Pool


@pytest.fixture
def pool() -> Iterator[Pool]:
    pool = Pool("logs", 1)
    yield pool
    pool.close()


def opened(path: Path, pool: Pool) -> LogFiles:
    files = LogFiles(str(path), pool)
    files.open()
    return files


async def test_rotated_files_come_first_the_oldest_of_all(tmp_path: Path, pool: Pool) -> None:
    for name, text in (("log.2", "one,"), ("log.1", "two,"), ("log", "three"), ("log.4", "not in the row")):
        (tmp_path / name).write_text(text)
    files = opened(tmp_path / "log", pool)
    assert files.end() == 13
    assert await files.read_exactly(0, 100) == b"one,two,three"
    assert await files.read_exactly(2, 4) == b"e,tw"
    assert await files.read(0, 100) == b"one,"
    assert await files.read(13, 100) == b""
    files.close()


async def test_no_file_is_an_empty_log_until_there_is_one(tmp_path: Path, pool: Pool) -> None:
    files = opened(tmp_path / "log", pool)
    assert files.end() == 0
    assert await files.read(0, 10) == b""
    assert not files.renew(0)
    (tmp_path / "log").write_text("here")
    assert files.renew(0)
    assert not files.renew(0)
    assert await files.read(0, 10) == b"here"
    files.close()


async def test_what_is_written_between_the_last_look_and_the_rotation_is_not_lost(tmp_path: Path, pool: Pool) -> None:
    (tmp_path / "log").write_text("one,")
    files = opened(tmp_path / "log", pool)
    assert await files.read(0, BLOCK) == b"one,"
    with open(tmp_path / "log", "a") as old:
        old.write("two,")
    os.rename(tmp_path / "log", tmp_path / "log.1")
    assert not files.renew(4)  # no new one yet
    (tmp_path / "log").write_text("three")
    assert files.renew(4)
    assert await files.read(4, BLOCK) == b"two,"
    assert await files.read(8, BLOCK) == b"three"
    files.close()


async def test_an_emptied_file_is_read_from_its_beginning(tmp_path: Path, pool: Pool) -> None:
    (tmp_path / "log").write_text("long text")
    files = opened(tmp_path / "log", pool)
    assert await files.read(0, BLOCK) == b"long text"
    os.truncate(tmp_path / "log", 0)
    assert files.renew(9)
    with open(tmp_path / "log", "a") as file:
        file.write("new")
    assert await files.read(9, BLOCK) == b"new"
    files.close()


async def test_a_removed_file_can_be_read_to_its_end(tmp_path: Path, pool: Pool) -> None:
    (tmp_path / "log").write_text("text")
    files = opened(tmp_path / "log", pool)
    os.unlink(tmp_path / "log")
    assert await files.read(0, BLOCK) == b"text"
    assert not files.renew(4)
    files.close()


async def test_what_is_not_in_memory_is_read_by_the_pool(
    tmp_path: Path, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "log").write_text("text")
    files = opened(tmp_path / "log", pool)
    for error in (BlockingIOError(), OSError(95, "Operation not supported")):

        def preadv(*_: object, error: OSError = error) -> int:
            raise error

        monkeypatch.setattr(os, "preadv", preadv)
        assert await files.read(0, BLOCK) == b"text"
    assert not files.can_try
    files.close()


async def test_errors_are_named(tmp_path: Path, pool: Pool) -> None:
    (tmp_path / "log").symlink_to("log")
    with pytest.raises(Internal, match=r"log .*/log cannot be read: Too many levels"):
        opened(tmp_path / "log", pool)
