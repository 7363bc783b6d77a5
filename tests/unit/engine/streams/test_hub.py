"""A hub between a process and those who look on.  Sizes are small and patience is short, so that limits are met."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from wharfd.engine.streams.hub import Hub, Viewer
from wharfd.testing.streams import FakeAttached

BOTH = frozenset({1, 2})
PIECE = b"x" * 1024
LIMIT = 16 * 1024


@dataclass
class Stage:
    stdio: FakeAttached
    hub: Hub
    running: asyncio.Task[None]
    idle: list[bool] = field(default_factory=list)

    def viewer(self, streams: frozenset[int] = BOTH, *, foreground: bool = False) -> Viewer:
        viewer = Viewer(streams, is_foreground=foreground)
        self.hub.add(viewer)
        return viewer

    async def until_blocked(self) -> None:
        """The process writes until nobody reads."""
        for _ in range(1000):
            if self.stdio.unread:
                for _ in range(10):
                    await asyncio.sleep(0)
                if self.stdio.unread:
                    return
            self.stdio.say(PIECE)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        raise AssertionError("everything was read")


@asynccontextmanager
async def stage(*, keeps: bool = False, patience_s: float = 60.0) -> AsyncIterator[Stage]:
    stdio = FakeAttached()
    idle: list[bool] = []
    hub = Hub(stdio, name="c", keeps=keeps, on_idle=lambda: idle.append(True), patience_s=patience_s, limit_bytes=LIMIT)
    running = asyncio.get_running_loop().create_task(hub.run())
    try:
        yield Stage(stdio, hub, running, idle)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def read(viewer: Viewer) -> bytes:
    """What comes next."""
    async with asyncio.timeout(10):
        return b"".join(output.data for output in await viewer.read())


async def read_all(viewer: Viewer) -> bytes:
    """Until the end."""
    got = b""
    while data := await read(viewer):
        got += data
    return got


async def test_everybody_gets_everything_that_is_written_while_they_are_there() -> None:
    async with stage() as on:
        first = on.viewer()
        on.stdio.say(b"one ")
        assert await read(first) == b"one "
        second = on.viewer()
        on.stdio.say(b"two ")
        on.stdio.say(b"three ", "stderr")
        on.stdio.end()
        assert await read_all(first) == b"two three "
        assert await read_all(second) == b"two three "


async def test_a_viewer_sees_only_the_streams_that_it_wants() -> None:
    async with stage() as on:
        errors, nothing = on.viewer(frozenset({2})), on.viewer(frozenset())
        on.stdio.say(b"out")
        on.stdio.say(b"err", "stderr")
        on.stdio.end()
        assert await read_all(errors) == b"err"
        assert await read_all(nothing) == b""
        assert on.hub.window.size == 0


async def test_who_leaves_disturbs_nobody() -> None:
    async with stage() as on:
        stays, leaves = on.viewer(), on.viewer()
        on.stdio.say(b"one ")
        await read(stays)
        leaves.leave()
        leaves.leave()
        on.stdio.say(b"two")
        on.stdio.end()
        assert await read_all(stays) == b"two"
        assert await read_all(leaves) == b""
        assert on.idle == []


async def test_the_last_who_leaves_ends_it() -> None:
    async with stage() as on:
        on.viewer().leave()
        assert on.idle == [True]


async def test_a_container_whose_stdin_would_close_is_kept_until_that_is_closed() -> None:
    async with stage(keeps=True) as on:
        on.viewer().leave()
        assert on.idle == []
        on.stdio.say(b"nobody is there")
        await asyncio.sleep(0)
        assert on.hub.window.size == 0
        on.hub.close_stdin()
        assert on.idle == [True]
        assert on.stdio.is_stdin_closed


async def test_a_slow_client_slows_the_process_and_loses_nothing() -> None:
    async with stage() as on:
        slow = on.viewer()
        await on.until_blocked()
        assert on.hub.window.size <= LIMIT + 2 * len(PIECE) + 1024
        held = sum(len(output.data) for output in on.stdio.unread)
        on.stdio.end()
        got = await read_all(slow)
        assert set(got) == {ord("x")}
        assert len(got) > LIMIT // 2 + held


async def test_a_client_that_has_stopped_reading_is_cut_off_and_the_others_go_on() -> None:
    async with stage(patience_s=0.05) as on:
        stalled, reads = on.viewer(), on.viewer()
        got = 0
        while not stalled.was_cut:
            on.stdio.say(PIECE)
            got += len(await read(reads))
        on.stdio.say(b"still here")
        on.stdio.end()
        assert (await read_all(reads)).endswith(b"still here")
        assert await read(stalled) == b""
        assert got >= LIMIT // 2


async def test_the_only_client_that_was_there_before_the_start_is_waited_for() -> None:
    async with stage(patience_s=0.01) as on:
        alone = on.viewer(foreground=True)
        await on.until_blocked()
        await asyncio.sleep(0.1)
        assert not alone.was_cut
        assert on.stdio.unread
        on.stdio.end()
        assert await read_all(alone)


async def test_it_is_waited_for_no_longer_when_another_one_comes() -> None:
    async with stage(patience_s=0.05) as on:
        alone = on.viewer(foreground=True)
        await on.until_blocked()
        other = on.viewer()
        on.stdio.say(b"news")
        on.stdio.end()
        assert (await read_all(other)).endswith(b"news")
        assert alone.was_cut


async def test_it_has_some_time_to_catch_up_then() -> None:
    async with stage(patience_s=0.5) as on:
        alone = on.viewer(foreground=True)
        await on.until_blocked()
        await asyncio.sleep(0.6)
        on.viewer(frozenset())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not alone.was_cut


async def test_a_client_that_had_nothing_to_read_has_not_stopped_reading() -> None:
    async with stage(patience_s=0.5) as on:
        idle = on.viewer()
        await asyncio.sleep(0.6)
        for _ in range(2 * LIMIT // len(PIECE)):
            on.stdio.say(PIECE)
        for _ in range(5):
            await asyncio.sleep(0)
        assert not idle.was_cut
        assert len(await read(idle)) > 0


async def test_an_only_client_that_came_later_is_not_waited_for() -> None:
    async with stage(patience_s=0.01) as on:
        visitor = on.viewer()
        await on.until_blocked()
        async with asyncio.timeout(10):
            while on.stdio.unread:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        assert visitor.was_cut


async def test_when_the_process_has_ended_all_is_read_whoever_is_behind() -> None:
    """The monitor tells of the exit only then."""
    async with stage() as on:
        behind = on.viewer(foreground=True)
        await on.until_blocked()
        on.stdio.ended.set()
        on.stdio.end()
        async with asyncio.timeout(10):
            await asyncio.shield(on.running)
        assert not behind.was_cut
        assert len(await read_all(behind)) >= LIMIT // 2


async def test_input_of_several_is_not_mixed_and_waits_for_the_process() -> None:
    async with stage() as on:
        one, two = on.viewer(), on.viewer()
        on.stdio.full = True
        async with asyncio.TaskGroup() as group:
            for viewer, data in ((one, b"aaa"), (two, b"bbb")):
                group.create_task(viewer.write(data))
            await asyncio.sleep(0)
            assert on.stdio.written == b""
            on.stdio.full = False
            on.stdio.change()
        assert on.stdio.written == b"aaabbb"


async def test_input_after_the_end_goes_nowhere() -> None:
    async with stage() as on:
        viewer = on.viewer()
        on.stdio.end()
        await read_all(viewer)
        assert await viewer.write(b"x") is False


async def test_a_viewer_that_waits_for_a_start_that_never_comes_ends() -> None:
    waiting = Viewer(BOTH)
    async with asyncio.TaskGroup() as group:
        reading, writing = group.create_task(waiting.read()), group.create_task(waiting.write(b"x"))
        await asyncio.sleep(0)
        waiting.end()
    assert (list(reading.result()), writing.result()) == ([], False)


async def test_newcomers_do_not_keep_one_who_has_stopped_reading_from_being_cut_off() -> None:
    async with stage(patience_s=0.1) as on:
        stalled = on.viewer(foreground=True)
        on.viewer()
        await on.until_blocked()
        async with asyncio.timeout(10):
            while not stalled.was_cut:
                on.viewer()
                await asyncio.sleep(0.01)
