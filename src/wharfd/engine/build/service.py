"""The builder as its doors and frontends see it.

    async with builds.open(BuildOptions(ref=ref), client) as build:
        result = await build.run_frontend(FrontendRequest(attributes=…))     # or a result of the client's own making
        response = await build.export(result, [Export(type="image", attributes={"name": "x"})])

A build is open from `open` to the end of the `async with`; leaving it with an exception (also a cancellation) ends its steps, unless
another build waits for the same ones, and writes the failure to the history.  Everything that happens is told to `build.updates`, to
any number of readers, from the beginning.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from wharfd.engine.build.client import BuildClient
from wharfd.engine.build.graph import Output
from wharfd.engine.build.ops import ResolveMode
from wharfd.engine.build.progress import Update, Warned
from wharfd.engine.build.requests import BuildOptions, BuildResult, Export, FrontendRequest, ResolvedImageSource
from wharfd.model.tree import TreeEntry
from wharfd.wire.oci import Platform


class Bridge(Protocol):
    """What a frontend, or a client that is his own frontend (LLBBridge), may ask of the builder.

    Every `output` may be one that nobody has solved yet: it is solved then.  A step that fails raises `StepFailed`.
    """

    @property
    def platform(self) -> Platform:
        """This host's."""

    async def solve(self, output: Output | None) -> None:
        """Carry out what the output needs (Evaluate)."""

    async def read_file(self, output: Output | None, path: str, offset: int = 0, length: int | None = None) -> bytes:
        """Links are followed inside the root.  Raises NotFound, InvalidParameter (not a regular file, too large)."""

    async def read_directory(self, output: Output | None, path: str, pattern: str = "") -> Sequence[TreeEntry]:
        """The entries of a directory, their `path` being the name; those that fit the shell pattern.  Raises NotFound."""

    async def stat_file(self, output: Output | None, path: str) -> TreeEntry:
        """Of the path itself, if it is a link.  Raises NotFound."""

    async def resolve_image(
        self, ref: str, platform: Platform | None = None, mode: ResolveMode = ResolveMode.DEFAULT, log_name: str = ""
    ) -> ResolvedImageSource:
        """Look an image up, here or at its registry.  Raises NotFound, Unauthorized."""

    def warn(self, warning: Warned) -> None: ...


class Frontend(Protocol):
    """Makes a graph of a request.  Registered by name with the builder (`dockerfile.v0`)."""

    async def __call__(self, request: FrontendRequest, bridge: Bridge) -> BuildResult:
        """Raises InvalidParameter for what is wrong with the request or its files."""


class Build(Bridge, Protocol):
    """One build that is open."""

    @property
    def ref(self) -> str: ...

    async def run_frontend(self, request: FrontendRequest) -> BuildResult:
        """Raises NotImplementedHere for a frontend that nobody has registered, and what the frontend raises."""

    async def export(self, result: BuildResult, exports: Sequence[Export]) -> Mapping[str, str]:
        """Solve all roots of the result and hand them to the exporters; none: only solve.

        Returns the exporters' response (`containerimage.digest`, `containerimage.config.digest`, `containerimage.descriptor`,
        `image.name`, …).
        """

    def updates(self) -> AsyncIterator[Sequence[Update]]:
        """Everything from the beginning, in batches, until the build ends.  A slow reader holds up nobody."""


class BuildService(Protocol):
    def open(self, options: BuildOptions, client: BuildClient) -> AbstractAsyncContextManager[Build]:
        """Raises Conflict if a build of that ref is open."""

    def find(self, ref: str) -> Build | None:
        """The open build of that ref."""

    async def wait_for(self, ref: str) -> Build:
        """As `find`; waits until one is opened."""

    def status(self, ref: str) -> AsyncIterator[Sequence[Update]]:
        """The updates of an open build or of one in the history.  Raises NotFound."""

    def cancel(self, ref: str) -> bool:
        """End it as if its client had gone.  False: no such build is open."""
