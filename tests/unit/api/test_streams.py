"""Progress, events and frames through a real channel over a transport that records what is written."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import cast

import pytest

from wharfd.api import streams
from wharfd.api.transport import Request
from wharfd.api.transport.channel import Channel
from wharfd.api.transport.hangup import HangupWatch
from wharfd.model.errors import Conflict, NotFound
from wharfd.model.json import Json
from wharfd.wire.http1 import ChunkedDecoder, parse_head
from wharfd.wire.stdcopy import Decoder


class Recorder:
    """The few methods of a transport that an answer uses."""

    def __init__(self) -> None:
        self.written = bytearray()
        self.closing = False

    def write(self, data: bytes) -> None:
        self.written += data

    def writelines(self, pieces: list[bytes]) -> None:
        self.written += b"".join(pieces)

    def is_closing(self) -> bool:
        return self.closing

    def set_write_buffer_limits(self, high: int) -> None: ...


class Exchange:
    def __init__(self) -> None:
        self.channel = Channel(asyncio.get_running_loop(), cast("HangupWatch", None))
        self.transport = Recorder()
        self.channel.transport = cast("asyncio.Transport", self.transport)
        self.request = Request(self.channel, parse_head(b"POST /x HTTP/1.1\r\n\r\n"))

    def body(self) -> bytes:
        """What has been sent after the head."""
        head, _, rest = bytes(self.transport.written).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n"), head
        return ChunkedDecoder().feed(rest)

    def lines(self, separator: bytes = b"\r\n") -> list[Json]:
        body = self.body()
        assert not body or body.endswith(separator)
        return [json.loads(line) for line in body.split(separator)[:-1]]


def status(text: str, **more: object) -> dict[str, object]:
    return {"status": text, **more}


# --- progress --------------------------------------------------------------------------------------------------------------------


async def test_lines_end_in_crlf() -> None:
    exchange = Exchange()

    async def work(progress: streams.Progress) -> None:
        progress.put(status("a"))
        await progress.send({"stream": "b\n"})

    await streams.send_progress(exchange.request, work)
    assert exchange.body() == b'{"status":"a"}\r\n{"stream":"b\\n"}\r\n'
    assert b"Content-Type: application/json\r\n" in exchange.transport.written


async def test_an_error_before_the_first_line_is_raised() -> None:
    exchange = Exchange()

    async def work(progress: streams.Progress) -> None:
        await asyncio.sleep(0)
        raise NotFound("manifest unknown")

    with pytest.raises(NotFound, match="manifest unknown"):
        await streams.send_progress(exchange.request, work)
    assert exchange.transport.written == b""


async def test_an_error_after_a_line_is_the_last_line() -> None:
    exchange = Exchange()

    async def work(progress: streams.Progress) -> None:
        progress.put(status("a"))
        raise Conflict("disk full")

    await streams.send_progress(exchange.request, work)
    assert exchange.lines() == [status("a"), {"errorDetail": {"message": "disk full"}, "error": "disk full"}]


async def test_work_without_lines_is_an_empty_success() -> None:
    exchange = Exchange()

    async def work(progress: streams.Progress) -> None:
        await asyncio.sleep(0)

    await streams.send_progress(exchange.request, work)
    assert exchange.lines() == []


async def run_while_blocked(work: Callable[[streams.Progress], Awaitable[None]]) -> Exchange:
    """The client takes nothing more after the first line, until work has done all it can; then it reads the rest."""
    exchange = Exchange()

    async def begin(progress: streams.Progress) -> None:
        progress.put(status("begin"))
        exchange.channel.pause_writing()
        await asyncio.sleep(0.01)
        await work(progress)

    async with asyncio.TaskGroup() as group:
        group.create_task(streams.send_progress(exchange.request, begin))
        await asyncio.sleep(0.05)
        assert exchange.lines() == [status("begin")]
        exchange.channel.resume_writing()
    assert exchange.lines()[0] == status("begin")
    return exchange


async def test_the_newest_progress_of_an_id_replaces_an_unsent_older_one() -> None:
    async def work(progress: streams.Progress) -> None:
        for number in range(1000):
            progress.put(status("Downloading", id="a", n=number))
            progress.put(status("Downloading", id="b", n=number))

    exchange = await run_while_blocked(work)
    assert exchange.lines()[1:] == [status("Downloading", id="a", n=999), status("Downloading", id="b", n=999)]


async def test_terminal_lines_and_lines_without_id_are_kept_in_order() -> None:
    async def work(progress: streams.Progress) -> None:
        progress.put(status("Downloading", id="a", n=1))
        progress.put(status("Downloading", id="a", n=2))
        progress.put(status("Download complete", id="a"), terminal=True)
        progress.put(status("note"))
        progress.put(status("Extracting", id="a", n=1))
        progress.put(status("Extracting", id="a", n=2))
        progress.put(status("Pull complete", id="a"), terminal=True)
        progress.put(status("note"))

    exchange = await run_while_blocked(work)
    assert [line["status"] for line in exchange.lines()[1:]] == ["Download complete", "note", "Pull complete", "note"]


async def test_send_waits_while_the_reader_is_behind() -> None:
    sent = 0

    async def work(progress: streams.Progress) -> None:
        nonlocal sent
        for number in range(5000):
            await progress.send({"stream": str(number)})
            sent += 1

    exchange = Exchange()
    exchange.channel.pause_writing()
    async with asyncio.TaskGroup() as group:
        group.create_task(streams.send_progress(exchange.request, work))
        await asyncio.sleep(0.05)
        assert sent <= 2 * streams.QUEUE_LINES
        exchange.channel.resume_writing()
    assert [line["stream"] for line in exchange.lines()] == [str(number) for number in range(5000)]


async def test_work_goes_on_when_the_client_has_left() -> None:
    exchange = Exchange()
    done = []

    async def work(progress: streams.Progress) -> None:
        for _ in range(3 * streams.QUEUE_LINES):
            await progress.send(status("x"))
        exchange.transport.closing = True
        for _ in range(3 * streams.QUEUE_LINES):
            await progress.send(status("x"))
        done.append(True)

    await streams.send_progress(exchange.request, work)
    assert done == [True]


async def test_cancelling_the_request_cancels_the_work() -> None:
    exchange = Exchange()
    outcome = []

    async def work(progress: streams.Progress) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            outcome.append("ended")

    task = asyncio.get_running_loop().create_task(streams.send_progress(exchange.request, work))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert outcome == ["ended"]


# --- lines -----------------------------------------------------------------------------------------------------------------------


async def items(*values: Json, error: Exception | None = None, closed: list[bool] | None = None) -> AsyncIterator[Json]:
    try:
        for value in values:
            yield value
        if error is not None:
            raise error
    finally:
        if closed is not None:
            closed.append(True)


async def test_events_end_in_a_line_feed() -> None:
    exchange = Exchange()
    await streams.send_lines(exchange.request, items({"a": 1}, {"b": 2}), content_type="application/x-ndjson")
    assert exchange.body() == b'{"a":1}\n{"b":2}\n'


async def test_a_json_text_sequence() -> None:
    exchange = Exchange()
    await streams.send_lines(exchange.request, items({"a": 1}), content_type="application/json-seq", prefix=b"\x1e")
    assert exchange.body() == b'\x1e{"a":1}\n'


async def test_an_error_before_the_first_item_is_raised_and_the_iterator_closed() -> None:
    exchange, closed = Exchange(), list[bool]()
    with pytest.raises(Conflict):
        await streams.send_lines(exchange.request, items(error=Conflict("x"), closed=closed), content_type="a/b")
    assert exchange.transport.written == b""
    assert closed == [True]


async def test_with_a_flushed_head_it_is_a_line() -> None:
    exchange = Exchange()
    await streams.send_lines(exchange.request, items(error=Conflict("x")), content_type="a/b", flush_head=True)
    assert exchange.lines(b"\n") == [{"errorDetail": {"message": "x"}, "error": "x"}]


async def test_the_iterator_is_closed_when_the_client_leaves() -> None:
    exchange, closed = Exchange(), list[bool]()
    exchange.transport.closing = True
    await streams.send_lines(exchange.request, items({}, {}, closed=closed), content_type="a/b")
    assert closed == [True]


async def test_an_endless_stream_says_so() -> None:
    exchange = Exchange()
    await streams.send_lines(exchange.request, items(), content_type="a/b", endless=True)
    assert exchange.request.endless


# --- frames ----------------------------------------------------------------------------------------------------------------------


async def output(*pieces: tuple[int, bytes], error: Exception | None = None) -> AsyncIterator[tuple[int, bytes]]:
    for piece in pieces:
        yield piece
    if error is not None:
        raise error


async def collect(chunks: AsyncIterator[bytes]) -> list[tuple[int, bytes]]:
    return Decoder().feed(b"".join([chunk async for chunk in chunks]))  # type: ignore[return-value]


async def test_frames() -> None:
    assert await collect(streams.framed(output((1, b"out"), (2, b"err")))) == [(1, b"out"), (2, b"err")]


async def test_an_error_after_output_is_a_frame_of_its_own() -> None:
    assert await collect(streams.framed(output((1, b"out"), error=Conflict("lost")))) == [(1, b"out"), (3, b"lost")]


async def test_an_error_before_output_is_raised() -> None:
    with pytest.raises(Conflict):
        await collect(streams.framed(output(error=Conflict("lost"))))
