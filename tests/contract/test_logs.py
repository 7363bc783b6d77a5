"""What every log driver gives back of what a container has written, in memory and from the monitor's file."""

import asyncio
import os
import tempfile
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.waiting import until
from wharfd.drivers.logs.kinds import log_drivers
from wharfd.model.errors import InvalidParameter, NotImplementedHere
from wharfd.ports.logs import LogDriver, LogQuery
from wharfd.sys.blocking import Pool
from wharfd.testing.builders import a_log_query
from wharfd.testing.clock import START_NS, FakeClock
from wharfd.testing.logs import FakeEnd, FakeLogs
from wharfd.wire.crilog import Record, format_record, record_time
from wharfd.wire.stdcopy import Decoder

SECOND = 10**9


class Log(Protocol):
    @property
    def driver(self) -> LogDriver: ...

    @property
    def path(self) -> str: ...

    def write(self, stream: str, data: bytes, at_ns: int) -> None: ...


@dataclass
class FakeLog:
    driver: FakeLogs
    path: str = "/log"

    def write(self, stream: str, data: bytes, at_ns: int) -> None:
        self.driver.write(self.path, stream, data, at_ns)


@dataclass
class FileLog:
    driver: LogDriver
    path: str

    def write(self, stream: str, data: bytes, at_ns: int) -> None:
        """As conmon does: a record for each line, and one that is marked partial for what has no end."""
        number = 1 if stream == "stdout" else 2
        pieces = data.split(b"\n")
        records = [Record(number, record_time(at_ns), False, piece) for piece in pieces[:-1]]
        if pieces[-1]:
            records.append(Record(number, record_time(at_ns), True, pieces[-1]))
        with open(self.path, "ab") as file:
            file.write(b"".join(map(format_record, records)))


Make = Callable[[str], Log]


@pytest.fixture
def pool() -> Iterator[Pool]:
    pool = Pool("logs", 1)
    yield pool
    pool.close()


@pytest.fixture(params=["memory", "json-file", "local"])
def log(request: pytest.FixtureRequest, tmp_path: Path, pool: Pool) -> Log:
    clock = FakeClock()
    if request.param == "memory":
        return FakeLog(FakeLogs(clock=clock))
    driver = log_drivers(pool, clock.now_ns)[request.param]
    return FileLog(driver, driver.path(str(tmp_path), "c1"))


async def read(log: Log, query: LogQuery, *, over: bool = True) -> bytes:
    async with aclosing(
        cast("AsyncGenerator[bytes, None]", log.driver.read(log.path, {}, query, FakeEnd(over=over)))
    ) as blocks:
        return b"".join([block async for block in blocks])


def ten_lines(log: Log) -> None:
    """0…9, one a second, the odd ones on stderr."""
    for number in range(10):
        log.write("stderr" if number % 2 else "stdout", b"%d\n" % number, START_NS + number * SECOND)


@pytest.mark.parametrize(
    ("query", "seen"),
    [
        ({}, "0123456789"),
        ({"stderr": False}, "02468"),
        ({"stdout": False}, "13579"),
        ({"tail": 3}, "789"),
        ({"tail": 0}, ""),
        ({"tail": 10}, "0123456789"),
        ({"tail": 99}, "0123456789"),
        ({"tail": 4, "stdout": False}, "79"),  # counted before the choice of streams
        ({"since_ns": START_NS + 4 * SECOND}, "456789"),  # the bound is inside
        ({"since_ns": START_NS + 4 * SECOND + 1}, "56789"),
        ({"since_ns": START_NS + 99 * SECOND}, ""),
        ({"until_ns": START_NS + 4 * SECOND}, "01234"),
        ({"until_ns": START_NS - 1}, ""),
        ({"since_ns": START_NS + 2 * SECOND, "until_ns": START_NS + 4 * SECOND}, "234"),
        ({"tail": 5, "since_ns": START_NS + 7 * SECOND}, "789"),
        ({"tail": 5, "until_ns": START_NS + 6 * SECOND}, "56"),  # the last five of all, of those the old ones
    ],
)
async def test_which_lines(log: Log, query: dict[str, object], seen: str) -> None:
    ten_lines(log)
    assert await read(log, a_log_query(**query)) == "".join(f"{line}\n" for line in seen).encode()


async def test_a_log_that_is_not_there_is_empty(log: Log) -> None:
    assert await read(log, a_log_query()) == b""
    assert await read(log, a_log_query(tail=5)) == b""
    assert await read(log, a_log_query(since_ns=START_NS)) == b""


async def test_frames_and_what_stands_before_lines(log: Log) -> None:
    log.write("stdout", b"one\n", START_NS + 5)
    log.write("stderr", b"two\n", START_NS + SECOND // 2)
    query = a_log_query(framed=True, timestamps=True, prefix=b"a=b ")
    assert Decoder().feed(await read(log, query)) == [
        (1, b"2023-11-14T22:13:20.000000005Z a=b one\n"),
        (2, b"2023-11-14T22:13:20.500000000Z a=b two\n"),
    ]


async def test_pieces_become_one_line_at_the_time_of_its_first(log: Log) -> None:
    for second, piece in enumerate((b"a", b"b", b"c\nd")):
        log.write("stdout", piece, START_NS + second * SECOND)
        log.write("stderr", b"between\n", START_NS + second * SECOND)
    text = await read(log, a_log_query(stderr=False, timestamps=True))
    assert text == b"2023-11-14T22:13:20.000000000Z abc\n2023-11-14T22:13:22.000000000Z d"


async def test_a_line_without_end_waits_for_it_while_the_container_runs(log: Log) -> None:
    log.write("stdout", b"done\nPassword: ", START_NS)
    assert await read(log, a_log_query(), over=False) == b"done\n"
    assert await read(log, a_log_query(), over=True) == b"done\nPassword: "
    assert await read(log, a_log_query(tail=1), over=True) == b"Password: "


async def test_the_next_run_does_not_go_on_with_a_line_of_the_last_one(log: Log) -> None:
    log.driver.begin(log.path, {})  # no log yet
    log.write("stdout", b"one", START_NS)
    log.write("stderr", b"two", START_NS + 1)
    log.driver.begin(log.path, {})
    log.driver.begin(log.path, {})
    log.write("stdout", b"three\n", START_NS + 2)
    assert await read(log, a_log_query(stderr=False)) == b"onethree\n"
    assert await read(log, a_log_query(stdout=False)) == b"two"
    assert Decoder().feed(await read(log, a_log_query(framed=True, timestamps=True, stderr=False))) == [
        (1, b"2023-11-14T22:13:20.000000000Z one"),
        (1, b"2023-11-14T22:13:20.000000002Z three\n"),
    ]
    assert await read(log, a_log_query(tail=1)) == b"three\n"


async def test_raw_bytes_are_kept(log: Log) -> None:
    data = bytes(byte for byte in range(256) if byte != 10) + b"\r\n"
    log.write("stdout", data, START_NS)
    assert await read(log, a_log_query()) == data


async def test_a_line_longer_than_a_frame_is_whole_and_has_one_time(log: Log) -> None:
    piece = b"x" * 8192
    for _ in range(20):
        log.write("stdout", piece, START_NS)
    log.write("stdout", b"end\n", START_NS)
    frames = Decoder().feed(await read(log, a_log_query(framed=True, timestamps=True)))
    assert max(len(payload) for _, payload in frames) <= 32_768
    assert b"".join(payload for _, payload in frames) == b"2023-11-14T22:13:20.000000000Z " + piece * 20 + b"end\n"


async def test_a_follower_gets_what_is_there_then_what_comes_and_ends_with_the_container(log: Log) -> None:
    ten_lines(log)
    end = FakeEnd()
    seen: list[bytes] = []

    async def follow() -> None:
        async for block in log.driver.read(log.path, {}, a_log_query(follow=True, tail=2), end):
            seen.append(block)

    task = asyncio.ensure_future(follow())
    await until(lambda: b"".join(seen) == b"8\n9\n")
    log.write("stdout", b"ten\nele", START_NS + 10 * SECOND)
    await until(lambda: b"".join(seen) == b"8\n9\nten\n")
    log.write("stdout", b"ven\nlast", START_NS + 11 * SECOND)
    end.end()
    await asyncio.wait_for(task, 20)
    assert b"".join(seen) == b"8\n9\nten\neleven\nlast"


async def test_following_a_container_that_is_over_ends_at_once(log: Log) -> None:
    ten_lines(log)
    assert await asyncio.wait_for(read(log, a_log_query(follow=True, tail=1), over=True), 20) == b"9\n"


async def test_a_follower_ends_at_a_line_that_is_too_young(log: Log) -> None:
    ten_lines(log)
    query = a_log_query(follow=True, until_ns=START_NS + 12 * SECOND)
    task = asyncio.ensure_future(read(log, query, over=False))
    await asyncio.sleep(0.02)
    log.write("stdout", b"12\n", START_NS + 12 * SECOND)
    log.write("stdout", b"13\n", START_NS + 13 * SECOND)
    assert (await asyncio.wait_for(task, 20)).endswith(b"9\n12\n")


@pytest.mark.parametrize(
    ("options", "refusal"),
    [
        ({}, None),
        ({"max-size": "10m", "max-file": "3"}, None),
        ({"size": "10m"}, "unknown log opt 'size'"),
    ],
)
async def test_options(log: Log, options: dict[str, str], refusal: str | None) -> None:
    if refusal is None:
        log.driver.validate(options)
        return
    with pytest.raises(InvalidParameter, match=refusal):
        log.driver.validate(options)


async def test_none_cannot_be_read(pool: Pool) -> None:
    for driver in (FakeLogs("none", ()), log_drivers(pool)["none"]):
        assert driver.path("/dir", "c1") == ""
        driver.begin("", {})
        with pytest.raises(NotImplementedHere, match="configured logging driver does not support reading"):
            driver.read("", {}, a_log_query(), FakeEnd())


writes = st.lists(
    st.tuples(
        st.sampled_from(["stdout", "stdout", "stderr"]),
        st.binary(max_size=6).map(lambda data: data.replace(b"\0", b"0")),
        st.integers(0, 3),
        st.booleans(),
    ),
    max_size=40,
)


@settings(deadline=None, max_examples=150)
@given(writes, st.one_of(st.none(), st.integers(0, 12)), st.integers(0, 60), st.integers(0, 60), st.booleans())
def test_the_file_is_read_as_memory_is(
    drawn: list[tuple[str, bytes, int, bool]], tail: int | None, since: int, until: int, over: bool
) -> None:
    async def compare() -> None:
        clock = FakeClock()
        pool = Pool("logs", 1)
        with tempfile.TemporaryDirectory() as folder:
            driver = log_drivers(pool, clock.now_ns)["json-file"]
            logs: list[Log] = [FakeLog(FakeLogs(clock=clock)), FileLog(driver, f"{folder}/log")]
            at = START_NS
            for stream, data, later, ends in drawn:
                at += later
                for log in logs:
                    log.write(stream, data + b"\n" if ends else data, at)
            open_streams = len(cast("FakeLogs", logs[0].driver).begun)
            bounds = {
                "since_ns": START_NS + since if since else 0,
                "until_ns": START_NS + until if until else 0,
            }
            # Where the counted lines begin is the same only if no line is open: an open one counts in the file.
            for wanted in (None, tail) if not open_streams else (None,):
                query = a_log_query(tail=wanted, timestamps=True, framed=True, **bounds)
                memory, file = [Decoder().feed(await read(log, query, over=over)) for log in logs]
                assert file == memory
        pool.close()

    asyncio.run(compare())


def test_no_descriptor_stays_open(log: Log) -> None:
    async def run() -> int:
        ten_lines(log)
        for over in (True, False):
            await read(log, a_log_query(), over=over)
        blocks = cast("AsyncGenerator[bytes, None]", log.driver.read(log.path, {}, a_log_query(follow=True), FakeEnd()))
        await anext(blocks)
        await blocks.aclose()
        return len(os.listdir("/proc/self/fd"))

    before = len(os.listdir("/proc/self/fd"))
    with asyncio.Runner() as runner:
        runner.get_loop()
        inside = len(os.listdir("/proc/self/fd"))
        assert runner.run(run()) == inside
    assert len(os.listdir("/proc/self/fd")) == before
