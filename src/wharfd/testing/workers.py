"""Workers and spools in memory."""

import hashlib
import io
import itertools
import posixpath
import tarfile
from collections.abc import AsyncIterator, Mapping, Sequence

from wharfd.model.archive import ArchiveMember, IngestedLayer
from wharfd.model.errors import InvalidParameter, NotFound
from wharfd.model.ids import Digest
from wharfd.testing.content import FakeContent
from wharfd.testing.fake import Fake
from wharfd.testing.storage import open_blob
from wharfd.wire.compression import detect

AS_IT_IS = ("", "gzip", "zstd")


class FakeSpool:
    def __init__(self, spools: "FakeSpools", path: str) -> None:
        self.spools = spools
        self.path = path

    @property
    def files(self) -> dict[str, bytes]:
        return self.spools.spools[self.path]

    async def read(self, name: str, limit: int = 8 << 20) -> bytes:
        self.spools.enter("spool.read")
        data = self.find(name)
        if len(data) > limit:
            raise InvalidParameter(f"{name} is larger than {limit} bytes")
        return data

    async def head(self, name: str, count: int) -> bytes:
        self.spools.enter("spool.head")
        return self.find(name)[:count]

    async def adopt(self, files: Mapping[str, Digest]) -> None:
        self.spools.enter("spool.adopt")
        for name, digest in files.items():
            self.spools.content.blobs[digest] = self.find(name)
            del self.files[name]

    async def drop(self) -> None:
        self.spools.enter("spool.drop")
        self.spools.spools.pop(self.path, None)

    def find(self, name: str) -> bytes:
        data = self.files.get(name)
        if data is None:
            raise NotFound(f"{name} is not in the spool")
        return data


class FakeSpools(Fake):
    """Port `content.SpoolStore` beside a FakeContent.  `spools` are those not dropped."""

    parts = frozenset({"spool.read", "spool.head", "spool.adopt", "spool.drop"})

    def __init__(self, content: FakeContent) -> None:
        super().__init__()
        self.content = content
        self.spools: dict[str, dict[str, bytes]] = {}
        self.numbers = itertools.count()

    async def spool(self) -> FakeSpool:
        self.enter("spool")
        path = f"/fake/spool/{next(self.numbers)}"
        self.spools[path] = {}
        return FakeSpool(self, path)


class FakeIngester(Fake):
    """Port `workers.ArchiveIngester`."""

    def __init__(self, spools: FakeSpools) -> None:
        super().__init__()
        self.spools = spools

    async def split(self, archive: AsyncIterator[bytes], spool: str) -> Sequence[ArchiveMember]:
        self.enter("split")
        data = b"".join([chunk async for chunk in archive])
        plain = open_blob(data, detect(data))
        members = []
        try:
            with tarfile.open(fileobj=io.BytesIO(plain), mode="r:") as tar:
                for info in tar:
                    name = posixpath.normpath(info.name)
                    if info.issym():
                        members.append(ArchiveMember(name=name, link=beside(name, info.linkname)))
                    elif info.islnk():
                        members.append(ArchiveMember(name=name, link=posixpath.normpath(info.linkname)))
                    elif info.isfile():
                        reader = tar.extractfile(info)
                        content = reader.read() if reader else b""
                        members.append(ArchiveMember(name=name, size=len(content), digest=self.keep(spool, content)))
        except tarfile.TarError as e:
            raise InvalidParameter("archive/tar: invalid tar header") from e
        return members

    async def ingest_layer(self, layer: AsyncIterator[bytes], spool: str) -> IngestedLayer:
        self.enter("ingest_layer")
        data = b"".join([chunk async for chunk in layer])
        compression = detect(data)
        plain = open_blob(data, compression)
        diff_id = Digest("sha256:" + hashlib.sha256(plain).hexdigest())
        if compression not in AS_IT_IS:
            data, compression = plain, ""
        return IngestedLayer(digest=self.keep(spool, data), size=len(data), diff_id=diff_id, compression=compression)

    def keep(self, spool: str, data: bytes) -> Digest:
        encoded = hashlib.sha256(data).hexdigest()
        self.spools.spools[spool][encoded] = data
        return Digest("sha256:" + encoded)


def beside(name: str, target: str) -> str:
    return posixpath.normpath(posixpath.join("/", posixpath.dirname(name), target)).lstrip("/")
