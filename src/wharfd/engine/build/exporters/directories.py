"""Results as files in a directory of the client's (`local`)."""

import asyncio
import stat
from collections.abc import AsyncIterator, Mapping

import msgspec

from wharfd.engine.build.client import ExportTarget
from wharfd.engine.build.exporters.imaging import epoch, truth
from wharfd.engine.build.filesteps import FileSteps
from wharfd.engine.build.reports import Report
from wharfd.engine.build.requests import BuildResult
from wharfd.engine.build.roots import Root
from wharfd.model.errors import InvalidParameter, NotFound
from wharfd.model.tree import RootView, TreeEntry
from wharfd.ports.buildfiles import BuildFiles, RootReader

PIECE_BYTES = 1 << 20


class RootTree:
    """Satisfies `ExportedTree`: roots, each below a directory of its own if there are several."""

    def __init__(self, files: BuildFiles, views: Mapping[str, RootView], clamp_ns: int | None) -> None:
        self.files = files
        self.views = views
        self.clamp_ns = clamp_ns
        self.opening = asyncio.Lock()
        self.readers: dict[str, RootReader] = {}

    async def entries(self) -> AsyncIterator[TreeEntry]:
        for prefix, view in self.views.items():
            if prefix:
                yield TreeEntry(path=prefix, mode=stat.S_IFDIR | 0o755)
            for entry in await self.files.tree(view):
                yield self.shown(prefix, entry)

    def shown(self, prefix: str, entry: TreeEntry) -> TreeEntry:
        changes: dict[str, object] = {}
        if prefix:
            changes["path"] = f"{prefix}/{entry.path}"
            if entry.is_regular and entry.link_target:
                changes["link_target"] = f"{prefix}/{entry.link_target}"
        if self.clamp_ns is not None and entry.mtime_ns > self.clamp_ns:
            changes["mtime_ns"] = self.clamp_ns
        return msgspec.structs.replace(entry, **changes) if changes else entry

    async def read(self, path: str) -> AsyncIterator[bytes]:
        prefix = next((each for each in self.views if not each or path.startswith(each + "/")), None)
        if prefix is None:
            raise NotFound(f"open {path}: no such file or directory")
        inner = path[len(prefix) + 1 :] if prefix else path
        async with self.opening:
            reader = self.readers.get(prefix)
            if reader is None:
                reader = self.readers[prefix] = await self.files.reader(self.views[prefix])
        offset = 0
        while data := await reader.read(inner, offset, PIECE_BYTES):
            yield data
            offset += len(data)
            if len(data) < PIECE_BYTES:
                return

    async def close(self) -> None:
        for reader in self.readers.values():
            await reader.close()


class DirectoryExporter:
    def __init__(self, *, files: BuildFiles, steps: FileSteps) -> None:
        self.files = files
        self.steps = steps

    async def __call__(
        self,
        result: BuildResult,
        roots: Mapping[str, Root],
        attributes: Mapping[str, str],
        report: Report,
        target: ExportTarget | None,
    ) -> Mapping[str, str]:
        if target is None:
            raise InvalidParameter("output directory is required for local exporter")
        is_split = truth(attributes, "platform-split", len(roots) > 1)
        views = {
            (platform.replace("/", "_") if is_split else ""): self.steps.view(root) for platform, root in roots.items()
        }
        if len(views) < len(roots):
            raise InvalidParameter("the files of several platforms in one directory")
        report.status("copying files")
        for prefix, view in views.items():  # BuildKit: a transfer for each platform
            tree = RootTree(self.files, {prefix: view}, epoch(attributes, result))
            try:
                await target.tree(tree)
            finally:
                await tree.close()
        report.status("copying files", is_done=True)
        return {}
