"""Port: what builds and imports bring from elsewhere by themselves: files of the web, git repositories.

InvalidParameter: the address, or what is there, is at fault.  Unavailable: it could not be reached, or the program that it needs is not
installed.  A call that is cancelled ends what it has begun; what was written is the caller's to delete.
"""

from collections.abc import AsyncIterator
from typing import Protocol

import msgspec


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was brought.  `name` as the server or the address calls it; `modified_ns` 0: not said."""

    name: str
    digest: str
    size: int
    content_type: str = ""
    etag: str = ""
    modified_ns: int = 0


class WebStream(Protocol):
    """A file of the web on its way, at the reader's pace.  Close it in any case.

    A transfer that is cut, or from which nothing comes for a minute, raises Internal after the last bytes that came.
    """

    @property
    def length(self) -> int:
        """Bytes, as the server says; -1 if it does not."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    async def aclose(self) -> None:
        """Idempotent."""


class WebStreams(Protocol):
    async def stream(self, url: str) -> WebStream:
        """Redirects are followed to http and https alone.  A user and password in the address are for its host.

        Raises InvalidParameter, Unauthorized, Forbidden, NotFound as the server answers; Internal for other answers and where none came.
        """


class GitAccess(msgspec.Struct, frozen=True, kw_only=True):
    """`authorization`: of http.  `ssh_socket`: an agent's.  `known_hosts`: lines of ssh's file; empty: hosts are believed at sight."""

    authorization: str = ""
    ssh_socket: str = ""
    known_hosts: str = ""


class Fetcher(Protocol):
    async def download(self, url: str, path: str, *, authorization: str = "", etag: str = "") -> Fetched | None:
        """Into the new file `path`.  None: it is what `etag` says, and nothing was written."""

    async def receive(self, chunks: AsyncIterator[bytes], path: str) -> Fetched:
        """What somebody sends, into the new file `path`.  Raises what the sender raises."""

    async def git_commit(self, remote: str, ref: str, access: GitAccess) -> str:
        """What a branch, tag or commit (empty: HEAD) of a repository is now: 40 hex digits."""

    async def git_checkout(
        self, remote: str, ref: str, commit: str, into: str, access: GitAccess, *, keep_git_dir: bool, submodules: bool
    ) -> None:
        """The files of a commit, which `ref` leads to, into the empty directory `into`."""

    def git_version(self) -> str:
        """Empty if it is not installed."""
