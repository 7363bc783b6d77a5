"""The doors as one: the services of `/grpc`, the sessions of `/session`, and what they share."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from wharfd.api.grpc.content import Blobs, Content
from wharfd.api.grpc.control import BuildHistory, CacheInventory, Control
from wharfd.api.grpc.gateway import Gateway, OpenBuilds
from wharfd.api.grpc.health import health_handlers
from wharfd.api.grpc.methods import decode
from wharfd.api.grpc.rest import RestBuilds
from wharfd.api.grpc.rpc import WRITE_HIGH, Call, Handler, RpcConnection
from wharfd.api.grpc.sessions import Sessions, open_session
from wharfd.api.grpc.workers import Workers
from wharfd.engine.build.classic.context import ContextFiles
from wharfd.engine.build.service import BuildService
from wharfd.wire.proto.control_pb2 import BytesMessage

SESSION = "/moby.buildkit.v1.Control/Session"
TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


class Door:
    def __init__(
        self,
        *,
        builds: BuildService,
        workers: Workers,
        contexts: ContextFiles,
        blobs: Blobs,
        cache: CacheInventory,
        history: BuildHistory,
        now_ns: Callable[[], int],
    ) -> None:
        self.sessions = Sessions()
        self.build = RestBuilds(builds=builds, sessions=self.sessions, contexts=contexts)
        open_builds = OpenBuilds()
        control = Control(
            builds=builds,
            sessions=self.sessions,
            open_builds=open_builds,
            workers=workers,
            cache=cache,
            history=history,
            now_ns=now_ns,
        )
        self._handlers: dict[str, Handler] = {
            **control.handlers(),
            **Gateway(open_builds, workers).handlers(),
            **Content(blobs).handlers(),
            **health_handlers(),
            SESSION: self.session_call,
            TRACES: discard,
        }

    async def serve_grpc(self, transport: asyncio.Transport, rest: bytes) -> None:
        """The client calls us, until the connection ends.  The transport is taken over at once."""
        await RpcConnection(is_client=False, handlers=self._handlers).run(transport, rest)

    async def serve_session(
        self, transport: asyncio.Transport, rest: bytes, headers: Mapping[str, Sequence[str]]
    ) -> None:
        """We call the client, until the connection ends.  The transport is taken over at once."""
        connection = RpcConnection(is_client=True)
        session = open_session(headers, connection)
        self.sessions.add(session)
        try:
            await connection.run(transport, rest)
        finally:
            self.sessions.remove(session)

    async def session_call(self, call: Call) -> None:
        """A session inside a call, for clients that reach us by gRPC alone."""
        connection = RpcConnection(is_client=True)
        session = open_session(call.metadata, connection)
        wire = CallWire(call, connection)
        async with asyncio.TaskGroup() as group:
            connection.begin(group, wire)
            sender = group.create_task(wire.run(), name="session-out")
            self.sessions.add(session)
            try:
                while not connection.is_lost and (data := await call.receive()) is not None:
                    connection.data_received(decode(BytesMessage, data).data)
            finally:
                self.sessions.remove(session)
                connection.connection_lost(None)
                sender.cancel()


class CallWire:
    """What a connection inside a call is sent over."""

    def __init__(self, call: Call, connection: RpcConnection) -> None:
        self._call = call
        self._connection = connection
        self._queue: deque[bytes] = deque()
        self._size = 0  # bytes in it
        self._has_more = asyncio.Event()
        self._is_closing = False

    async def run(self) -> None:
        while True:
            await self._has_more.wait()
            while self._queue:
                data = self._queue.popleft()
                await self._call.send(BytesMessage(data=data).SerializeToString())
                self._size -= len(data)
                if self._connection.is_write_paused and self._size <= WRITE_HIGH // 2:
                    self._connection.resume_writing()
            self._has_more.clear()

    def write(self, data: bytes) -> None:
        self._queue.append(data)
        self._size += len(data)
        self._has_more.set()
        if self._size > WRITE_HIGH:
            self._connection.pause_writing()

    def writelines(self, list_of_data: list[bytes | memoryview]) -> None:
        self.write(b"".join(list_of_data))

    def get_write_buffer_size(self) -> int:
        return self._size

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        self._is_closing = True

    def abort(self) -> None:
        self._is_closing = True


async def discard(call: Call) -> None:
    """Docker: traces of clients are taken; nobody looks at them here."""
    await call.receive()
    await call.send(b"")
