"""Dockerfiles: any bytes give a graph that can be carried out, or an error of the family; answers to requests about a file likewise."""

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path

from wharfd.engine.build.frontend.entry import dockerfile_frontend
from wharfd.engine.build.graph import Output, check
from wharfd.engine.build.ops import LocalSource, ResolveMode
from wharfd.engine.build.progress import Warned
from wharfd.engine.build.requests import FrontendRequest, ResolvedImageSource
from wharfd.model.errors import EngineError, NotFound
from wharfd.model.ids import Digest
from wharfd.model.tree import TreeEntry
from wharfd.wire.oci import ConfigDocument, Platform, RootFS, encode_config

GOLDEN = Path(__file__).parents[1] / "tests/golden/dockerfile"
SEEDS = [path.read_bytes() for path in sorted(GOLDEN.glob("*.Dockerfile"))]
HOST = Platform(os="linux", architecture="amd64")
DIGEST = Digest("sha256:" + "a" * 64)
CONFIG = encode_config(ConfigDocument(os="linux", architecture="amd64", rootfs=RootFS(diff_ids=[DIGEST])))
REQUESTS = [
    {},
    {"platform": "linux/arm64,linux/amd64"},
    {"requestid": "frontend.lint"},
    {"requestid": "frontend.outline"},
    {"requestid": "frontend.targets"},
    {"build-arg:BUILDKIT_DOCKERFILE_CHECK": "experimental=all", "no-cache": "", "build-arg:SOURCE_DATE_EPOCH": "1"},
    {"context:alpine": "local:x", "build-arg:FOO": "$BAR", "context:base": "docker-image://scratch"},
]


class Bridge:
    """Has every image, and no file but the Dockerfile."""

    platform = HOST

    def __init__(self, data: bytes) -> None:
        self.data = data

    async def solve(self, output: Output | None) -> None: ...

    async def read_file(self, output: Output | None, path: str, offset: int = 0, length: int | None = None) -> bytes:
        op = None if output is None else output.vertex.op
        if isinstance(op, LocalSource) and op.name == "dockerfile" and path == "Dockerfile":
            return self.data
        raise NotFound(path)

    async def read_directory(self, output: Output | None, path: str, pattern: str = "") -> Sequence[TreeEntry]:
        raise NotFound(path)

    async def stat_file(self, output: Output | None, path: str) -> TreeEntry:
        raise NotFound(path)

    async def resolve_image(
        self, ref: str, platform: Platform | None = None, mode: ResolveMode = ResolveMode.DEFAULT, log_name: str = ""
    ) -> ResolvedImageSource:
        return ResolvedImageSource(ref=ref, digest=DIGEST, config=CONFIG, platform=platform or HOST)

    def warn(self, warning: Warned) -> None: ...


def fuzz_one(data: bytes) -> None:
    rng = random.Random(data)
    asyncio.run(ask(data, rng.choice(REQUESTS)))


async def ask(data: bytes, attributes: dict[str, str]) -> None:
    try:
        result = await dockerfile_frontend(FrontendRequest(attributes=attributes), Bridge(data))
    except EngineError:
        return
    check(result.roots.values())
