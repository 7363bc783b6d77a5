"""Two connections over a socket pair, and a client's tree to be sent and taken."""

import asyncio
import socket
import stat
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from wharfd.api.grpc.rpc import Handler, RpcConnection
from wharfd.model.tree import TreeEntry


@asynccontextmanager
async def connected(handlers: Mapping[str, Handler]) -> AsyncIterator[tuple[RpcConnection, RpcConnection]]:
    """The client and the server."""
    loop = asyncio.get_running_loop()
    client = RpcConnection(is_client=True)
    server = RpcConnection(is_client=False, handlers=handlers)
    ends = [await loop.create_connection(asyncio.Protocol, sock=sock) for sock in socket.socketpair()]
    async with asyncio.TaskGroup() as group:
        for connection, (transport, _) in zip((client, server), ends, strict=True):
            group.create_task(connection.run(transport, b""))
        await asyncio.sleep(0)
        yield client, server
        client.close()


def file(path: str, data: bytes, mode: int = 0o644, link_target: str = "") -> tuple[TreeEntry, bytes]:
    return TreeEntry(path=path, mode=stat.S_IFREG | mode, size=len(data), mtime_ns=7, link_target=link_target), data


def directory(path: str) -> tuple[TreeEntry, bytes]:
    return TreeEntry(path=path, mode=stat.S_IFDIR | 0o755, mtime_ns=7), b""


def symlink(path: str, target: str) -> tuple[TreeEntry, bytes]:
    return TreeEntry(path=path, mode=stat.S_IFLNK | 0o777, link_target=target, mtime_ns=7), b""


class MemoryTree:
    """A `LocalTree` and an `ExportedTree` in memory, which notes what is done to it."""

    def __init__(self, *files: tuple[TreeEntry, bytes]) -> None:
        self.files = {entry.path: (entry, data) for entry, data in files}
        self.log: list[str] = []

    def entries(self) -> Mapping[str, TreeEntry]:
        return {path: entry for path, (entry, _) in self.files.items()}

    def put(self, entry: TreeEntry) -> None:
        self.log.append(f"put {entry.path}")
        data = self.files[entry.link_target][1] if entry.is_regular else b""
        self.files[entry.path] = (entry, data)

    def write(self, entry: TreeEntry) -> "MemoryWriter":
        self.log.append(f"write {entry.path}")
        return MemoryWriter(self, entry)

    def remove(self, path: str) -> None:
        self.log.append(f"remove {path}")
        del self.files[path]


class MemoryWriter:
    def __init__(self, tree: MemoryTree, entry: TreeEntry) -> None:
        self.tree = tree
        self.entry = entry
        self.data = bytearray()

    def write(self, data: bytes | memoryview) -> None:
        self.data += data

    def close(self) -> None:
        self.tree.files[self.entry.path] = (self.entry, bytes(self.data))

    def abort(self) -> None:
        self.tree.log.append(f"abort {self.entry.path}")


class MemoryExport:
    """An `ExportedTree`."""

    def __init__(self, *files: tuple[TreeEntry, bytes]) -> None:
        self.files = files

    async def entries(self) -> AsyncIterator[TreeEntry]:
        for entry, _ in self.files:
            yield entry

    async def read(self, path: str) -> AsyncIterator[bytes]:
        for entry, data in self.files:
            if entry.path == path:
                yield data
