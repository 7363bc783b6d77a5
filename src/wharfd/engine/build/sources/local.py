"""Directories of the client's: copies that are brought up to date, each a build's own while it is open."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from wharfd.engine.build.cache import BuildCache
from wharfd.engine.build.graph import content_digest
from wharfd.engine.build.ops import LocalSource
from wharfd.engine.build.reports import Report
from wharfd.engine.build.roots import LocalDirectory, Root
from wharfd.engine.build.scene import Scene
from wharfd.engine.build.solver import Found
from wharfd.engine.ledger import Ledger
from wharfd.model.build import CacheKind, CacheRecord
from wharfd.ports.clock import Clock
from wharfd.ports.localtrees import HeldTree, LocalTreeStore
from wharfd.wire.treedigest import TreeIndex

KEY = "local:"


@runtime_checkable
class Uploaded(Protocol):
    """A client that has sent one directory with the build: it is taken as it came for whatever directory is asked for.

    Docker: what `.dockerignore` names was left out by the client.
    """

    async def uploaded(self) -> LocalDirectory: ...


class LocalSources:
    def __init__(
        self, *, ledger: Ledger, clock: Clock, cache: BuildCache, trees: LocalTreeStore, new_id: Callable[[], str]
    ) -> None:
        self.ledger = ledger
        self.clock = clock
        self.cache = cache
        self.trees = trees
        self.new_id = new_id

    async def open(self) -> None:
        await self.trees.open([record.directory for record in self.records("")])

    async def __call__(self, op: LocalSource, scene: Scene, report: Report) -> Found:
        if isinstance(scene.client, Uploaded):
            directory = await scene.client.uploaded()
        else:
            directory = await self.from_client(op, scene, report)
        return Found(content_digest(["local", directory.index.digest()]), Root(local=directory))

    async def from_client(self, op: LocalSource, scene: Scene, report: Report) -> LocalDirectory:
        owner = await scene.client.directory_key(op)
        key = KEY + content_digest([op.name, op.shared_key, owner, op.include, op.exclude, op.follow_paths])
        known = self.records(key) if op.shared_key else []
        tree = await self.trees.take([record.directory for record in known])
        # Docker: the directory with the Dockerfile is called dockerfile, whatever others are called.
        name = f"transferring {'dockerfile' if op.name == 'dockerfile' else 'context'}:"
        size = 0

        def transferred(size_bytes: int) -> None:
            nonlocal size
            size = size_bytes
            report.status(name, current=size)

        try:
            report.status(name)
            await scene.client.sync(op, tree, transferred)
            report.status(name, current=size, is_done=True)
        except BaseException:
            await self.forget(tree)
            raise
        directory = LocalDirectory(tree, TreeIndex(tree.index()))
        scene.directories.append((directory, key if op.shared_key else ""))
        return directory

    def records(self, key: str) -> list[CacheRecord]:
        """The latest first."""
        found = [
            record
            for record in self.ledger.build_cache.values()
            if record.kind is CacheKind.LOCAL and (not key or record.key == key)
        ]
        return sorted(found, key=lambda record: record.used_ns, reverse=True)

    async def give_back(self, scene: Scene) -> None:
        """The build is over."""
        while scene.directories:
            directory, key = scene.directories.pop()
            if not key:
                await self.trees.drop(directory.tree.id)
                continue
            await self.trees.give_back(directory.tree)
            await self.note(directory, key)

    async def note(self, directory: LocalDirectory, key: str) -> None:
        size = sum(each.entry.size for each in directory.index.entries.values())
        known = next((record for record in self.records(key) if record.directory == directory.tree.id), None)
        if known is not None:
            self.cache.touch(known, size_bytes=size)
            return
        now_ns = self.clock.now_ns()
        record = CacheRecord(
            id=self.new_id(),
            key=key,
            kind=CacheKind.LOCAL,
            description="local source for context",
            directory=directory.tree.id,
            size_bytes=size,
            created_ns=now_ns,
            used_ns=now_ns,
            uses=1,
        )
        await self.ledger.commit(record)

    async def forget(self, tree: HeldTree) -> None:
        """It was left half-way."""
        await self.trees.drop(tree.id)
        gone = [record for record in self.records("") if record.directory == tree.id]
        await self.cache.remove(gone)
