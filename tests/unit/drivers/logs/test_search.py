"""The beginning of the last lines, and of a time, found in files of many blocks, with few reads."""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from wharfd.drivers.logs.files import LogFiles
from wharfd.drivers.logs.search import find_tail, find_time
from wharfd.sys.blocking import Pool
from wharfd.testing.clock import START_NS
from wharfd.wire.crilog import LogEncoder, Record, format_record, record_time


@pytest.fixture
def pool() -> Iterator[Pool]:
    pool = Pool("logs", 1)
    yield pool
    pool.close()


class Counting(LogFiles):
    """Counts the bytes that are read."""

    taken = 0

    async def read(self, at: int, limit: int) -> bytes:
        data = await super().read(at, limit)
        self.taken += len(data)
        return data


def opened(path: Path, pool: Pool, data: bytes) -> Counting:
    path.write_bytes(data)
    files = Counting(str(path), pool)
    files.open()
    return files


def some_records(chance: random.Random, count: int, sizes: tuple[int, int]) -> list[Record]:
    """Both streams, in pieces here and there; the last record of each stream ends its line."""
    records = []
    for number in range(count):
        text = b"%d " % number + b"x" * chance.randint(*sizes)
        records.append(
            Record(chance.choice((1, 1, 1, 2)), record_time(START_NS + number * 1000), chance.random() < 0.2, text)
        )
    return [*records, *(Record(stream, record_time(START_NS + count * 1000), False, b"end") for stream in (1, 2))]


def whole_lines(records: list[Record]) -> list[tuple[int, bytes]]:
    """Stream and text, in the order in which lines end."""
    parts: dict[int, list[bytes]] = {1: [], 2: []}
    lines = []
    for record in records:
        parts[record.stream].append(record.text)
        if not record.partial:
            lines.append((record.stream, b"".join(parts[record.stream])))
            parts[record.stream] = []
    return lines


@pytest.mark.parametrize(("count", "sizes"), [(300, (0, 9)), (6000, (0, 200)), (400, (0, 5000))])
async def test_the_last_lines_are_the_last_lines(
    tmp_path: Path, pool: Pool, count: int, sizes: tuple[int, int]
) -> None:
    chance = random.Random(count)
    records = some_records(chance, count, sizes)
    lines = whole_lines(records)
    files = opened(tmp_path / "log", pool, b"".join(map(format_record, records)))
    for wanted in (0, 1, 2, 5, 17, len(lines) // 2, len(lines) - 1, len(lines), len(lines) + 5):
        start = await find_tail(files, files.end(), wanted)
        encoder = LogEncoder(framed=False, skip_lines=start.skip)
        data = await files.read_exactly(start.offset, files.end() - start.offset)
        expected = b"".join(text + b"\n" for _, text in lines[max(0, len(lines) - wanted) :])
        assert encoder.feed(data) + encoder.finish() == expected, wanted
    files.close()


async def test_few_lines_of_a_long_log_cost_one_small_read(tmp_path: Path, pool: Pool) -> None:
    line = format_record(Record(1, record_time(START_NS), False, b"x" * 80))
    files = opened(tmp_path / "log", pool, line * 100_000)
    start = await find_tail(files, files.end(), 50)
    assert files.end() - start.offset == 50 * len(line)
    assert files.taken < 100_000
    files.close()


async def test_one_line_longer_than_every_block(tmp_path: Path, pool: Pool) -> None:
    short = format_record(Record(1, record_time(START_NS), False, b"short"))
    long = format_record(Record(1, record_time(START_NS), False, b"x" * 900_000))
    files = opened(tmp_path / "log", pool, short * 3 + long)
    assert (await find_tail(files, files.end(), 1)).offset == 3 * len(short)
    assert (await find_tail(files, files.end(), 2)).offset == 2 * len(short)
    files.close()


async def test_no_lines_from_the_middle_of_a_record(tmp_path: Path, pool: Pool) -> None:
    line = format_record(Record(1, record_time(START_NS), False, b"x"))
    files = opened(tmp_path / "log", pool, line + line[:20])
    assert (await find_tail(files, files.end(), 0)).offset == len(line)
    files.close()


@pytest.mark.parametrize("sizes", [(0, 100), (0, 8000)])
async def test_a_time_is_found_near_its_place_with_few_reads(
    tmp_path: Path, pool: Pool, sizes: tuple[int, int]
) -> None:
    chance = random.Random(7)
    records = some_records(chance, 20_000 if sizes[1] < 1000 else 2000, sizes)
    pieces = [format_record(record) for record in records]
    files = opened(tmp_path / "log", pool, b"".join(pieces))
    offsets = [0]
    for piece in pieces:
        offsets.append(offsets[-1] + len(piece))
    for number in (0, 1, len(pieces) // 3, len(pieces) // 2, len(pieces) - 1):
        files.taken = 0
        at = await find_time(files, files.end(), START_NS + number * 1000)
        assert at <= offsets[number]
        assert offsets[number] - at <= 80_000
        assert at in offsets
        assert files.taken < 400_000
    assert files.end() - await find_time(files, files.end(), START_NS * 2) <= 80_000
    files.close()


async def test_a_time_in_a_log_full_of_nonsense_is_found_somewhere(tmp_path: Path, pool: Pool) -> None:
    files = opened(tmp_path / "log", pool, os.urandom(3_000_000).replace(b"\n", b" ") + b"\n" * 1000)
    assert 0 <= await find_time(files, files.end(), START_NS) <= files.end()
    assert 0 <= (await find_tail(files, files.end(), 5)).offset <= files.end()
    files.close()
