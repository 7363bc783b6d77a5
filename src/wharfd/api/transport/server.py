"""Listens, owns the connections and the handlers' tasks, and ends them in an orderly way."""

import asyncio
import logging
import socket
import sys
from collections.abc import Awaitable, Callable
from email.utils import formatdate

from wharfd.api.transport import unixsocket
from wharfd.api.transport.connection import Connection
from wharfd.api.transport.hangup import HangupWatch
from wharfd.api.transport.request import ErrorResponse, Handler, Outcome, Request
from wharfd.api.transport.response import HeaderList, Response, encode_headers
from wharfd.model.errors import InvalidParameter
from wharfd.wire.http1 import MAX_HEAD_BYTES, MAX_HEADERS

log = logging.getLogger(__name__)

HEAD_TIMEOUT_S = 60.0
ABORT_AFTER_S = 2.0  # at shutdown, after the grace: how long cancelled handlers may take
SWEEP_S = 1.0


class Server:
    """`handler` gets every request.  `error_response` turns an exception (also HttpError, with no request) into an answer.

    `default_headers` gives the headers that every answer carries; a change shows within a second.  Must be made in a running loop.
    """

    def __init__(
        self,
        handler: Handler,
        *,
        error_response: ErrorResponse,
        default_headers: Callable[[], HeaderList] = tuple,
        max_head_bytes: int = MAX_HEAD_BYTES,
        max_headers: int = MAX_HEADERS,
        head_timeout_s: float = HEAD_TIMEOUT_S,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.handler = handler
        self.hangups = HangupWatch(self.loop)
        self.is_draining = False
        self.max_head_bytes = max_head_bytes
        self.max_headers = max_headers
        self.head_timeout_s = head_timeout_s
        self.connections: set[Connection] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self._error_response = error_response
        self._default_headers = default_headers
        self._lines = b""
        self._lines_until = 0.0
        self._listeners: list[asyncio.Server] = []
        self._paths: list[tuple[str, tuple[int, int]]] = []
        self._deadlines: dict[Connection, float] = {}
        self._sweeper: asyncio.TimerHandle | None = None
        self._quiet: asyncio.Future[None] | None = None

    # --- listening -------------------------------------------------------------------------------------------------------------

    async def serve_unix(self, path: str, mode: int = 0o660, gid: int | None = None) -> None:
        """Raises Conflict if another process listens at `path`, InvalidParameter if it is no socket, OSError."""
        sock = unixsocket.bind_unix(path, mode, gid)
        self._paths.append((path, unixsocket.identity(path)))
        await self._listen(sock)

    async def serve_fd(self, fd: int) -> None:
        """A listening UNIX socket that was inherited (systemd).  The file behind it is not ours and stays.

        Raises:
            InvalidParameter: it is no UNIX stream socket.
        """
        try:
            sock = socket.socket(fileno=fd)
        except OSError as error:
            raise InvalidParameter(f"file descriptor {fd} is not a socket") from error
        if sock.family != socket.AF_UNIX or sock.type != socket.SOCK_STREAM:
            sock.detach()
            raise InvalidParameter(f"file descriptor {fd} is not a UNIX stream socket")
        sock.set_inheritable(False)
        sock.setblocking(False)
        await self._listen(sock)

    async def _listen(self, sock: socket.socket) -> None:
        def connect() -> Connection:
            return Connection(self, self.loop)

        if sys.version_info >= (3, 13):  # from there on the loop would unlink the socket's file by itself
            listener = await self.loop.create_unix_server(
                connect, sock=sock, backlog=unixsocket.BACKLOG, cleanup_socket=False
            )
        else:
            listener = await self.loop.create_unix_server(connect, sock=sock, backlog=unixsocket.BACKLOG)
        self._listeners.append(listener)

    async def shutdown(self, grace_s: float) -> None:
        """Stop listening, end idle connections and endless answers, let the other requests finish for `grace_s` seconds.

        What still runs after that is cancelled, and its connection closed.  Returns when no handler runs any more.
        """
        if self.is_draining:
            raise RuntimeError("shut down twice")
        self.is_draining = True
        for listener in self._listeners:
            listener.close()
        for path, ours in self._paths:
            unixsocket.unlink_if_ours(path, ours)
        for connection in list(self.connections):
            connection.drain_now()
        await self._wait_quiet(grace_s)
        if self.tasks:
            log.warning("shutdown: cancelling %d requests after %.1f s", len(self.tasks), grace_s)
        for task in list(self.tasks):
            task.cancel()
        await self._wait_quiet(ABORT_AFTER_S)
        for connection in list(self.connections):
            connection.transport.abort()
        if self._sweeper is not None:
            self._sweeper.cancel()
        self.hangups.close()

    async def _wait_quiet(self, timeout_s: float) -> None:
        """Returns when nothing is connected and nothing runs, or after `timeout_s`."""
        if not self.connections and not self.tasks:
            return
        self._quiet = self.loop.create_future()
        try:
            async with asyncio.timeout(timeout_s):
                await self._quiet
        except TimeoutError:
            pass
        finally:
            self._quiet = None

    def _check_quiet(self) -> None:
        if self._quiet is not None and not self._quiet.done() and not self.connections and not self.tasks:
            self._quiet.set_result(None)

    # --- what connections ask for ----------------------------------------------------------------------------------------------

    def opened(self, connection: Connection) -> None:
        self.connections.add(connection)

    def closed(self, connection: Connection) -> None:
        self.connections.discard(connection)
        self._deadlines.pop(connection, None)
        if self._quiet is not None:
            self._check_quiet()

    def spawn(self, connection: Connection, request: Request, work: Awaitable[Outcome]) -> asyncio.Task[None]:
        """Run a handler.  The server owns the task: it keeps it alive and waits for it at shutdown."""
        name = f"request:{request.method} {request.path}"
        task = self.loop.create_task(connection.run(request, work), name=name)
        self.tasks.add(task)
        task.add_done_callback(self._task_done)
        return task

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("task=%s failed error=%s", task.get_name(), error, exc_info=error)
        if self._quiet is not None:
            self._check_quiet()

    def error_response(self, request: Request | None, error: BaseException) -> Response:
        return self._error_response(request, error)

    def header_lines(self) -> bytes:
        """The default headers and the date, encoded once per second."""
        now = self.loop.time()
        if now >= self._lines_until:
            headers = [*self._default_headers(), ("Date", formatdate(usegmt=True))]
            self._lines = encode_headers(headers)
            self._lines_until = now + 1.0
        return self._lines

    def set_head_deadline(self, connection: Connection) -> None:
        self.set_deadline(connection, self.head_timeout_s)

    def set_deadline(self, connection: Connection, after_s: float | None) -> None:
        """Call `connection.timed_out` then (checked once per second); None takes the deadline away."""
        if after_s is None:
            self._deadlines.pop(connection, None)
            return
        self._deadlines[connection] = self.loop.time() + after_s
        if self._sweeper is None:
            self._sweeper = self.loop.call_later(min(SWEEP_S, after_s), self._sweep)

    def _sweep(self) -> None:
        now = self.loop.time()
        for connection in [connection for connection, when in self._deadlines.items() if when <= now]:
            del self._deadlines[connection]
            connection.timed_out()
        self._sweeper = self.loop.call_later(SWEEP_S, self._sweep) if self._deadlines else None
