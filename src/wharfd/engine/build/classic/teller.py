"""Turns what a build tells into the classic builder's text, step by step."""

import codecs
from collections.abc import Awaitable, Callable

from wharfd.engine.build.classic.request import Text, Told
from wharfd.engine.build.graph import Output
from wharfd.engine.build.progress import LogOutput, Update, VertexUpdate
from wharfd.model.ids import Digest

STDERR = 2
RED, RESET = "\x1b[91m", "\x1b[0m"


class Teller:
    """Satisfies `Observer`.  `tell` takes a piece of the stream; `wait` returns when more is welcome."""

    def __init__(
        self, tell: Callable[[Told], None], wait: Callable[[], Awaitable[None]], new_id: Callable[[], str]
    ) -> None:
        self.tell = tell
        self.wait = wait
        self.new_id = new_id
        self.cached: set[Digest] = set()
        self.awaited: Digest | None = None  # of the step that is being told of, if it runs a process
        self.running = ""
        self.decoders: dict[int, codecs.IncrementalDecoder] = {}

    async def room(self) -> None:
        await self.wait()

    def text(self, text: str) -> None:
        self.tell(Text(text))

    def __call__(self, update: Update) -> None:
        match update:
            case VertexUpdate(cached=True):
                self.cached.add(update.digest)
            case VertexUpdate(completed_ns=0) if update.started_ns and update.digest == self.awaited:
                self.begin_run()
            case LogOutput():
                self.output(update.stream, update.data)
            case _:
                pass

    def expect(self, output: Output | None) -> None:
        """The next step runs a process, and this is its outcome."""
        self.awaited = output.vertex.digest if output is not None else None

    def begin_run(self) -> None:
        """The first word of a step that is really done."""
        if not self.running:
            self.running = self.new_id()[:12]
            self.text(f" ---> Running in {self.running}\n")

    def end_run(self, *, removed: bool) -> None:
        self.flush()
        if self.running and removed:
            self.text(f" ---> Removed intermediate container {self.running}\n")
        self.running = ""
        self.awaited = None

    def output(self, stream: int, data: bytes) -> None:
        """Docker: what goes to stderr is red."""
        decoder = self.decoders.get(stream)
        if decoder is None:
            decoder = self.decoders[stream] = codecs.getincrementaldecoder("utf-8")("replace")
        self.put(stream, decoder.decode(data))

    def put(self, stream: int, text: str) -> None:
        if text:
            self.text(f"{RED}{text}{RESET}" if stream == STDERR else text)

    def flush(self) -> None:
        """A step has ended in the middle of a character."""
        for stream, decoder in self.decoders.items():
            self.put(stream, decoder.decode(b"", final=True))
        self.decoders.clear()
