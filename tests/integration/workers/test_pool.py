"""The pool with real worker processes."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.tars import entry, symlink, tar_of
from tests.waiting import until
from wharfd.drivers.workers.pool import FOLLOWERS, WorkerPool
from wharfd.engine.images.growth import Growth
from wharfd.model.errors import Cancelled, Internal, InvalidParameter, Unavailable
from wharfd.sys.pidfd import process_state


@pytest.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    pool = WorkerPool()
    yield pool
    await pool.close()
    assert not pool.busy
    assert not pool.idle


@pytest.fixture
def layer(tmp_path: Path) -> str:
    path = tmp_path / "layer.tar"
    path.write_bytes(tar_of(entry("f", b"content")))
    return str(path)


async def chunks(data: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


async def test_a_worker_does_one_job_after_another(pool: WorkerPool, layer: str, tmp_path: Path) -> None:
    for number in range(3):
        done = await pool.unpack(layer, "", str(tmp_path / f"root{number}"))
        assert done.entries == 1
        assert (tmp_path / f"root{number}/f").read_bytes() == b"content"
    assert len(pool.idle) == 1


async def test_the_archive_is_blamed_and_the_worker_goes_on(pool: WorkerPool, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_bytes(b"no tar" * 1000)
    with pytest.raises(InvalidParameter, match="invalid tar header"):
        await pool.unpack(str(broken), "", str(tmp_path / "root"))
    assert len(pool.idle) == 1


async def test_what_is_not_the_archives_fault_is_ours(pool: WorkerPool, layer: str, tmp_path: Path) -> None:
    with pytest.raises(Internal, match="missing/root: no such file or directory"):
        await pool.unpack(layer, "", str(tmp_path / "missing/root"))


async def test_a_dying_worker_fails_its_job_only(pool: WorkerPool, layer: str, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    stuck = asyncio.ensure_future(pool.unpack(str(fifo), "", str(tmp_path / "stuck")))
    await until(lambda: bool(pool.busy))
    victim = next(iter(pool.busy)).process
    fine = asyncio.ensure_future(pool.unpack(layer, "", str(tmp_path / "fine")))
    victim.kill(signal.SIGKILL)
    with pytest.raises(Internal, match=r"died \(signal 9\) on UnpackLayer"):
        await stuck
    assert (await fine).entries == 1


async def test_a_cancelled_job_ends_its_worker(pool: WorkerPool, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    stuck = asyncio.ensure_future(pool.unpack(str(fifo), "", str(tmp_path / "stuck")))
    await until(lambda: bool(pool.busy))
    pid = next(iter(pool.busy)).process.pid
    stuck.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stuck
    assert process_state(pid) is None
    assert not pool.idle


async def test_idle_workers_leave(layer: str, tmp_path: Path) -> None:
    pool = WorkerPool(idle_s=0.01)
    await pool.unpack(layer, "", str(tmp_path / "root"))
    await until(lambda: not pool.idle)
    (worker,) = pool.leaving
    assert await worker.process.wait() == 0
    await pool.close()


async def test_no_more_than_the_limit_at_once(layer: str, tmp_path: Path) -> None:
    pool = WorkerPool(heavy=1)
    await asyncio.gather(*(pool.unpack(layer, "", str(tmp_path / f"r{number}")) for number in range(3)))
    assert len(pool.idle) == 1
    await pool.close()


async def test_an_archive_is_split_into_files_by_digest(pool: WorkerPool, tmp_path: Path) -> None:
    data = tar_of(
        entry("abc/layer.tar", b"layer" * 5000),
        entry("abc/VERSION", b"1.0"),
        symlink("def/layer.tar", "../abc/layer.tar"),
    )
    members = await pool.split(chunks(data), str(tmp_path))
    assert [(m.name, m.size, m.link) for m in members] == [
        ("abc/layer.tar", 25000, ""),
        ("abc/VERSION", 3, ""),
        ("def/layer.tar", 0, "abc/layer.tar"),
    ]
    assert members[0].digest is not None
    assert (tmp_path / members[0].digest.removeprefix("sha256:")).read_bytes() == b"layer" * 5000


async def test_a_client_that_goes_away_is_not_taken_for_a_broken_archive(pool: WorkerPool, tmp_path: Path) -> None:
    async def torn() -> AsyncIterator[bytes]:
        yield tar_of(entry("f", b"x" * 5000))[:2000]
        raise Cancelled("the client went away")

    with pytest.raises(Cancelled):
        await pool.split(torn(), str(tmp_path))


async def test_a_stream_may_be_refused_while_the_client_still_sends(pool: WorkerPool, tmp_path: Path) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"nonsense" * 10_000

    with pytest.raises(InvalidParameter):
        await pool.split(endless(), str(tmp_path))


@pytest.mark.parametrize("data", [b"", b"\x1f\x8b\x08"], ids=["empty", "cut"])
async def test_streams_that_are_no_archive(pool: WorkerPool, tmp_path: Path, data: bytes) -> None:
    with pytest.raises(InvalidParameter):
        await pool.split(chunks(data), str(tmp_path))


async def test_a_blob_is_unpacked_while_it_comes(pool: WorkerPool, tmp_path: Path) -> None:
    data = tar_of(entry("first", b"1" * 700_000), entry("second", b"2" * 700_000))
    blob, root = tmp_path / "blob", tmp_path / "root"
    growth = Growth(str(blob))
    blob.write_bytes(data[:800_000])
    growth.note(800_000)
    work = asyncio.ensure_future(pool.unpack_growing(growth, "", str(root)))
    await until((root / "second").exists)
    assert (root / "first").read_bytes() == b"1" * 700_000
    blob.write_bytes(data)
    growth.end(len(data))
    done = await work
    assert done is not None
    assert (done.entries, done.size_bytes) == (2, 1_400_000)
    assert (root / "second").read_bytes() == b"2" * 700_000


async def test_a_transfer_that_breaks_off_ends_the_job_and_not_the_worker(pool: WorkerPool, tmp_path: Path) -> None:
    data = tar_of(entry("first", b"1" * 700_000))
    (tmp_path / "blob").write_bytes(data)
    growth = Growth(str(tmp_path / "blob"))
    growth.note(300_000)
    work = asyncio.ensure_future(pool.unpack_growing(growth, "", str(tmp_path / "root")))
    await until((tmp_path / "root/first").exists)
    growth.end()
    with pytest.raises(Unavailable):
        await work
    assert len(pool.idle) == 1


async def test_transfers_that_hang_leave_others_their_workers(pool: WorkerPool, layer: str, tmp_path: Path) -> None:
    hanging = [
        asyncio.ensure_future(pool.unpack_growing(Growth(layer), "", str(tmp_path / f"root{number}")))
        for number in range(FOLLOWERS)
    ]
    await until(lambda: len(pool.busy) == FOLLOWERS)
    assert await pool.unpack_growing(Growth(layer), "", str(tmp_path / "one")) is None
    assert (await pool.unpack(layer, "", str(tmp_path / "two"))).entries == 1
    for each in hanging:
        each.cancel()
    await asyncio.wait(hanging)


async def test_a_stream_that_fails_at_the_end_of_an_archive_fails_the_job(pool: WorkerPool, tmp_path: Path) -> None:
    """What came is whole by itself; only the sender knows that it was not all."""

    async def broken_off() -> AsyncIterator[bytes]:
        yield tar_of(entry("f", b"content"))
        raise Internal("the sender is gone")

    with pytest.raises(Internal, match="the sender is gone"):
        await pool.ingest_layer(broken_off(), str(tmp_path))
