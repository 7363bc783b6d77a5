import asyncio

from wharfd.engine.build.progress import LogOutput, Update, VertexUpdate
from wharfd.engine.build.progresslog import CLIP_BYTES, CLIP_NOTICE, CLIP_PIECES, UNREAD_BYTES, ProgressLog
from wharfd.model.ids import Digest

V = Digest("sha256:1")


def output(data: bytes) -> LogOutput:
    return LogOutput(vertex=V, stream=1, data=data, at_ns=1)


async def everything(log: ProgressLog) -> list[Update]:
    return [update async for batch in log.follow() for update in batch]


async def test_readers_get_everything_whenever_they_come() -> None:
    log = ProgressLog(is_kept=True)
    log(VertexUpdate(digest=V, name="a"))
    early = asyncio.create_task(everything(log))
    await asyncio.sleep(0)
    log(output(b"x"))
    await asyncio.sleep(0)
    log(output(b"y"))
    log.close()
    assert await early == await everything(log) == [VertexUpdate(digest=V, name="a"), output(b"x"), output(b"y")]


async def test_a_kept_log_is_clipped() -> None:
    log = ProgressLog(is_kept=True)
    for _ in range(5):
        log(output(b"x" * (CLIP_BYTES // 2 + 1)))
    log.close()
    data = b"".join(each.data for each in await everything(log) if isinstance(each, LogOutput))
    assert data == b"x" * CLIP_BYTES + CLIP_NOTICE


async def test_a_step_that_writes_byte_by_byte_is_clipped_too() -> None:
    log = ProgressLog(is_kept=True)
    for _ in range(CLIP_PIECES + 10):
        log(output(b"x"))
    log.close()
    assert [each.data for each in log.updates if isinstance(each, LogOutput)][-1].endswith(CLIP_NOTICE)
    assert len(log.updates) == CLIP_PIECES + 1


async def test_small_pieces_of_output_are_waited_for_as_large_ones_are() -> None:
    log = ProgressLog(is_kept=False)
    follower = log.follow()
    log(output(b"x"))
    await anext(follower)
    for _ in range(UNREAD_BYTES // 100):
        log(output(b"x"))
    waiting = asyncio.create_task(log.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    await anext(follower)
    await waiting
    await follower.aclose()  # type: ignore[attr-defined]


async def test_one_that_is_not_kept_waits_for_its_reader_and_lets_go() -> None:
    log = ProgressLog(is_kept=False)
    follower = log.follow()
    log(output(b"x" * (UNREAD_BYTES + 1)))
    await log.room()  # nobody reads yet, so nobody is waited for
    await anext(follower)
    assert log.updates == []
    log(output(b"x" * (UNREAD_BYTES + 1)))
    waiting = asyncio.create_task(log.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    await anext(follower)
    await waiting
    await follower.aclose()  # type: ignore[attr-defined]


async def test_an_observer_hears_at_once_and_nothing_is_kept() -> None:
    heard: list[Update] = []

    class Observer:
        def __call__(self, update: Update) -> None:
            heard.append(update)

        async def room(self) -> None:
            return

    log = ProgressLog(is_kept=False, observer=Observer())
    log(output(b"x"))
    await log.room()
    assert heard == [output(b"x")]
    assert log.updates == []
