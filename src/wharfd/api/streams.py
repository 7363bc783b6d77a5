"""Answers that are a stream: JSON lines of progress, JSON lines of events, frames of output.  Owns what happens to an error in mid-stream.

Nothing is sent before the first item is there, so that an early exception becomes a status code (`flush_head=True` where Docker sends
the head at once).  After that an error is a line with `errorDetail` and `error`, a frame on stream 3 for multiplexed output, and a
broken body for raw output.

    await send_progress(request, lambda progress: pull(ref, progress))       # CRLF lines; progress.put(doc), await progress.send(doc)
    await send_lines(request, map_events(subscription), content_type=…)      # LF lines, one per item
    return StreamResponse(body=framed(chunks), …)                            # (stream, bytes) pairs into frames

A slow reader never stalls work that reports with `put`: the newest progress of an id takes the place of an unsent older one.  Lines
without id wait in a bounded queue, and `send` waits for room in it.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable

import msgspec

from wharfd.api.errors import message_of
from wharfd.api.transport import ClientGone, Request, ResponseStream
from wharfd.api.transport.response import HeaderList
from wharfd.model.json import Json, JsonObject
from wharfd.wire.stdcopy import Stream, frame

log = logging.getLogger(__name__)

QUEUE_LINES = 256  # unsent lines at which `send` waits
BATCH_BYTES = 64 * 1024  # lines that wait are sent together up to this size

_encode = msgspec.json.Encoder().encode


class Progress:
    """Lines on their way from the work to the client.

    A line with an `id` whose text is still unsent is replaced by a newer one of the same id, in its place, unless it was put as
    `terminal`.  Terminal lines and lines without id are never dropped.
    """

    def __init__(self, separator: bytes = b"\r\n", limit: int = QUEUE_LINES) -> None:
        self._separator = separator
        self._limit = limit
        self._lines: deque[list[Json]] = deque()  # one-element lists: a slot whose document may be replaced
        self._open: dict[str, list[Json]] = {}  # by id, the unsent slots that may be replaced
        self._has_lines = asyncio.Event()
        self._has_room = asyncio.Event()
        self._has_room.set()
        self.is_over = False  # nobody reads any more; what is put is thrown away

    def put(self, doc: JsonObject, *, terminal: bool = False) -> None:
        """Never waits.  For progress of a bounded number of ids and for single lines."""
        if self.is_over:
            return
        key = doc.get("id", "")
        slot = self._open.pop(key, None) if key else None
        if slot is not None:
            slot[0] = doc
        else:
            slot = [doc]
            self._lines.append(slot)
            if len(self._lines) >= self._limit:
                self._has_room.clear()
        if key and not terminal:
            self._open[key] = slot
        self._has_lines.set()

    async def send(self, doc: JsonObject) -> None:
        """As `put` with `terminal`, but waits while the reader is behind.  For output of unknown length (build, load)."""
        await self._has_room.wait()
        self.put(doc, terminal=True)

    async def room(self) -> None:
        """Returns when the reader is not too far behind."""
        await self._has_room.wait()

    def close(self) -> None:
        """The reader has gone: let waiting work go on."""
        self.is_over = True
        self._lines.clear()
        self._open.clear()
        self._has_room.set()
        self._has_lines.set()

    @property
    def has_lines(self) -> bool:
        return bool(self._lines)

    def wake(self) -> None:
        """Lets `wait` return though there may be nothing."""
        self._has_lines.set()

    async def wait(self) -> None:
        """Returns when there is something to take, or after `wake`."""
        await self._has_lines.wait()

    def take(self) -> bytes:
        """Encoded lines, up to about BATCH_BYTES; empty if none wait."""
        pieces: list[bytes] = []
        size = 0
        while self._lines and size < BATCH_BYTES:
            doc = self._lines.popleft()[0]
            key = doc.get("id", "")
            if key:
                self._open.pop(key, None)
            piece = _encode(doc) + self._separator
            pieces.append(piece)
            size += len(piece)
        if not self._lines:
            self._has_lines.clear()
        if len(self._lines) < self._limit:
            self._has_room.set()
        return b"".join(pieces)


def error_line(error: BaseException) -> JsonObject:
    """Docker: `error` repeats the message for clients that are older than `errorDetail`."""
    text = message_of(error)
    return {"errorDetail": {"message": text}, "error": text}


async def send_progress(
    request: Request,
    work: Callable[[Progress], Awaitable[object]],
    *,
    content_type: str = "application/json",
    separator: bytes = b"\r\n",
    headers: HeaderList = (),
) -> None:
    """Runs `work` and sends what it reports.  Its exception is raised if nothing was reported before, else it is the last line.

    Work is cancelled with the request, and with nothing else: if the client stops reading it goes on until its end or until the
    transport cancels the request (`cancel_on_disconnect`).
    """
    progress = Progress(separator)
    stream = request.stream(200, [("Content-Type", content_type), *headers])
    failures: list[Exception] = []

    async def guarded() -> None:
        try:
            await work(progress)
        except Exception as error:  # noqa: BLE001  becomes the status or the last line
            failures.append(error)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(guarded(), name=f"work:{request.path}")
        task.add_done_callback(lambda _: progress.wake())
        try:
            await pump_progress(stream, progress, task)
        except ClientGone:
            progress.close()
    if failures:
        finish_with_error(request, stream, failures[0], separator)
    elif not progress.is_over:
        stream.flush_head()


async def pump_progress(stream: ResponseStream, progress: Progress, task: asyncio.Task[None]) -> None:
    while True:
        await progress.wait()
        while data := progress.take():
            await stream.send(data)
        if task.done() and not progress.has_lines:
            return


def finish_with_error(request: Request, stream: ResponseStream, error: Exception, separator: bytes) -> None:
    """As a status if the head is not out yet (by raising it), else as the last line."""
    if not stream.head_sent:
        raise error
    log.warning("request=%r failed in mid-stream error=%s", request, error)
    try:
        stream.send_now(_encode(error_line(error)) + separator)
    except ClientGone:
        pass


async def send_lines(
    request: Request,
    items: AsyncIterable[Json],
    *,
    content_type: str,
    prefix: bytes = b"",
    separator: bytes = b"\n",
    flush_head: bool = False,
    endless: bool = False,
) -> None:
    """One JSON document per item, sent as it comes.  `prefix` 0x1E makes it a JSON text sequence (RFC 7464).

    An exception before the first item is raised (with `flush_head` it is a line too); the iterator is closed in every case.
    """
    stream = request.stream(200, [("Content-Type", content_type)], endless=endless)
    iterator = aiter(items)
    try:
        if flush_head:
            stream.flush_head()
        async for item in iterator:
            await stream.send(prefix + _encode(item) + separator)
    except ClientGone:
        return
    except Exception as error:  # noqa: BLE001  becomes the status or the last line
        finish_with_error(request, stream, error, separator)
    finally:
        await close_iterator(iterator)


async def framed(chunks: AsyncIterable[tuple[int, bytes]]) -> AsyncIterator[bytes]:
    """(stream, bytes) pairs as frames; an exception becomes a last frame on stream 3 once something was sent."""
    has_begun = False
    iterator = aiter(chunks)
    try:
        async for number, data in iterator:
            has_begun = True
            yield frame(number, data)
    except Exception as error:
        if not has_begun:
            raise
        log.warning("output stream failed error=%s", error)
        yield frame(Stream.SYSTEM_ERROR, message_of(error).encode())
    finally:
        await close_iterator(iterator)


async def close_iterator(iterator: AsyncIterator[object]) -> None:
    close = getattr(iterator, "aclose", None)
    if close is not None:
        await close()
