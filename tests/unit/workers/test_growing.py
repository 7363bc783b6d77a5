"""A file that is read while it grows."""

import os
import threading
from pathlib import Path

import pytest

from wharfd.workers.growing import OFFSET, GrowingFile


@pytest.fixture
def grown(tmp_path: Path) -> tuple[GrowingFile, int]:
    (tmp_path / "file").write_bytes(b"0123456789")
    link, told = os.pipe()
    return GrowingFile(os.open(tmp_path / "file", os.O_RDONLY), link), told


def tell(told: int, *offsets: int) -> None:
    for offset in offsets:
        os.write(told, OFFSET.pack(offset))


def test_no_more_is_read_than_was_told(grown: tuple[GrowingFile, int]) -> None:
    file, told = grown
    tell(told, 2, 4)
    assert file.read(100) == b"0123"
    tell(told, 5)
    assert file.read(100) == b"4"
    os.close(told)
    assert file.read(100) == b""
    file.close()


def test_the_head_is_read_again(grown: tuple[GrowingFile, int]) -> None:
    file, told = grown
    tell(told, 6)
    assert file.head(3) == b"012"
    assert file.read(4) == b"0123"
    os.close(told)
    assert file.head(8) == b"012345"
    file.close()


def test_an_offset_may_come_in_parts(grown: tuple[GrowingFile, int]) -> None:
    file, told = grown
    word = OFFSET.pack(7)
    later = threading.Timer(0.05, lambda: os.write(told, word[3:]))
    os.write(told, word[:3])
    later.start()
    assert file.read(100) == b"0123456"
    later.join()
    os.close(told)
    file.close()
