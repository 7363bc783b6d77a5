"""Downloads through a worker process, repositories through git: the `Fetcher` port."""

import hashlib
import os
import shutil
from collections.abc import AsyncIterator, Mapping
from typing import Protocol, TypeVar

from wharfd.drivers.fetch import git
from wharfd.ports.fetch import Fetched, GitAccess
from wharfd.workers.protocol import FetchUrl, Job

T = TypeVar("T")


class Workers(Protocol):
    """What this driver needs of worker processes."""

    async def run_streaming(self, job: Job, answer: type[T]) -> T: ...


class LocalFetcher:
    def __init__(self, workers: Workers) -> None:
        self.workers = workers

    async def download(self, url: str, path: str, *, authorization: str = "", etag: str = "") -> Fetched | None:
        job = FetchUrl(url, path, authorization, etag, proxies(os.environ))
        answer: type[Fetched | None] = Fetched | None  # type: ignore[assignment]
        return await self.workers.run_streaming(job, answer)

    async def receive(self, chunks: AsyncIterator[bytes], path: str) -> Fetched:
        """Written piece by piece: one of a client's messages is well below a millisecond's work."""
        size, digest = 0, hashlib.sha256()
        with open(path, "xb", buffering=0) as file:
            async for chunk in chunks:
                size += len(chunk)
                digest.update(chunk)
                file.write(chunk)
        return Fetched(name="", digest=f"sha256:{digest.hexdigest()}", size=size)

    async def git_commit(self, remote: str, ref: str, access: GitAccess) -> str:
        command = git.Git(remote, access)
        try:
            return await git.resolve(command, ref)
        finally:
            command.close()

    async def git_checkout(
        self, remote: str, ref: str, commit: str, into: str, access: GitAccess, *, keep_git_dir: bool, submodules: bool
    ) -> None:
        command = git.Git(remote, access)
        try:
            await git.check_out(command, ref, commit, into, keep_git_dir=keep_git_dir, submodules=submodules)
        finally:
            command.close()

    def git_version(self) -> str:
        return "git" if shutil.which("git") else ""


def proxies(environment: Mapping[str, str]) -> dict[str, str]:
    """For urllib: scheme -> proxy, and `no` for the exceptions."""
    found = {}
    for scheme in ("http", "https", "no"):
        value = environment.get(f"{scheme}_proxy") or environment.get(f"{scheme.upper()}_PROXY")
        if value:
            found[scheme] = value
    return found
