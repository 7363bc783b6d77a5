"""inotify events: parsing, iteration, overflow, the end."""

import asyncio
import struct
from pathlib import Path

from wharfd.sys import inotify
from wharfd.sys.inotify import Event, Inotify, parse_events


def test_parse_events_strips_padding_and_keeps_order() -> None:
    data = struct.pack("=iIII16s", 1, inotify.IN_CREATE, 0, 16, b"name") + struct.pack(
        "=iIII", -1, inotify.IN_Q_OVERFLOW, 0, 0
    )
    first, second = parse_events(data)
    assert first == Event(1, inotify.IN_CREATE, 0, "name")
    assert second.is_overflow
    assert not first.is_overflow


async def test_events_of_a_directory(tmp_path: Path) -> None:
    watcher = Inotify()
    try:
        watch = watcher.add_watch(str(tmp_path), inotify.IN_CLOSE_WRITE | inotify.IN_MOVED_TO)
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            waiting = group.create_task(anext(watcher))
            await asyncio.sleep(0.01)
            (tmp_path / "a").write_text("x")
            assert await waiting == Event(watch, inotify.IN_CLOSE_WRITE, 0, "a")
            (tmp_path / "a").rename(tmp_path / "b")
            moved = await anext(watcher)
            assert (moved.mask, moved.name) == (inotify.IN_MOVED_TO, "b")
            watcher.rm_watch(watch)
            assert (await anext(watcher)).is_watch_gone
    finally:
        watcher.close()


async def test_close_ends_a_waiting_iteration(tmp_path: Path) -> None:
    watcher = Inotify()
    watcher.add_watch(str(tmp_path), inotify.IN_CREATE)

    async def collect() -> list[Event]:
        return [event async for event in watcher]

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        task = group.create_task(collect())
        await asyncio.sleep(0.01)
        watcher.close()
        assert await task == []


async def test_cancelled_wait_loses_nothing(tmp_path: Path) -> None:
    watcher = Inotify()
    try:
        watcher.add_watch(str(tmp_path), inotify.IN_CREATE)
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            task = group.create_task(anext(watcher))
            await asyncio.sleep(0.01)
            task.cancel()
            await asyncio.wait([task])
            (tmp_path / "late").touch()
            assert (await anext(watcher)).name == "late"
    finally:
        watcher.close()


async def test_overflow_is_surfaced(tmp_path: Path) -> None:
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    watcher = Inotify()
    try:
        watcher.add_watch(str(tmp_path), inotify.IN_CREATE | inotify.IN_DELETE)
        name = tmp_path / "n"
        for _ in range(limit // 2 + 2):
            name.touch()
            name.unlink()
        async with asyncio.timeout(30):
            seen = 0
            async for event in watcher:
                if event.is_overflow:
                    break
                seen += 1
        assert seen == limit
    finally:
        watcher.close()
