"""Attaching to a container: over a hijacked connection, and over a WebSocket; and the size of its terminal.

Docker: what is wrong with an attach is told on the connection as it was taken over, with a status line, no JSON, and the end of the
connection as the end of the text.
"""

import re
from collections.abc import AsyncIterator, Sequence
from http import HTTPStatus

from wharfd.api.conversation import HEAD_TIME_S, Line, converse
from wharfd.api.errors import message_of, status_of
from wharfd.api.params import flag, form
from wharfd.api.router import Route
from wharfd.api.transport import ClientGone, Request, Response
from wharfd.api.transport.stream import switch_head
from wharfd.api.versions.behaviour import Behaviour
from wharfd.api.websocket import WebSocketLine
from wharfd.engine.containers.attach import Attach, AttachRequest, Session
from wharfd.engine.execs.resize import ResizeContainer
from wharfd.model.errors import EngineError, InvalidParameter
from wharfd.wire.stdcopy import Decoder
from wharfd.wire.target import Query
from wharfd.wire.websocket import accept_headers

RAW = "application/vnd.docker.raw-stream"
MULTIPLEXED = "application/vnd.docker.multiplexed-stream"
DONE = Response(200)
_NUMBER = re.compile(r"[+-]?[0-9]+")


def content_type(request: Request, *, framed: bool) -> str:
    """Docker: a plain 200 says raw-stream, framed or not."""
    announces = Behaviour.for_version(request.version).announces_multiplexed_stream
    return MULTIPLEXED if framed and announces and request.head.upgrade else RAW


class AttachHandlers:
    def __init__(self, *, attach: Attach, resize: ResizeContainer) -> None:
        self.use_attach = attach
        self.use_resize = resize

    def routes(self) -> Sequence[Route]:
        return [
            Route(method="POST", pattern="/containers/{id}/attach", handler=self.attach, name="containers.attach"),
            Route(
                method="GET", pattern="/containers/{id}/attach/ws", handler=self.attach_ws, name="containers.attach_ws"
            ),
            Route(method="POST", pattern="/containers/{id}/resize", handler=self.resize, name="containers.resize"),
        ]

    async def attach(self, request: Request) -> None:
        try:
            session = await self.open(request)
        except EngineError as error:
            await refuse(request, error)
            return
        try:
            framed = not session.has_tty
            line = await request.hijack(content_type(request, framed=framed))
            await talk(line, session, session.replay(), framed=framed)
        finally:
            await session.close()

    async def open(self, request: Request) -> Session:
        query = await form(request)
        return await self.use_attach(
            request.params["id"],
            attach_request(
                query, stdin=flag(query, "stdin"), stdout=flag(query, "stdout"), stderr=flag(query, "stderr")
            ),
        )

    async def attach_ws(self, request: Request) -> None:
        """Docker: stdout and stderr are never told apart, and below 1.42 all three streams are always attached."""
        behaviour = Behaviour.for_version(request.version)
        query = request.query
        headers = accept_headers(request.headers)
        everything = not behaviour.websocket_selects_streams
        session = await self.use_attach(
            request.params["id"],
            attach_request(
                query,
                stdin=everything or flag(query, "stdin"),
                stdout=everything or flag(query, "stdout"),
                stderr=everything or flag(query, "stderr"),
            ),
        )
        try:
            stream = await request.hijack_without_head()
            await stream.write(switch_head(headers, b""))
            blocks = session.replay() if session.has_tty else unframed(session.replay())
            await talk(WebSocketLine(stream, is_binary=behaviour.websocket_binary), session, blocks, framed=False)
        finally:
            await session.close()

    async def resize(self, request: Request) -> Response:
        height, width = size_of(await form(request))
        await self.use_resize(request.params["id"], height=height, width=width)
        return DONE


def attach_request(query: Query, *, stdin: bool, stdout: bool, stderr: bool) -> AttachRequest:
    return AttachRequest(
        stream=flag(query, "stream"),
        logs=flag(query, "logs"),
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        detach_keys=query.get("detachKeys", ""),
    )


async def talk(line: Line, session: Session, replay: AsyncIterator[bytes], *, framed: bool) -> None:
    has_begun = False
    async for block in replay:
        if not has_begun:
            has_begun = True
            await line.wait_read(HEAD_TIME_S)
        await line.write(block)
    if session.is_live:
        await converse(line, session, framed=framed)
    else:
        await line.write_eof()


async def unframed(blocks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The payloads of framed output."""
    decoder = Decoder()
    async for block in blocks:
        data = b"".join(payload for _, payload in decoder.feed(block))
        if data:
            yield data


async def refuse(request: Request, error: EngineError) -> None:
    status = status_of(error)
    line = await request.hijack_without_head()
    head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: {RAW}\r\n\r\n"
    try:
        await line.write(f"{head}{message_of(error)}\r\n".encode())
    except ClientGone:
        return
    await line.write_eof()


def size_of(query: Query) -> tuple[int, int]:
    """`h` and `w`.  Raises InvalidParameter with dockerd's text."""
    return dimension(query, "h", "height"), dimension(query, "w", "width")


def dimension(query: Query, key: str, name: str) -> int:
    text = query.get(key, "")
    if _NUMBER.fullmatch(text) is None:
        raise InvalidParameter(f'invalid resize {name} "{text}": invalid syntax')
    if len(text) > 20 or not 0 <= int(text) < 1 << 32:
        raise InvalidParameter(f'invalid resize {name} "{text}": value out of range')
    return int(text)
