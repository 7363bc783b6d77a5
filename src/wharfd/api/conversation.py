"""A hijacked connection and the process at its other end: output to the client, the client's input to the process, each at its own pace.

outcome of                                       the conversation
no more output                                   ends; the client reads to the end of input
the client's input is over (half-close)          goes on or ends, as the session says
the detach keys                                  ends
the client has gone                              ends
the client has stopped reading for too long      ends, and its connection is broken off
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from wharfd.api.transport import ClientGone
from wharfd.wire.stdcopy import frames

Outputs = Sequence[tuple[int, bytes]]  # number of the stream (1 stdout, 2 stderr), and what was written to it
INPUT_BYTES = 256 * 1024  # of one read
HEAD_TIME_S = (
    0.1  # that a client may take for the head before the first output follows (see `HijackedStream.wait_read`)
)


class Line(Protocol):
    """The client's side (`HijackedStream`, or a WebSocket over one)."""

    async def read(self, limit: int = ...) -> bytes: ...

    async def write(self, data: bytes) -> None: ...

    async def wait_read(self, limit_s: float) -> None: ...

    async def write_eof(self) -> None: ...

    async def wait_closed(self) -> None: ...

    def abort(self) -> None: ...


class Session(Protocol):
    """The process's side (`engine.containers.attach.Session`, `engine.execs.session.ExecSession`)."""

    @property
    def takes_input(self) -> bool: ...

    @property
    def was_cut(self) -> bool: ...

    def when_cut(self, call: Callable[[], None]) -> None: ...

    async def read(self) -> Outputs: ...

    async def feed(self, data: bytes) -> bool: ...

    async def input_over(self) -> bool: ...


async def converse(line: Line, session: Session, *, framed: bool) -> None:
    """Returns when it is over.  `framed`: stdout and stderr go in frames of their own."""
    over = asyncio.Event()

    async def send() -> None:
        try:
            outputs = await session.read()
            await line.wait_read(HEAD_TIME_S)
            while outputs:
                for data in encoded(outputs, framed):
                    await line.write(data)
                await asyncio.sleep(0)  # two that are always ready would leave the loop to nobody else
                outputs = await session.read()
        except ClientGone:
            pass
        over.set()

    async def receive() -> None:
        while data := await line.read(INPUT_BYTES):
            if await session.feed(data):
                over.set()
                return
        if await session.input_over():
            over.set()

    async def watch() -> None:
        await line.wait_closed()
        over.set()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(send(), name="stream-out"), group.create_task(watch(), name="stream-watch")]
        session.when_cut(over.set)
        if session.takes_input:
            tasks.append(group.create_task(receive(), name="stream-in"))
        await over.wait()
        for task in tasks:
            task.cancel()
    if session.was_cut:
        line.abort()
    else:
        await line.write_eof()


def encoded(outputs: Outputs, framed: bool) -> Iterable[bytes]:
    if framed:
        return (frames(stream, data) for stream, data in outputs)
    return (data for _, data in outputs)
