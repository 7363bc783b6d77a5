"""What a build asks of its client, whatever door he came through: files, secrets, his ssh agent, logins.

A door implements `BuildClient`: over a BuildKit session, or over what a plain request has brought along.  Its calls may come at any time
while the build is open, several at once.  What the client does not have: NotFound; what goes wrong on the way: Unavailable.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from wharfd.engine.build.ops import LayoutSource, LocalSource
from wharfd.model.errors import NotFound
from wharfd.model.tree import TreeEntry
from wharfd.ports.localtrees import FileWriter, HeldTree, LocalTree
from wharfd.wire.authconfig import AuthConfig


class Duplex(Protocol):
    """A stream in both directions."""

    async def read(self) -> bytes:
        """Empty at the end."""

    async def write(self, data: bytes) -> None: ...

    async def close(self) -> None: ...


class BuildClient(Protocol):
    async def sync(self, source: LocalSource, tree: HeldTree, transferred: Callable[[int], None]) -> None:
        """Make `tree` like the client's directory `source.name` under the source's patterns.

        What `tree.entries()` has and the client has not is removed.  Owners are as the client tells them (buildx: all 0).
        `transferred` is told now and then, and at the end, how many bytes have come.
        """

    async def directory_key(self, source: LocalSource) -> str:
        """What tells the client's directory from others of that name; empty if nothing does."""

    async def secret(self, secret_id: str) -> bytes:
        """Raises NotFound."""

    def ssh_agent(self, agent_id: str) -> AbstractAsyncContextManager["SshAgent"]:
        """Entering raises NotFound if the client forwards none of that id."""

    async def credentials(self, host: str) -> AuthConfig | None:
        """The login for a registry; None: without one."""

    async def layout_blob(self, source: LayoutSource, digest: str) -> AsyncIterator[bytes]:
        """A blob of an OCI layout of the client's.  Raises NotFound."""

    def read_blob(self, store_id: str, digest: str) -> AsyncIterator[bytes]:
        """Of a content store of the client's: `local:PATH` for a cache in a directory, `export` for an OCI layout.  Raises NotFound."""

    async def write_blob(self, store_id: str, digest: str, size: int, chunks: AsyncIterator[bytes]) -> None:
        """Into such a store; there already: nothing is sent.  Raises NotFound if there is no such store, InvalidParameter."""

    def upload(self, url: str) -> AsyncIterator[bytes]:
        """What the client sends where a build names `http://buildkit-session/…` (a context from its standard input)."""


class SshAgent(Protocol):
    async def connect(self) -> Duplex:
        """One connection to the agent."""


class ExportedTree(Protocol):
    """A build's result as files, for a client that wants them as such."""

    def entries(self) -> AsyncIterator[TreeEntry]:
        """Everything but the root, directories before what is in them, names in order."""

    def read(self, path: str) -> AsyncIterator[bytes]:
        """A regular file's content."""


class ExportTarget(Protocol):
    """Where an exporter's output goes."""

    async def archive(self, chunks: AsyncIterator[bytes], attributes: Mapping[str, str]) -> None:
        """A tar; `attributes` are the exporter response's (`containerimage.digest`, …)."""

    async def tree(self, tree: ExportedTree) -> None: ...


class NothingOffered:
    """A client that has nothing (and a base for those that have little)."""

    async def sync(self, source: LocalSource, tree: HeldTree, transferred: Callable[[int], None]) -> None:
        raise NotFound(f"no local directory {source.name!r} was sent with the build")

    async def directory_key(self, source: LocalSource) -> str:
        return ""

    async def secret(self, secret_id: str) -> bytes:
        raise NotFound(f"secret {secret_id}: not found")

    def ssh_agent(self, agent_id: str) -> AbstractAsyncContextManager[SshAgent]:
        raise NotFound(f"no SSH key {agent_id!r} forwarded from the client")

    async def credentials(self, host: str) -> AuthConfig | None:
        return None

    async def layout_blob(self, source: LayoutSource, digest: str) -> AsyncIterator[bytes]:
        raise NotFound(f"no OCI layout {source.store_id!r} was sent with the build")

    def read_blob(self, store_id: str, digest: str) -> AsyncIterator[bytes]:
        raise NotFound(f"the client offers no content store {store_id}")

    async def write_blob(self, store_id: str, digest: str, size: int, chunks: AsyncIterator[bytes]) -> None:
        raise NotFound(f"the client offers no content store {store_id}")

    def upload(self, url: str) -> AsyncIterator[bytes]:
        raise NotFound(f"{url}: nothing is uploaded with the build")


__all__: Sequence[str] = (
    "BuildClient",
    "Duplex",
    "ExportTarget",
    "ExportedTree",
    "FileWriter",
    "HeldTree",
    "LocalTree",
    "NothingOffered",
    "SshAgent",
)
