"""The near side of the worker processes: starts them when there is work, lets the idle ones go after a while.

Two kinds of work are counted apart: *heavy* jobs keep a core busy, so there are as many at once as there are cores; *streams* wait for a
client's bytes most of the time and must not keep the heavy ones from running.
"""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from types import NoneType
from typing import TypeVar

import msgspec

from wharfd.model.archive import ArchiveMember, IngestedLayer, UnpackedLayer
from wharfd.model.errors import EngineError, Internal, InvalidParameter, NotFound
from wharfd.ports.content import GrowingBlob
from wharfd.sys import spawn
from wharfd.workers import protocol
from wharfd.workers.growing import OFFSET
from wharfd.workers.protocol import Done, Failed, IngestLayer, Job, RemoveTree, Reply, SplitArchive, UnpackLayer

IDLE_S = 20.0
STREAMS = 8
FOLLOWERS = 3  # layers that are unpacked while they come
SOCKET_BUFFER_BYTES = 1 << 20
CHUNK_BYTES = 256 * 1024

# Without `site` a worker starts in a third of the time; it is told where our packages are instead.
BOOT = "import sys; sys.path[:] = {path!r}; from wharfd.workers.__main__ import main; main(sys.argv[1:])"

T = TypeVar("T")


class Worker:
    """One process, doing at most one job."""

    def __init__(self) -> None:
        self.link, far = socket.socketpair()
        self.link.setblocking(False)
        path = [os.path.abspath(entry) for entry in sys.path if entry]
        argv = [sys.executable, "-I", "-S", "-c", BOOT.format(path=path), "3", str(os.getpid())]
        try:
            with far:
                environment = {"LC_ALL": "C.UTF-8", "PATH": os.defpath}
                self.process = spawn.spawn(argv, env=environment, stderr=2, pass_fds={3: far.fileno()})
        except OSError as e:
            self.link.close()
            raise Internal(f"a worker process could not be started: {e}") from e
        self.retirement: asyncio.TimerHandle | None = None

    async def ask(self, job: Job, descriptors: Sequence[int]) -> Reply:
        """Raises Internal if the process dies on it."""
        try:
            socket.send_fds(self.link, [protocol.frame(job)], descriptors)
            size = protocol.LENGTH.unpack(await self.receive(protocol.LENGTH.size))[0]
            if size > protocol.MAX_MESSAGE_BYTES:
                raise Internal(f"a worker process answered with {size} bytes")
            reply: Reply = protocol.decode_reply(await self.receive(size))
            return reply
        except (OSError, EOFError) as e:
            await self.kill()
            raise Internal(f"a worker process died ({describe(self.process.status)}) on {type(job).__name__}") from e

    async def receive(self, count: int) -> bytearray:
        loop = asyncio.get_running_loop()
        data = bytearray()
        while len(data) < count:
            chunk = await loop.sock_recv(self.link, count - len(data))
            if not chunk:
                raise EOFError
            data += chunk
        return data

    async def kill(self) -> None:
        self.link.close()
        if not self.process.has_exited:
            self.process.kill()
        await self.process.wait_status()


class WorkerPool:
    """The `LayerUnpacker`, `ArchiveIngester` and `TreeRemover` ports."""

    def __init__(self, heavy: int | None = None, idle_s: float = IDLE_S) -> None:
        self.heavy = asyncio.Semaphore(heavy or max(2, os.cpu_count() or 1))
        self.streams = asyncio.Semaphore(STREAMS)
        self.followers = asyncio.Semaphore(FOLLOWERS)
        self.removals = asyncio.Semaphore(1)  # nobody waits for one; they must not hold up who unpacks
        self.idle_s = idle_s
        self.idle: list[Worker] = []
        self.busy: set[Worker] = set()
        self.leaving: set[Worker] = set()

    async def close(self) -> None:
        """End all workers, also those at work."""
        for worker in list(self.busy):
            worker.process.kill()
            await worker.process.wait_status()
        while self.idle:
            self.dismiss(self.idle[0])
        for worker in list(self.leaving):
            await worker.process.wait_status()

    async def unpack(self, blob_path: str, compression: str, into: str) -> UnpackedLayer:
        async with self.heavy:
            return await self.run(UnpackLayer(blob_path, compression, into), UnpackedLayer)

    async def unpack_growing(self, blob: GrowingBlob, compression: str, into: str) -> UnpackedLayer | None:
        # A transfer that hangs would keep others waiting for its place: they unpack their blobs when those are whole.
        if self.followers.locked():
            return None
        async with self.followers, aclosing(told(blob)) as offsets:
            job = UnpackLayer(blob.path, compression, into, is_growing=True)
            return await self.feed(job, UnpackedLayer, offsets)

    async def remove_tree(self, path: str) -> None:
        async with self.removals:
            await self.run(RemoveTree(path), NoneType)

    async def split(self, archive: AsyncIterator[bytes], spool: str) -> Sequence[ArchiveMember]:
        async with self.streams:
            return await self.feed(SplitArchive(spool), list[ArchiveMember], archive)

    async def ingest_layer(self, layer: AsyncIterator[bytes], spool: str) -> IngestedLayer:
        async with self.streams:
            return await self.feed(IngestLayer(spool), IngestedLayer, layer)

    async def run_streaming(self, job: Job, answer: type[T]) -> T:
        """Have a job done that waits for somebody else most of the time."""
        async with self.streams:
            return await self.run(job, answer)

    async def run(self, job: Job, answer: type[T], descriptors: Sequence[int] = ()) -> T:
        """Have a job done.  The caller closes its descriptors."""
        async with self.worker() as worker:
            reply = await worker.ask(job, descriptors)
        return result_of(reply, answer)

    async def produce(self, job: Job, head: type[T]) -> tuple[T, "Outflow"]:
        """Have a job done that writes a frame and then a stream.  The caller closes the stream, whatever happens."""
        flow = Outflow(self)
        try:
            return await flow.begin(job, head), flow
        except BaseException:
            await flow.aclose()
            raise

    async def feed(self, job: Job, answer: type[T], data: AsyncIterator[bytes]) -> T:
        """Have a job done that reads `data`."""
        near, far = socket.socketpair()
        with near:
            near.setblocking(False)
            near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BUFFER_BYTES)
            # Not a TaskGroup: it would wrap the one error that matters into a group.
            pump = asyncio.get_running_loop().create_task(send_all(near, data), name="pump")
            try:
                with far:
                    result = await self.run(job, answer, [far.fileno()])
            except EngineError:
                # A client that went away in the middle looks like a cut archive to the worker.
                if pump.done() and not pump.cancelled() and (error := pump.exception()):
                    raise error from None
                raise
            else:
                # The worker saw the end of what came; whether that was the whole the pump knows.
                if pump.done() and (error := pump.exception()):
                    raise error
            finally:
                pump.cancel()
                await asyncio.wait([pump])
        return result

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[Worker]:
        worker = self.take()
        try:
            yield worker
        except BaseException:
            await self.drop(worker)
            raise
        self.give_back(worker)

    def take(self) -> Worker:
        """One for a job; it is given back after it, or dropped."""
        worker = self.idle.pop() if self.idle else Worker()
        if worker.retirement is not None:
            worker.retirement.cancel()
        self.busy.add(worker)
        return worker

    def give_back(self, worker: Worker) -> None:
        self.busy.discard(worker)
        self.idle.append(worker)
        worker.retirement = asyncio.get_running_loop().call_later(self.idle_s, self.dismiss, worker)

    async def drop(self, worker: Worker) -> None:
        """End one in the middle of its job."""
        self.busy.discard(worker)
        await worker.kill()

    def dismiss(self, worker: Worker) -> None:
        """An idle one's socket is closed, which ends it; its watch reaps it."""
        if worker.retirement is not None:
            worker.retirement.cancel()
        self.idle.remove(worker)
        worker.link.close()
        self.leaving = {worker, *(other for other in self.leaving if not other.process.has_exited)}


class Outflow:
    """A stream that a worker writes at the reader's pace: iterate, and close in any case.

    A worker that fails in the middle raises (what it said, or Internal) after the last bytes that came.
    """

    def __init__(self, pool: WorkerPool) -> None:
        self.pool = pool
        self.worker: Worker | None = None
        self.reply: asyncio.Task[Reply] | None = None
        self.has_place = False
        self.near, self.far = socket.socketpair()
        self.near.setblocking(False)
        self.far.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BUFFER_BYTES)

    async def begin(self, job: Job, head: type[T]) -> T:
        """The frame that goes before the stream.  Raises what the job fails with, if it does so before that."""
        await self.pool.streams.acquire()
        self.has_place = True
        self.worker = self.pool.take()
        with self.far:
            ask = self.worker.ask(job, [self.far.fileno()])
            self.reply = asyncio.get_running_loop().create_task(ask, name="worker-reply")
            await asyncio.sleep(0)  # the descriptor is on its way when ours is closed
        try:
            size = protocol.LENGTH.unpack(await self.receive(protocol.LENGTH.size))[0]
            return msgspec.msgpack.decode(await self.receive(size), type=head)
        except EOFError:
            result_of(await self.reply, NoneType)
            raise Internal("a worker process said nothing") from None

    async def receive(self, count: int) -> bytes:
        loop = asyncio.get_running_loop()
        data = bytearray()
        while len(data) < count:
            chunk = await loop.sock_recv(self.near, count - len(data))
            if not chunk:
                raise EOFError
            data += chunk
        return bytes(data)

    def __aiter__(self) -> "Outflow":
        return self

    async def __anext__(self) -> bytes:
        if self.reply is None:
            raise StopAsyncIteration
        data = await asyncio.get_running_loop().sock_recv(self.near, CHUNK_BYTES)
        if data:
            return data
        reply = await self.reply
        await self.aclose()
        result_of(reply, NoneType)
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Idempotent.  A worker that is still at it is ended."""
        worker, reply = self.worker, self.reply
        self.worker = self.reply = None
        self.near.close()
        self.far.close()
        try:
            if worker is not None:
                if reply is not None and reply.done() and not reply.cancelled() and reply.exception() is None:
                    self.pool.give_back(worker)
                else:
                    if reply is not None:
                        reply.cancel()
                        await asyncio.wait([reply])
                    await self.pool.drop(worker)
        finally:
            if self.has_place:
                self.has_place = False
                self.pool.streams.release()


def result_of(reply: Reply, answer: type[T]) -> T:
    """Raises InvalidParameter, NotFound or Internal as the worker says."""
    match reply:
        case Done(result):
            return msgspec.msgpack.decode(result, type=answer)
        case Failed(message, invalid, missing):
            kind = InvalidParameter if invalid else NotFound if missing else Internal
            raise kind(message)


async def told(blob: GrowingBlob) -> AsyncGenerator[bytes]:
    """A worker's side of it is `workers/growing.py`."""
    async for offset in blob.offsets():
        yield OFFSET.pack(offset)


async def send_all(link: socket.socket, data: AsyncIterator[bytes]) -> None:
    loop = asyncio.get_running_loop()
    try:
        async for chunk in data:
            await loop.sock_sendall(link, chunk)
    except (BrokenPipeError, ConnectionResetError):
        return  # the job has ended, and says why
    finally:
        with suppress(OSError):
            link.shutdown(socket.SHUT_WR)


def describe(status: int | None) -> str:
    if status is None:
        return "status unknown"
    return f"signal {-status}" if status < 0 else f"exit code {status}"
