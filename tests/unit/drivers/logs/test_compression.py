"""Compressed generations: any tool reads them, and their note tells what is in them."""

import gzip
import os
from pathlib import Path

import pytest

from wharfd.drivers.logs.compression import Note, compress, expand, last_time, read_note
from wharfd.testing.clock import START_NS
from wharfd.wire.crilog import Record, format_record, record_time


def records(count: int) -> bytes:
    return b"".join(
        format_record(Record(1, record_time(START_NS + number), False, b"line %d" % number)) for number in range(count)
    )


def expanded(path: Path) -> bytes:
    fd = os.open(path, os.O_RDONLY)
    plain = expand(fd, str(path.parent))
    try:
        return os.pread(plain, 1 << 30, 0)
    finally:
        os.close(fd)
        os.close(plain)


def note_of(path: Path) -> Note:
    fd = os.open(path, os.O_RDONLY)
    try:
        return read_note(fd)
    finally:
        os.close(fd)


@pytest.mark.parametrize("count", [0, 1, 100_000])
def test_there_and_back(tmp_path: Path, count: int) -> None:
    data = records(count)
    (tmp_path / "log.1").write_bytes(data)
    packed = tmp_path / "log.1.gz"
    compress(str(tmp_path / "log.1"), str(packed))
    assert gzip.decompress(packed.read_bytes()) == data
    assert expanded(packed) == data
    assert note_of(packed) == Note(len(data), START_NS + count - 1 if count else 0)
    assert sorted(os.listdir(tmp_path)) == ["log.1", "log.1.gz"]


def test_made_by_another_program(tmp_path: Path) -> None:
    data = records(1000)
    packed = tmp_path / "log.1.gz"
    packed.write_bytes(gzip.compress(data))
    assert note_of(packed) == Note(len(data), 0)
    assert expanded(packed) == data


def test_a_damaged_file_gives_what_can_be_read(tmp_path: Path) -> None:
    data = records(100_000)
    (tmp_path / "log.1").write_bytes(data)
    packed = tmp_path / "log.1.gz"
    compress(str(tmp_path / "log.1"), str(packed))
    whole = packed.read_bytes()
    packed.write_bytes(whole[: len(whole) // 2])
    found = expanded(packed)
    assert 0 < len(found) < len(data)
    assert data.startswith(found)
    packed.write_bytes(b"no gzip at all")
    assert expanded(packed) == b""


def test_the_last_time_is_that_of_the_last_record() -> None:
    assert last_time(records(3)) == START_NS + 2
    assert last_time(records(3) + b"cut off") == START_NS + 2
    assert last_time(records(1) + b"x" * 50 + b"\n") == START_NS
    assert last_time(b"") == 0
    assert last_time(b"nothing\n") == 0
