"""A container's files in memory."""

import io
import os
import posixpath
import tarfile
from collections.abc import AsyncIterator, Sequence

from wharfd.model.archive import IngestedLayer
from wharfd.model.container import Rootfs
from wharfd.model.errors import InvalidParameter, NotFound
from wharfd.model.files import Change, ChangeKind, Extraction, FileView, PathStat
from wharfd.testing.fake import Fake
from wharfd.testing.workers import FakeSpools
from wharfd.wire.containerpath import parse_container_path
from wharfd.wire.oci import digest_of


class FakeStream:
    """Port `archives.ArchiveStream`, of one piece."""

    def __init__(self, archiver: "FakeArchiver", data: bytes) -> None:
        self.archiver = archiver
        self.data = data
        archiver.open_streams += 1
        self.is_open = True

    def __aiter__(self) -> "FakeStream":
        return self

    async def __anext__(self) -> bytes:
        self.archiver.enter("stream")
        if not self.data:
            raise StopAsyncIteration
        data, self.data = self.data, b""
        return data

    async def aclose(self) -> None:
        if self.is_open:
            self.is_open = False
            self.archiver.open_streams -= 1


class FakeArchiver(Fake):
    """Ports `archives.FileArchiver` and `archives.ChangeLister`.  Only regular files, by the root that a view names.

    `files[root]` is path -> content; all of it counts as changed.
    """

    parts = frozenset({"stream"})

    def __init__(self, spools: FakeSpools | None = None) -> None:
        super().__init__()
        self.spools = spools
        self.files: dict[str, dict[str, bytes]] = {}
        self.views: list[FileView] = []
        self.hows: list[Extraction] = []
        self.open_streams = 0

    def seen(self, method: str, view: FileView) -> dict[str, bytes]:
        self.enter(method)
        self.views.append(view)
        return self.files.setdefault(view.root, {})

    async def stat(self, view: FileView, path: bytes) -> PathStat:
        return self.find(self.seen("stat", view), path)[0]

    async def read(self, view: FileView, path: bytes, encoding: str) -> tuple[PathStat, FakeStream]:
        status, content = self.find(self.seen("read", view), path)
        return status, FakeStream(self, packed({os.fsdecode(status.name): content}))

    async def write(self, view: FileView, path: bytes, archive: AsyncIterator[bytes], how: Extraction) -> None:
        files = self.seen("write", view)
        self.hows.append(how)
        data = b"".join([chunk async for chunk in archive])
        target = parse_container_path(os.fsdecode(path)).clean
        if target != "/" and not any(name.startswith(f"{target}/") for name in files):
            raise NotFound(target)
        try:
            with tarfile.open(fileobj=io.BytesIO(data)) as tar:
                for member in tar:
                    reader = tar.extractfile(member)
                    files[posixpath.join(target, member.name)] = reader.read() if reader else b""
        except tarfile.TarError as e:
            raise InvalidParameter("archive/tar: invalid tar header") from e

    async def export(self, view: FileView) -> FakeStream:
        files = self.seen("export", view)
        return FakeStream(self, packed({name[1:]: content for name, content in files.items()}))

    async def changes(self, rootfs: Rootfs) -> Sequence[Change]:
        self.enter("changes")
        return [
            Change(path=os.fsencode(name), kind=ChangeKind.ADDED) for name in sorted(self.files.get(rootfs.merged, {}))
        ]

    async def pack(self, rootfs: Rootfs, spool: str) -> IngestedLayer | None:
        self.enter("pack")
        files = self.files.get(rootfs.merged, {})
        if not files or self.spools is None:
            return None
        data = packed({name[1:]: content for name, content in files.items()})
        digest = digest_of(data)
        self.spools.spools[spool][digest.removeprefix("sha256:")] = data
        return IngestedLayer(digest=digest, size=len(data), diff_id=digest, compression="")

    def find(self, files: dict[str, bytes], path: bytes) -> tuple[PathStat, bytes]:
        asked = parse_container_path(os.fsdecode(path))
        if asked.clean not in files:
            raise NotFound(asked.clean)
        content = files[asked.clean]
        name = os.fsencode(asked.base)
        return PathStat(name=name, size=len(content), mode=0o100644, mtime_ns=1), content


def packed(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()
