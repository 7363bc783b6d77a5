"""Several files as one, also while they change places."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from wharfd.drivers.logs.compression import compress
from wharfd.drivers.logs.files import BLOCK, EXPANDED_KEPT, MOST_BEHIND, LogFiles
from wharfd.drivers.logs.generations import shift, trim
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
    for name, text in (("log.2", "one,"), ("log.1", "two,"), ("log", "three"), ("log.x", "-"), ("log.0", "-")):
        (tmp_path / name).write_text(text)
    files = opened(tmp_path / "log", pool)
    assert files.end() == 13
    assert await files.read_exactly(0, 100) == b"one,two,three"
    assert await files.read_exactly(2, 4) == b"e,tw"
    assert await files.read(0, 100) == b"one,"
    assert await files.read(13, 100) == b""
    files.close()


async def test_a_gap_in_the_row_is_passed_over(tmp_path: Path, pool: Pool) -> None:
    for name, text in (("log.12", "one,"), ("log.3", "two,"), ("log.1", "three")):
        (tmp_path / name).write_text(text)
    files = opened(tmp_path / "log", pool)
    assert await files.read_exactly(0, 100) == b"one,two,three"
    files.close()


async def test_compressed_files_are_read_as_if_they_were_not(tmp_path: Path, pool: Pool) -> None:
    texts = [b"%d," % number * 100_000 for number in range(5)]
    for number, text in enumerate(texts[:-1]):
        plain = tmp_path / f"log.{4 - number}"
        plain.write_bytes(text)
        if number != 2:
            compress(str(plain), f"{plain}.gz")
            plain.unlink()
    (tmp_path / "log").write_bytes(texts[-1])
    files = opened(tmp_path / "log", pool)
    whole = b"".join(texts)
    assert files.end() == len(whole)
    assert await files.read_exactly(0, len(whole)) == whole
    for at in (900_000, 10, 350_000, 150_000, 10, 550_000):
        assert await files.read_exactly(at, 5) == whole[at : at + 5]
    assert len(files.expanded) == EXPANDED_KEPT
    files.close()


async def test_a_file_that_is_just_being_compressed_is_read_once(tmp_path: Path, pool: Pool) -> None:
    (tmp_path / "log.1").write_text("one,")
    (tmp_path / "log").write_text("two")
    compress(str(tmp_path / "log.1"), str(tmp_path / "log.1.gz"))
    (tmp_path / "log.1.gz.tmp").write_text("half")
    files = opened(tmp_path / "log", pool)
    assert await files.read_exactly(0, 100) == b"one,two"
    files.close()


async def test_a_follower_keeps_what_is_rotated_before_it_has_looked(tmp_path: Path, pool: Pool) -> None:
    (tmp_path / "log").write_text("0,")
    files = opened(tmp_path / "log", pool)
    for number in range(1, 5):
        shift(str(tmp_path / "log"))
        (tmp_path / "log").write_text(f"{number},")
        assert files.add_newest()
        assert not files.add_newest()
        trim(str(tmp_path / "log"), 1)
    assert await files.read_exactly(0, 100) == b"0,1,2,3,4,"
    files.let_go(5)
    assert [segment.begin for segment in files.segments] == [4, 6, 8]
    files.let_go(10)
    assert [segment.begin for segment in files.segments] == [8]
    assert not files.is_too_slow
    files.close()


async def test_a_follower_does_not_keep_everything_for_ever(tmp_path: Path, pool: Pool) -> None:
    (tmp_path / "log").write_text("x")
    files = opened(tmp_path / "log", pool)
    for _ in range(MOST_BEHIND):
        assert not files.is_too_slow
        shift(str(tmp_path / "log"))
        (tmp_path / "log").write_text("x")
        files.add_newest()
    assert files.is_too_slow
    assert len(files.segments) == MOST_BEHIND
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
