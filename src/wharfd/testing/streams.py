"""Streams of processes that exist only as states, and execs.

runtime.say(container_id, b"hello")              # reaches whoever is attached
stdio = streams.stdio(container_id)              # the last connection to its monitor
stdio.written, stdio.is_stdin_closed, stdio.unread

process = streams.execs[-1]                      # the last exec
process.say(b"hello"); process.exit(3)
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from wharfd.model.errors import Conflict
from wharfd.model.ids import ContainerId
from wharfd.ports.streams import ExecRequest, Output
from wharfd.testing.fake import Fake
from wharfd.testing.runtime import FakeRuntime

STREAMS = {"stdout": 1, "stderr": 2}


class FakeStdio:
    """Both ends of a process's streams.  What is said waits until it is read; `full` makes writes to stdin wait."""

    def __init__(self) -> None:
        self.unread: list[Output] = []
        self.written = b""
        self.is_stdin_closed = False
        self.is_closed = False
        self.is_over = False  # no more output will come
        self.refuses_input = False
        self.full = False
        self.busy: set[str] = set()  # calls under way, of each of which there may be one
        self._changed = asyncio.Event()

    def say(self, data: bytes, stream: str = "stdout") -> None:
        self.unread.append(Output(STREAMS[stream], data))
        self.change()

    def end(self) -> None:
        self.is_over = True
        self.change()

    def change(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    @contextmanager
    def alone(self, call: str) -> Iterator[None]:
        if call in self.busy:
            raise AssertionError(f"two at once: {call}")
        self.busy.add(call)
        try:
            yield
        finally:
            self.busy.discard(call)

    # the port

    async def read(self) -> Sequence[Output]:
        with self.alone("read"):
            while not self.unread and not self.is_over and not self.is_closed:
                await self._changed.wait()
        if self.is_closed:
            return ()
        outputs, self.unread = self.unread, []
        return outputs

    async def write(self, data: bytes) -> bool:
        with self.alone("write"):
            while self.full and not self.is_closed:
                await self._changed.wait()
        if self.refuses_input or self.is_stdin_closed or self.is_closed or self.is_over:
            return False
        self.written += data
        self.change()
        return True

    def close_stdin(self) -> None:
        self.is_stdin_closed = True
        self.change()

    def close(self) -> None:
        self.is_closed = True
        self.change()


class FakeAttached(FakeStdio):
    """Of a container, by way of its monitor."""

    def __init__(self) -> None:
        super().__init__()
        self.ended = asyncio.Event()

    async def wait_process_end(self) -> None:
        await self.ended.wait()


class FakeExec(FakeStdio):
    def __init__(self, container_id: str, request: ExecRequest, pid: int) -> None:
        super().__init__()
        self.container_id = container_id
        self.request = request
        self.pid = pid
        self.size: tuple[int, int] | None = request.console_size
        self.code: int | None = None
        self._exited = asyncio.Event()

    def exit(self, code: int = 0, *, leaves_children: bool = False) -> None:
        """The process ends; `leaves_children`: somebody goes on who holds its output."""
        self.code = code
        self._exited.set()
        if not leaves_children:
            self.end()

    async def wait(self) -> int:
        await self._exited.wait()
        assert self.code is not None
        return self.code

    def kill(self) -> None:
        if self.code is None:
            self.exit(137)

    def resize(self, *, height: int, width: int) -> None:
        if self.request.terminal:
            self.size = (height, width)

    def close_stdin(self) -> None:
        if not self.request.terminal:
            super().close_stdin()

    async def wait_output_end(self) -> None:
        while not (self.is_over and not self.unread):
            await self._changed.wait()


class FakeStreams(Fake):
    """Ports `StdioDriver` and `ExecDriver`, for the processes of a `FakeRuntime`."""

    def __init__(self, runtime: FakeRuntime) -> None:
        super().__init__()
        self.runtime = runtime
        runtime.onlookers.append(self)
        self.attached: dict[str, list[FakeAttached]] = {}
        self.execs: list[FakeExec] = []
        self.sizes: dict[str, tuple[int, int]] = {}
        self.next_pid = 50_000

    def stdio(self, container_id: str) -> FakeAttached:
        return self.attached[container_id][-1]

    # what the runtime tells

    def said(self, container_id: str, stream: str, data: bytes) -> None:
        for stdio in self.attached.get(container_id, ()):
            if not stdio.is_closed:
                stdio.say(data, stream)

    def ended(self, container_id: str) -> None:
        for stdio in self.attached.get(container_id, ()):
            stdio.ended.set()
            stdio.end()
        for process in self.execs:
            if process.container_id == container_id and process.code is None:
                process.exit(137)

    # the ports

    async def attach(self, container_id: ContainerId) -> FakeAttached:
        self.enter("attach")
        self.runtime.demand(container_id)
        stdio = FakeAttached()
        self.attached.setdefault(container_id, []).append(stdio)
        return stdio

    async def resize(self, container_id: ContainerId, *, height: int, width: int) -> None:
        self.enter("resize")
        if not self.runtime.demand(container_id).launch.terminal:
            raise AssertionError("only terminals have a size")
        self.sizes[container_id] = (height, width)

    async def exec(self, container_id: ContainerId, request: ExecRequest) -> FakeExec:
        self.enter("exec")
        process = self.runtime.processes_by_id.get(container_id)
        if process is None or not process.is_alive:
            raise Conflict(f"container {container_id} is not running")
        if request.args[0] in self.runtime.missing_programs:
            raise self.runtime.missing_programs[request.args[0]]
        made = FakeExec(container_id, request, self.next_pid)
        self.next_pid += 1
        self.execs.append(made)
        return made
