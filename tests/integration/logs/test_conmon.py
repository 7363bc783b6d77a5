"""The log of a real container, written by the monitor and read by the driver."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.integration.runtime.lab import Lab, needs
from wharfd.drivers.logs.kinds import log_drivers
from wharfd.ports.logs import LogDriver
from wharfd.sys.blocking import Pool
from wharfd.testing.builders import a_log_query
from wharfd.testing.logs import FakeEnd
from wharfd.wire.stdcopy import Decoder

pytestmark = needs()


@pytest.fixture
def driver() -> Iterator[LogDriver]:
    pool = Pool("logs", 1)
    yield log_drivers(pool)["json-file"]
    pool.close()


async def output(driver: LogDriver, path: str, **query: object) -> Sequence[tuple[int, bytes]]:
    blocks = driver.read(path, {}, a_log_query(framed=True, **query), FakeEnd(over=True))
    return Decoder().feed(b"".join([block async for block in blocks]))


async def test_what_a_container_writes_is_what_is_read(tmp_path: Path, driver: LogDriver) -> None:
    async with Lab.open(tmp_path) as lab:
        await lab.run(
            "echo out; echo err >&2; printf 'a'; sleep 0.1; printf 'b\\n'; head -c 40000 /dev/zero | tr '\\0' x; echo; printf end"
        )
        [path] = tmp_path.glob("*.log")
        frames = await output(driver, str(path))
    assert (2, b"err\n") in frames
    out = b"".join(text for stream, text in frames if stream == 1)
    assert out == b"out\nab\n" + b"x" * 40_000 + b"\nend"


async def test_a_container_is_followed_to_its_end(tmp_path: Path, driver: LogDriver) -> None:
    async with Lab.open(tmp_path) as lab:
        end = FakeEnd()
        running = asyncio.ensure_future(lab.run("seq 1 3; sleep 0.2; seq 4 20000; printf last"))
        while not (paths := list(tmp_path.glob("*.log"))):  # noqa: ASYNC110 - another program makes it
            await asyncio.sleep(0.01)
        seen: list[bytes] = []

        async def follow() -> None:
            async for block in driver.read(str(paths[0]), {}, a_log_query(follow=True), end):
                seen.append(block)

        following = asyncio.ensure_future(follow())
        await running
        end.end()
        await asyncio.wait_for(following, 30)
    assert b"".join(seen) == b"".join(b"%d\n" % number for number in range(1, 20_001)) + b"last"
    assert len(seen) > 1
