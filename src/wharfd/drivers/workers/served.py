"""A root that a worker holds ready, and its files: the `RootReader` port."""

import asyncio
import socket
from types import NoneType

import msgspec

from wharfd.drivers.workers.pool import Worker, WorkerPool, result_of
from wharfd.model.errors import Internal, NotFound
from wharfd.model.tree import RootView
from wharfd.workers import protocol
from wharfd.workers.protocol import Reply, ServeRoot

decode = msgspec.msgpack.Decoder(tuple[bytes, str]).decode


class ServedRoot:
    """One question at a time."""

    def __init__(self, pool: WorkerPool) -> None:
        self.pool = pool
        self.turn = asyncio.Lock()
        self.near: socket.socket | None = None
        self.worker: Worker | None = None
        self.reply: asyncio.Task[Reply] | None = None

    async def begin(self, view: RootView) -> None:
        await self.pool.streams.acquire()
        near, far = socket.socketpair()
        near.setblocking(False)
        self.near = near
        with far:
            self.worker = self.pool.take()
            ask = self.worker.ask(ServeRoot(view), [far.fileno()])
            self.reply = asyncio.get_running_loop().create_task(ask, name="worker-reply")
            await asyncio.sleep(0)  # the descriptor is on its way when ours is closed

    async def read(self, path: str, offset: int, length: int) -> bytes:
        async with self.turn:
            if self.near is None:
                raise Internal("the root is closed")
            loop = asyncio.get_running_loop()
            try:
                await loop.sock_sendall(self.near, protocol.framed((path, offset, length)))
                size = protocol.LENGTH.unpack(await self.receive(protocol.LENGTH.size))[0]
                data, error = decode(await self.receive(size))
            except (OSError, EOFError) as e:
                raise await self.failure() from e
        if error:
            raise NotFound(error)
        return data

    async def receive(self, count: int) -> bytes:
        assert self.near is not None
        data = bytearray()
        while len(data) < count:
            chunk = await asyncio.get_running_loop().sock_recv(self.near, count - len(data))
            if not chunk:
                raise EOFError
            data += chunk
        return bytes(data)

    async def failure(self) -> Exception:
        """Why the worker has stopped."""
        try:
            if self.reply is not None:
                result_of(await self.reply, NoneType)
        except Exception as e:  # noqa: BLE001 - it is the answer
            return e
        return Internal("a worker process said nothing")

    async def close(self) -> None:
        """Idempotent."""
        near, self.near = self.near, None
        if near is None or self.worker is None or self.reply is None:
            return
        near.close()
        try:
            await self.reply
            self.pool.give_back(self.worker)
        except BaseException:
            self.reply.cancel()
            await self.pool.drop(self.worker)
            raise
        finally:
            self.pool.streams.release()
