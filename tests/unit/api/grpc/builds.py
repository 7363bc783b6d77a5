"""A builder that builds nothing: it keeps what it is asked, takes the client's files, and tells a little."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import ClassVar

from tests.unit.api.grpc.pairs import MemoryTree
from wharfd.engine.build.client import BuildClient
from wharfd.engine.build.failures import ProcessFailed
from wharfd.engine.build.graph import Output, Vertex
from wharfd.engine.build.ops import ExecOp, ImageSource, LocalSource, ResolveMode
from wharfd.engine.build.progress import LogOutput, SourceFile, SourceRange, Update, VertexUpdate, Warned
from wharfd.engine.build.requests import BuildOptions, BuildResult, Export, FrontendRequest, ResolvedImageSource
from wharfd.model.errors import Conflict, NotFound
from wharfd.model.ids import Digest
from wharfd.model.tree import TreeEntry
from wharfd.wire.oci import Platform
from wharfd.wire.proto import control_pb2

BASE = Vertex(op=ImageSource(ref="docker.io/library/base:1"))
RUN = Vertex(op=ExecOp(args=["false"], mounts=[]), inputs=(BASE.output(),))
DIGEST = Digest("sha256:" + "a" * 64)


class FakeBuild:
    """Files of the client's local `context` are synced; a Dockerfile that says FAIL makes its RUN fail."""

    def __init__(self, options: BuildOptions, client: BuildClient) -> None:
        self.options = options
        self.client = client
        self.context = MemoryTree()
        self.sizes: list[int] = []
        self.exported: list[tuple[BuildResult, Sequence[Export]]] = []
        self.warnings: list[Warned] = []
        self.told: list[Update] = []
        self.has_ended = asyncio.Event()

    @property
    def ref(self) -> str:
        return self.options.ref

    @property
    def platform(self) -> Platform:
        return Platform(os="linux", architecture="amd64")

    async def run_frontend(self, request: FrontendRequest) -> BuildResult:
        source = LocalSource(name="context", exclude=["*.md"])
        await self.client.sync(source, self.context, self.sizes.append)  # type: ignore[arg-type]
        data = self.context.files.get("Dockerfile", (None, b""))[1]
        self.told.append(
            VertexUpdate(digest=RUN.digest, name="RUN", started_ns=1_000_000_001, completed_ns=2_000_000_000)
        )
        self.told.append(LogOutput(vertex=RUN.digest, stream=1, data=data, at_ns=3))
        place = (SourceFile(filename="Dockerfile", data=data), (SourceRange(start_line=2, end_line=3),))
        return BuildResult(roots={"": RUN.output()}, metadata={"k": b"v"}, places={RUN.digest: [place]})

    async def export(self, result: BuildResult, exports: Sequence[Export]) -> Mapping[str, str]:
        self.exported.append((result, exports))
        if self.context.files.get("Dockerfile", (None, b""))[1] == b"FAIL":
            raise ProcessFailed(RUN, ["false"], 7)
        return {"containerimage.digest": DIGEST}

    async def updates(self) -> AsyncIterator[Sequence[Update]]:
        await self.has_ended.wait()
        yield self.told

    async def solve(self, output: Output | None) -> None: ...

    async def read_file(self, output: Output | None, path: str, offset: int = 0, length: int | None = None) -> bytes:
        return b"0123456789"[offset:][:length]

    async def read_directory(self, output: Output | None, path: str, pattern: str = "") -> Sequence[TreeEntry]:
        return [TreeEntry(path="f", mode=0o100644, size=3)]

    async def stat_file(self, output: Output | None, path: str) -> TreeEntry:
        raise NotFound(f"{path}: no such file or directory")

    async def resolve_image(
        self, ref: str, platform: Platform | None = None, mode: ResolveMode = ResolveMode.DEFAULT, log_name: str = ""
    ) -> ResolvedImageSource:
        return ResolvedImageSource(ref=f"{ref}@{DIGEST}", digest=DIGEST, config=b"{}", platform=self.platform)

    def warn(self, warning: Warned) -> None:
        self.warnings.append(warning)


class FakeBuilds:
    def __init__(self) -> None:
        self.all: dict[str, FakeBuild] = {}
        self.open_refs: set[str] = set()

    @asynccontextmanager
    async def open(self, options: BuildOptions, client: BuildClient) -> AsyncIterator[FakeBuild]:
        if options.ref in self.open_refs:
            raise Conflict(f"job ID {options.ref} exists")
        build = self.all[options.ref] = FakeBuild(options, client)
        self.open_refs.add(options.ref)
        try:
            yield build
        finally:
            self.open_refs.discard(options.ref)
            build.has_ended.set()

    def find(self, ref: str) -> FakeBuild | None:
        return self.all[ref] if ref in self.open_refs else None

    async def wait_for(self, ref: str) -> FakeBuild:
        while ref not in self.open_refs:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        return self.all[ref]

    def status(self, ref: str) -> AsyncIterator[Sequence[Update]]:
        if ref not in self.all:
            raise NotFound(f"no build record found for {ref}")
        return self.all[ref].updates()

    def cancel(self, ref: str) -> bool:
        return False


class NoCache:
    async def usage(self, request: control_pb2.DiskUsageRequest) -> control_pb2.DiskUsageResponse:
        return control_pb2.DiskUsageResponse(records=[control_pb2.UsageRecord(id="r", size=5)])

    async def prune(self, request: control_pb2.PruneRequest) -> AsyncIterator[control_pb2.UsageRecord]:
        yield control_pb2.UsageRecord(id="r", size=5)


class NoTrees:
    """For what takes no archive in."""


class NoHistory:
    async def listen(self, request: control_pb2.BuildHistoryRequest) -> AsyncIterator[control_pb2.BuildHistoryEvent]:
        yield control_pb2.BuildHistoryEvent()

    async def update(self, request: control_pb2.UpdateBuildHistoryRequest) -> None: ...


class Blobs:
    blobs: ClassVar = {DIGEST: bytes(range(256)) * 10}

    def size(self, digest: Digest) -> int:
        if digest not in self.blobs:
            raise NotFound("no such blob")
        return len(self.blobs[digest])

    async def stream(self, digest: Digest) -> AsyncIterator[bytes]:
        data = self.blobs[digest]
        for at in range(0, len(data), 1000):
            yield data[at : at + 1000]
