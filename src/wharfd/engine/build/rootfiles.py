"""Single files of a root, for frontends: of layers through workers, of a client's directory from what is known of it."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from wharfd.engine.build.roots import LocalDirectory
from wharfd.model.errors import InvalidParameter, NotFound
from wharfd.model.tree import RootView, TreeEntry
from wharfd.ports.buildfiles import BuildFiles


class RootFiles(Protocol):
    """Links are followed inside the root, but for the last element of a `stat`.  Raises NotFound, InvalidParameter."""

    async def read(self, path: str, offset: int, length: int) -> bytes: ...

    async def stat(self, path: str) -> TreeEntry: ...

    async def list(self, path: str) -> Sequence[TreeEntry]: ...


class LayerFiles:
    def __init__(self, files: BuildFiles, view: RootView) -> None:
        self.files = files
        self.view = view

    async def read(self, path: str, offset: int, length: int) -> bytes:
        return await self.files.read(self.view, path, offset, length)

    async def stat(self, path: str) -> TreeEntry:
        return await self.files.stat(self.view, path)

    async def list(self, path: str) -> Sequence[TreeEntry]:
        return await self.files.list(self.view, path)


class LocalFiles:
    def __init__(self, directory: LocalDirectory) -> None:
        self.tree = directory.tree
        self.index = directory.index

    async def read(self, path: str, offset: int, length: int) -> bytes:
        real = self.real(path, follow=True)
        if real in self.index.children:
            raise InvalidParameter(f"read {path}: is a directory")
        return self.tree.read(real, offset, length)

    async def stat(self, path: str) -> TreeEntry:
        real = self.real(path, follow=False)
        if not real:
            return TreeEntry(path="/", mode=0o40755)
        return named(self.index.entries[real].entry, real.rpartition("/")[2])

    async def list(self, path: str) -> Sequence[TreeEntry]:
        real = self.real(path, follow=True)
        if real and not self.index.entries[real].entry.is_directory:
            raise InvalidParameter(f"{path}: not a directory")
        prefix = f"{real}/" if real else ""
        return [named(self.index.entries[prefix + name].entry, name) for name in self.index.children.get(real, ())]

    def real(self, path: str, *, follow: bool) -> str:
        found = self.index.resolve(path, follow=follow)
        if found is None:
            raise NotFound(f"open {path}: no such file or directory")
        return found


def named(entry: TreeEntry, name: str) -> TreeEntry:
    return msgspec.structs.replace(entry, path=name)
