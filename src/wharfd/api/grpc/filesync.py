"""Trees over a session: a client's directory into one of ours, and a build's result into one of the client's.

await receive_tree(call, tree)      FileSync: we are the receiver       await send_tree(call, tree)      FileSend: we are the sender
"""

import asyncio
import stat
from collections import deque
from collections.abc import Callable
from urllib.parse import quote_plus

from wharfd.api.grpc.methods import decode
from wharfd.api.grpc.rpc import ClientCall
from wharfd.engine.build.client import ExportedTree, FileWriter, LocalTree
from wharfd.model.errors import InvalidParameter
from wharfd.model.tree import TreeEntry
from wharfd.wire.fsutil import StatReader, encode_stat, has_content
from wharfd.wire.proto.fsutil_pb2 import Packet

REQUESTS = 512  # contents that are asked for at once; more of them could block a client that is busy sending
PIECE_BYTES = 64 << 10  # of a file's content, sent in one packet
TELL_S = 0.15  # between two words about progress
TURN_S = 0.005  # for which packets are worked off before others get the loop


class TreeReceiver:
    def __init__(self, call: ClientCall, tree: LocalTree, transferred: Callable[[int], None]) -> None:
        self._call = call
        self._tree = tree
        self._transferred = transferred
        self._stats = StatReader()
        self._number = 0
        self._known = tree.entries()
        self._wanted: deque[int] = deque()  # not asked for yet
        self._asked: dict[int, TreeEntry] = {}
        self._entries: dict[int, TreeEntry] = {}  # wanted or asked for
        self._writers: dict[int, tuple[FileWriter, int]] = {}  # with the bytes that are still to come
        self._links: list[TreeEntry] = []  # hard links: made when all contents are there
        self._written: set[str] = set()
        self._has_all_stats = False
        self._has_ended = False

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        turn_until = loop.time() + TURN_S
        tell_at = loop.time() + TELL_S
        size = 0
        try:
            while True:
                data = await self._call.receive()
                if data is None:
                    raise InvalidParameter("the client ended the transfer early")
                size += len(data)
                if not await self._on_packet(decode(Packet, data)):
                    self._transferred(size)
                    return
                now = loop.time()
                if now > tell_at:
                    self._transferred(size)
                    tell_at = now + TELL_S
                if now > turn_until:
                    await asyncio.sleep(0)
                    turn_until = loop.time() + TURN_S
        finally:
            for writer, _ in self._writers.values():
                writer.abort()

    async def _on_packet(self, packet: Packet) -> bool:
        """False at the end."""
        match packet.type:
            case Packet.STAT if packet.HasField("stat"):
                self._on_stat(packet)
            case Packet.STAT:
                self._has_all_stats = True
                await self._remove(sorted(self._known.keys() - self._stats.paths, reverse=True))
            case Packet.DATA:
                self._on_data(packet.id, packet.data)
            case Packet.ERR:
                raise InvalidParameter(f"error from sender: {packet.data.decode(errors='replace')}")
            case Packet.FIN:
                if not self._has_ended:
                    raise InvalidParameter("the client ended the transfer early")
                return False
            case _:
                raise InvalidParameter(f"the client sent a packet of type {packet.type}")
        await self._ask()
        return True

    async def _remove(self, paths: list[str]) -> None:
        """What is below a directory goes before it."""
        loop = asyncio.get_running_loop()
        turn_until = loop.time() + TURN_S
        for path in paths:
            self._tree.remove(path)
            if loop.time() > turn_until:
                await asyncio.sleep(0)
                turn_until = loop.time() + TURN_S

    def _on_stat(self, packet: Packet) -> None:
        if self._has_all_stats:
            raise InvalidParameter("the client sent a file after the last one")
        number = self._number
        self._number += 1
        entry = self._stats.read(packet.stat)
        if stat.S_ISSOCK(entry.mode):
            return
        if entry.is_regular and entry.link_target:
            self._links.append(entry)
        elif self._known.get(entry.path) == entry:
            return
        elif has_content(packet.stat.mode):
            self._entries[number] = entry
            self._wanted.append(number)
            self._written.add(entry.path)
        else:
            self._tree.put(entry)

    def _on_data(self, number: int, data: bytes) -> None:
        entry = self._asked.get(number)
        if entry is None:
            raise InvalidParameter(f"the client sent content {number} that nobody asked for")
        writer, left = self._writers.get(number) or (self._tree.write(entry), entry.size)
        self._writers[number] = (writer, left)
        if not data:
            writer.close()
            del self._writers[number], self._asked[number]
            return
        if len(data) > left:
            data = data[:left]  # it has grown since it was told of
        if data:
            writer.write(data)
        self._writers[number] = (writer, left - len(data))

    async def _ask(self) -> None:
        while self._wanted and len(self._asked) < REQUESTS:
            number = self._wanted.popleft()
            self._asked[number] = self._entries.pop(number)
            await self._call.send(Packet(type=Packet.REQ, id=number).SerializeToString())
        if self._has_all_stats and not self._asked and not self._has_ended:
            self._has_ended = True
            self._link()
            await self._call.send(Packet(type=Packet.FIN).SerializeToString())

    def _link(self) -> None:
        """Docker: links of links name the first file."""
        for entry in self._links:
            if self._known.get(entry.path) != entry or entry.link_target in self._written:
                self._tree.put(entry)
                self._written.add(entry.path)


def ignore(size_bytes: int) -> None:
    """Nobody wants to know."""


async def receive_tree(call: ClientCall, tree: LocalTree, transferred: Callable[[int], None] = ignore) -> None:
    """Make `tree` like what the client sends.  Raises InvalidParameter for what it may not send, RpcError."""
    await TreeReceiver(call, tree, transferred).run()


class TreeSender:
    """The contents that the client asks for go out one after the other."""

    def __init__(self, call: ClientCall, tree: ExportedTree) -> None:
        self._call = call
        self._tree = tree
        self._files: dict[int, str] = {}  # not asked for yet
        self._wanted: asyncio.Queue[int | None] = asyncio.Queue()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen(), name="export-listen")
            number = 0
            async for entry in self._tree.entries():
                if entry.is_regular and not entry.link_target:
                    self._files[number] = entry.path
                number += 1
                await self._send(Packet(type=Packet.STAT, stat=encode_stat(entry)))
            await self._send(Packet(type=Packet.STAT))
            while (asked := await self._wanted.get()) is not None:
                path = self._files.pop(asked, None)
                if path is None:
                    raise InvalidParameter(f"the client asked for file {asked}, which is none")
                async for chunk in self._tree.read(path):
                    for at in range(0, len(chunk), PIECE_BYTES):
                        await self._send(Packet(type=Packet.DATA, id=asked, data=chunk[at : at + PIECE_BYTES]))
                await self._send(Packet(type=Packet.DATA, id=asked))
            await self._send(Packet(type=Packet.FIN))
        await self._call.end()
        while await self._call.receive() is not None:
            pass

    async def _listen(self) -> None:
        while (data := await self._call.receive()) is not None:
            packet = decode(Packet, data)
            match packet.type:
                case Packet.REQ:
                    if self._wanted.qsize() > len(self._files):
                        raise InvalidParameter("the client asks for more files than there are")
                    self._wanted.put_nowait(packet.id)
                case Packet.FIN:
                    self._wanted.put_nowait(None)
                    return
                case Packet.ERR:
                    raise InvalidParameter(f"error from receiver: {packet.data.decode(errors='replace')}")
                case _:
                    raise InvalidParameter(f"the client sent a packet of type {packet.type}")
        raise InvalidParameter("the client ended the transfer early")

    async def _send(self, packet: Packet) -> None:
        await self._call.send(packet.SerializeToString())


async def send_tree(call: ClientCall, tree: ExportedTree) -> None:
    await TreeSender(call, tree).run()


def header_values(key: str, values: list[str]) -> dict[str, list[str]]:
    """Values of any text as metadata: those that are no printable ASCII are all quoted as in a form, and a header says so."""
    if all(value.isascii() and value.isprintable() for value in values):
        return {key: values}
    return {key: [quote_plus(value) for value in values], f"{key}-encoded": ["1"]}
