"""A server on a real UNIX socket, and a client that sends and receives exactly what a test says."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from wharfd.api.transport import Outcome, Request, Response, Server

RouteHandler = Callable[[Request], Outcome | Awaitable[Outcome]]


@dataclass(frozen=True)
class Answer:
    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        found = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(found) <= 1, found
        return found[0] if found else None


class Client:
    """Small receive buffer in user space; every method fails after some seconds instead of hanging."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.loop = asyncio.get_running_loop()
        self.buffer = b""

    async def send(self, data: str | bytes) -> None:
        async with asyncio.timeout(20):
            await self.loop.sock_sendall(self.sock, data.encode("latin-1") if isinstance(data, str) else data)

    async def request(self, first: str, *lines: str, body: bytes = b"", version: str = "HTTP/1.1") -> None:
        head = "".join(f"{line}\r\n" for line in (f"{first} {version}", *lines))
        await self.send(head.encode("latin-1") + b"\r\n" + body)

    async def more(self) -> bool:
        """False at the end of input.  Raises ConnectionResetError on a reset."""
        async with asyncio.timeout(20):
            data = await self.loop.sock_recv(self.sock, 1 << 16)
        self.buffer += data
        return bool(data)

    async def take(self, size: int) -> bytes:
        pieces, missing = [], size
        while missing:
            if not self.buffer:
                assert await self.more(), "end of input"
            piece, self.buffer = self.buffer[:missing], self.buffer[missing:]
            pieces.append(piece)
            missing -= len(piece)
        return b"".join(pieces)

    async def take_until(self, mark: bytes) -> bytes:
        while mark not in self.buffer:
            assert await self.more(), f"end of input after {self.buffer!r}"
        data, mark, self.buffer = self.buffer.partition(mark)
        return data + mark

    async def take_all(self) -> bytes:
        """To the end of input."""
        while await self.more():
            pass
        data, self.buffer = self.buffer, b""
        return data

    async def head(self) -> Answer:
        first, *lines = (await self.take_until(b"\r\n\r\n"))[:-4].decode("latin-1").split("\r\n")
        version, status, reason = first.split(" ", 2)
        assert version in {"HTTP/1.0", "HTTP/1.1"}
        headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        return Answer(int(status), reason, headers, b"")

    async def answer(self, head_only: bool = False) -> Answer:
        found = await self.head()
        body = b""
        length = found.header("Content-Length")
        if head_only or found.status in {204, 304} or found.status < 200:
            pass
        elif found.header("Transfer-Encoding") == "chunked":
            assert length is None
            while piece := await self.chunk():
                body += piece
        elif length is not None:
            body = await self.take(int(length))
        else:
            body = await self.take_all()
        return Answer(found.status, found.reason, found.headers, body)

    async def chunk(self) -> bytes:
        size = int(await self.take_until(b"\r\n"), 16)
        data = await self.take(size)
        assert await self.take(2) == b"\r\n"
        return data

    def half_close(self) -> None:
        self.sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.sock.close()


class Rig:
    """Handlers by path; `default_headers` is one header that every answer must carry."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.routes: dict[str, RouteHandler] = {}
        self.cancelling: set[str] = set()
        self.clients: list[Client] = []
        self.errors: list[BaseException] = []
        self.loop_errors: list[dict[str, object]] = []  # what went wrong in callbacks of the loop
        asyncio.get_running_loop().set_exception_handler(lambda _, context: self.loop_errors.append(context))
        self.server = self.make_server()

    def make_server(self, head_timeout_s: float = 60.0) -> Server:
        return Server(
            self.handle,
            error_response=self.error_response,
            default_headers=lambda: [("Api-Version", "9.9")],
            head_timeout_s=head_timeout_s,
        )

    def handle(self, request: Request) -> Outcome | Awaitable[Outcome]:
        request.cancel_on_disconnect = request.path in self.cancelling
        handler = self.routes.get(request.path)
        return Response(404, [], b"no route\n") if handler is None else handler(request)

    def error_response(self, request: Request | None, error: BaseException) -> Response:
        self.errors.append(error)
        return Response(getattr(error, "status", 500), [("Content-Type", "text/plain")], str(error).encode())

    def on(self, path: str, *, cancel: bool = False) -> Callable[[RouteHandler], RouteHandler]:
        def register(handler: RouteHandler) -> RouteHandler:
            self.routes[path] = handler
            if cancel:
                self.cancelling.add(path)
            return handler

        return register

    async def start(self) -> None:
        await self.server.serve_unix(self.path)

    async def connect(self) -> Client:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, self.path)
        client = Client(sock)
        self.clients.append(client)
        return client

    async def stop(self) -> None:
        for client in self.clients:
            client.close()
        if not self.server.is_draining:
            await self.server.shutdown(5)
        assert not self.server.tasks
        assert not self.server.connections
        assert not self.loop_errors


async def settled(value: Callable[[], int]) -> int:
    """A figure that has stopped growing."""
    last = -1
    while last != value():
        last = value()
        await asyncio.sleep(0.05)
    return last
