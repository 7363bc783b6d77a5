"""Execs: create, start, resize, inspect.

What can be refused is refused before the connection is taken over.  After that a failure to start is text on the stream, as a shell's
message would be, and the exit code tells the rest.
"""

from collections.abc import Sequence

from wharfd.api.codec.execs import decode_create, decode_start, encode_created, encode_exec, size_of
from wharfd.api.conversation import converse
from wharfd.api.errors import message_of
from wharfd.api.handlers import attach
from wharfd.api.handlers.attach import DONE, content_type
from wharfd.api.jsonbody import read_json
from wharfd.api.params import form
from wharfd.api.router import Route
from wharfd.api.transport import HijackedStream, Request, Response, json_response
from wharfd.engine.execs.create import CreateExec
from wharfd.engine.execs.inspect import InspectExec
from wharfd.engine.execs.resize import ResizeExec
from wharfd.engine.execs.start import StartExec
from wharfd.model.errors import Conflict, EngineError
from wharfd.wire.stdcopy import Stream, frame


class ExecHandlers:
    def __init__(self, *, create: CreateExec, start: StartExec, inspect: InspectExec, resize: ResizeExec) -> None:
        self.use_create = create
        self.use_start = start
        self.use_inspect = inspect
        self.use_resize = resize

    def routes(self) -> Sequence[Route]:
        return [
            Route(method="POST", pattern="/containers/{id}/exec", handler=self.create, name="exec.create"),
            Route(method="POST", pattern="/exec/{id}/start", handler=self.start, name="exec.start"),
            Route(method="POST", pattern="/exec/{id}/resize", handler=self.resize, name="exec.resize"),
            Route(method="GET", pattern="/exec/{id}/json", handler=self.inspect, name="exec.inspect"),
        ]

    async def create(self, request: Request) -> Response:
        config = decode_create(await read_json(request), request.version)
        return json_response(encode_created(await self.use_create(request.params["id"], config)), 201)

    async def start(self, request: Request) -> Response | None:
        asked = decode_start(await read_json(request), request.version)
        exec_id = self.use_start.find(request.params["id"]).id
        framed = not asked.tty  # Docker: the word of the start, not of the create
        try:
            claimed = self.use_start.claim(exec_id)
        except Conflict as error:
            if asked.detach:
                raise
            # Docker: that it was started before is text on the stream; `docker compose watch` attaches, then starts once more.
            await tell(await request.hijack(content_type(request, framed=framed)), error, framed=framed)
            return None
        if asked.detach:
            await self.use_start.launch(claimed, detach=True)
            return DONE
        try:
            line = await request.hijack(content_type(request, framed=framed))
        except BaseException:
            self.use_start.release(claimed)
            raise
        try:
            session = await self.use_start.launch(
                claimed, console_size=size_of(asked.console_size) if asked.tty else None
            )
        except EngineError as error:
            await tell(line, error, framed=framed)
            return None
        try:
            await converse(line, session, framed=framed)
        finally:
            session.leave()
        return None

    async def resize(self, request: Request) -> Response:
        height, width = attach.size_of(await form(request))
        self.use_resize(request.params["id"], height=height, width=width)
        return DONE

    def inspect(self, request: Request) -> Response:
        return json_response(encode_exec(self.use_inspect(request.params["id"])))


async def tell(line: HijackedStream, error: EngineError, *, framed: bool) -> None:
    """Docker: on stdout, whichever streams are attached."""
    text = f"{message_of(error)}\r\n".encode()
    await line.write(frame(Stream.STDOUT, text) if framed else text)
    await line.write_eof()
