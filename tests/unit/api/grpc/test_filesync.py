"""Trees over a call: what a receiver does with what comes, and what it refuses."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.unit.api.grpc.pairs import MemoryExport, MemoryTree, connected, directory, file, symlink
from wharfd.api.grpc.filesync import header_values, receive_tree, send_tree
from wharfd.api.grpc.rpc import Call
from wharfd.model.errors import InvalidParameter
from wharfd.model.tree import TreeEntry
from wharfd.wire.fsutil import encode_stat
from wharfd.wire.grpc import RpcError
from wharfd.wire.proto.fsutil_pb2 import Packet, Stat

Files = list[tuple[TreeEntry, bytes]]


def sender(files: Files) -> Callable[[Call], Awaitable[None]]:
    """A well-behaved client: as fsutil's sender."""

    async def handle(call: Call) -> None:
        for entry, _ in files:
            await call.send(Packet(type=Packet.STAT, stat=encode_stat(entry)).SerializeToString())
        await call.send(Packet(type=Packet.STAT).SerializeToString())
        while (data := await call.receive()) is not None:
            packet = Packet.FromString(bytes(data))
            if packet.type == Packet.FIN:
                await call.send(Packet(type=Packet.FIN).SerializeToString())
                return
            content = files[packet.id][1]
            for at in range(0, len(content), 3):
                piece = Packet(type=Packet.DATA, id=packet.id, data=content[at : at + 3])
                await call.send(piece.SerializeToString())
            await call.send(Packet(type=Packet.DATA, id=packet.id).SerializeToString())

    return handle


async def taken(files: Files, tree: MemoryTree) -> MemoryTree:
    async with connected({"/sync": sender(files)}) as (client, _), client.call("/sync") as call:
        await receive_tree(call, tree)
    return tree


TREE = [
    directory("d"),
    file("d/f", b"hello"),
    file("d/g", b"hello", link_target="d/f"),
    symlink("l", "d/f"),
    file("z", b""),
]


async def test_an_empty_tree_becomes_the_clients() -> None:
    tree = await taken(TREE, MemoryTree())
    assert tree.files == {entry.path: (entry, data) for entry, data in TREE}


async def test_what_is_there_is_not_sent_again() -> None:
    tree = await taken(TREE, MemoryTree(*TREE))
    assert tree.log == []


async def test_only_differences_are_made() -> None:
    other = file("d/f", b"another")
    tree = await taken([TREE[0], other, file("d/g", b"another", link_target="d/f"), *TREE[4:]], MemoryTree(*TREE))
    assert tree.log == ["remove l", "write d/f", "put d/g"]
    assert tree.files["d/g"][1] == b"another"


async def test_what_has_gone_goes_from_the_bottom() -> None:
    tree = await taken([], MemoryTree(*TREE))
    assert tree.log == ["remove z", "remove l", "remove d/g", "remove d/f", "remove d"]


async def test_others_get_their_turn_while_much_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wharfd.api.grpc.filesync.TURN_S", -1.0)
    turns, seen = 0, set()

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    class Tree(MemoryTree):
        def remove(self, path: str) -> None:
            seen.add(turns)
            super().remove(path)

    task = asyncio.create_task(other())
    await taken([], Tree(*(file(f"f{number}", b"") for number in range(20))))
    task.cancel()
    assert len(seen) == 20


async def test_more_files_than_are_asked_for_at_once() -> None:
    files = [file(f"f{number:04}", b"%d" % number) for number in range(1500)]
    tree = await taken(files, MemoryTree())
    assert len(tree.files) == 1500


async def test_a_file_that_has_grown_is_taken_as_it_was_told_of() -> None:
    entry, _ = file("log", b"12345")
    tree = await taken([(entry, b"1234567890")], MemoryTree())
    assert tree.files["log"][1] == b"12345"


def stat_of(entry: TreeEntry) -> Packet:
    return Packet(type=Packet.STAT, stat=encode_stat(entry))


@pytest.mark.parametrize(
    ("packets", "text"),
    [
        ([Packet(type=Packet.STAT, stat=Stat(path="../x", mode=0o644))], "path"),
        ([Packet(type=Packet.DATA, id=3, data=b"x")], "nobody asked"),
        ([Packet(type=Packet.FIN)], "early"),
        ([Packet(type=Packet.ERR, data=b"no access")], "error from sender: no access"),
        ([Packet(type=Packet.STAT), stat_of(file("x", b"")[0])], "after the last"),
        ([Packet(type=Packet.REQ)], "type"),
        ([stat_of(file("x", b"12")[0]), Packet(type=Packet.DATA, data=b"1")], "early"),
        ([], "early"),
    ],
)
async def test_clients_that_lie(packets: list[Packet], text: str) -> None:
    async def lie(call: Call) -> None:
        for packet in packets:
            await call.send(packet.SerializeToString())

    tree = MemoryTree()
    async with connected({"/sync": lie}) as (client, _), client.call("/sync") as call:
        with pytest.raises(InvalidParameter, match=text):
            await receive_tree(call, tree)
    assert all(line.startswith(("write", "abort")) for line in tree.log)


async def test_a_client_that_goes_away_leaves_no_open_file() -> None:
    async def leave(call: Call) -> None:
        await call.send(stat_of(file("x", b"12")[0]).SerializeToString())
        await call.receive()
        await call.send(Packet(type=Packet.DATA, data=b"1").SerializeToString())
        call.connection.close()
        await asyncio.Event().wait()

    tree = MemoryTree()
    async with connected({"/sync": leave}) as (client, _):
        with pytest.raises(RpcError):
            async with client.call("/sync") as call:
                await receive_tree(call, tree)
    assert tree.log == ["write x", "abort x"]


async def test_a_result_is_sent_to_a_receiver() -> None:
    there = MemoryTree()

    async def take(call: Call) -> None:
        await receive_tree(call, there)  # type: ignore[arg-type]  # the receiver needs no more than a call has

    async with connected({"/send": take}) as (client, _), client.call("/send") as call:
        await send_tree(call, MemoryExport(*TREE))
    assert there.files == {entry.path: (entry, data) for entry, data in TREE}


async def test_a_receiver_that_wants_what_there_is_not() -> None:
    async def take(call: Call) -> None:
        await call.send(Packet(type=Packet.REQ, id=9).SerializeToString())
        while await call.receive() is not None:
            pass

    async with connected({"/send": take}) as (client, _):
        with pytest.raises((InvalidParameter, ExceptionGroup)):
            async with client.call("/send") as call:
                await send_tree(call, MemoryExport(*TREE))


def test_patterns_of_any_text_become_headers() -> None:
    assert header_values("k", ["*.md", "a b"]) == {"k": ["*.md", "a b"]}
    assert header_values("k", ["ä b"]) == {"k": ["%C3%A4+b"], "k-encoded": ["1"]}
