"""Blobs on their way in from registries.

A blob comes once, however many want it: whoever asks joins the download that is under way and hears of its progress.  The last one to
leave ends it.  What has come of it stays in the content store, and the next attempt goes on from there.

Who wants to read a large blob while it comes gets its file (`growing`), and is told how far it is written.

So pulls of the same image, and of images that share layers, share the work without knowing of each other.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import cast

from wharfd.engine.images.growth import Growth
from wharfd.engine.images.progress import Step
from wharfd.model.errors import EngineError, Forbidden, InvalidParameter, NotFound, RegistryFailure, Unauthorized
from wharfd.model.ids import Digest
from wharfd.ports.content import PartialBlob, ResumableContent
from wharfd.ports.registry import Registry, Retry
from wharfd.wire.authconfig import AuthConfig
from wharfd.wire.oci import Descriptor
from wharfd.wire.reference import Reference

Watch = Callable[[Step, int], None]
"""The step, and its amount: bytes of DOWNLOADING, seconds of RETRYING."""

TOLD_BYTES = 512 << 10  # progress is told each time when so many more have come
FOLLOWED_BYTES = 4 << 20  # a smaller blob is whole before it could be read
TOLD_TIMES = 200  # or a large blob's share of its size

# After these a later attempt may have more luck, with what has come.
MAY_GO_ON = (RegistryFailure, NotFound, Unauthorized, Forbidden, asyncio.CancelledError)


def unwatched(_step: Step, _amount: int) -> None:
    """For who wants no progress."""


class Download:
    def __init__(self, source: tuple[str, AuthConfig | None]) -> None:
        self.source = source
        self.watchers: list[Watch] = []
        self.step = Step.WAITING
        self.amount = 0
        self.is_leaving = False
        self.growth: Growth | None = None  # of the attempt that is under way
        self.begun = asyncio.Event()  # there is something to read, or nothing will come
        self.task: asyncio.Task[None]

    def tell(self, step: Step, amount: int = 0) -> None:
        self.step, self.amount = step, amount
        for watch in self.watchers:
            watch(step, amount)

    def grown(self, written: int) -> None:
        if self.growth is not None and written:
            self.growth.note(written)
            self.begun.set()

    def end_attempt(self, size: int | None = None) -> None:
        """`size`: the blob is here.  No more than the first end of an attempt counts."""
        if self.growth is not None:
            self.growth.end(size)

    def on_retry(self, retry: Retry) -> None:
        self.tell(Step.RETRYING, round(retry.delay_s))


class Downloads:
    """`limit` transfers at once from one registry, so that one that hangs does not hold up the others."""

    def __init__(self, *, content: ResumableContent, registry: Registry, limit: int) -> None:
        self.content = content
        self.registry = registry
        self.running: dict[Digest, Download] = {}
        self.places: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(limit))

    async def bring(
        self, ref: Reference, descriptor: Descriptor, login: AuthConfig | None = None, watch: Watch = unwatched
    ) -> None:
        """Returns when the blob is here.  The caller holds a lease on it.

        Raises what the registry port says of `blob`, InvalidParameter for content that does not hash to the digest, Internal for a disk
        that is full.
        """
        digest, source = descriptor.digest, (ref.name, login)
        while not self.content.has(digest):
            download = self.running.get(digest)
            if download is None:
                download = self.begin(ref, descriptor, login)
            elif download.is_leaving:
                await asyncio.wait([download.task])
                continue
            try:
                await self.join(download, watch)
            except EngineError:
                # That another repository does not give it says nothing of this one.
                if download.source == source:
                    raise

    async def growing(self, digest: Digest) -> Growth | None:
        """The file of a blob that is on its way, once something is in it.  None: it is here, or small, or does not come."""
        download = self.running.get(digest)
        if download is None:
            return None
        await download.begun.wait()
        growth = download.growth
        return growth if growth is not None and not growth.is_over else None

    def begin(self, ref: Reference, descriptor: Descriptor, login: AuthConfig | None) -> Download:
        digest = descriptor.digest
        download = self.running[digest] = Download((ref.name, login))
        work = self.run(download, ref, descriptor, login)
        download.task = asyncio.get_running_loop().create_task(work, name=f"download:{digest}")
        download.task.add_done_callback(lambda task: self.ended(digest, task))
        return download

    def ended(self, digest: Digest, task: asyncio.Task[None]) -> None:
        download = self.running.pop(digest)
        download.end_attempt()
        download.begun.set()
        if not task.cancelled():
            task.exception()  # all who waited for it may have left

    async def join(self, download: Download, watch: Watch) -> None:
        download.watchers.append(watch)
        watch(download.step, download.amount)
        try:
            await asyncio.shield(download.task)
        except asyncio.CancelledError:
            if len(download.watchers) == 1 and not download.task.done():
                download.is_leaving = True
                download.task.cancel()
                await asyncio.wait([download.task])
            raise
        finally:
            download.watchers.remove(watch)

    async def run(self, download: Download, ref: Reference, descriptor: Descriptor, login: AuthConfig | None) -> None:
        async with self.places[ref.domain]:
            for own_host_only in (False, True):
                partial = await self.content.partial(descriptor.digest, descriptor.size)
                if descriptor.size >= FOLLOWED_BYTES:
                    download.growth = Growth(partial.path)
                else:
                    download.begun.set()
                try:
                    await self.fill(partial, download, ref, descriptor, login, own_host_only)
                except BaseException as e:
                    await (partial.suspend() if isinstance(e, MAY_GO_ON) and partial.offset else partial.discard())
                    raise
                download.tell(Step.VERIFYING)
                try:
                    await partial.commit()
                except InvalidParameter:
                    download.end_attempt()
                    if own_host_only:
                        raise
                    # A mirror may have given it, or it lay here since a power cut: once more, from its beginning.
                else:
                    download.end_attempt(descriptor.size)
                    download.tell(Step.DOWNLOADED)
                    return

    async def fill(
        self,
        partial: PartialBlob,
        download: Download,
        ref: Reference,
        descriptor: Descriptor,
        login: AuthConfig | None,
        own_host_only: bool,
    ) -> None:
        told, step = partial.offset, max(TOLD_BYTES, descriptor.size // TOLD_TIMES)
        download.grown(partial.written)
        if told == descriptor.size:
            return
        download.tell(Step.DOWNLOADING, told)
        stream = self.registry.blob(
            ref, descriptor, login, offset=told, on_retry=download.on_retry, own_host_only=own_host_only
        )
        async with aclosing(cast(AsyncGenerator[bytes], stream)) as pieces:
            async for piece in pieces:
                await partial.write(piece)
                download.grown(partial.written)
                if partial.offset - told >= step or partial.offset == descriptor.size:
                    told = partial.offset
                    download.tell(Step.DOWNLOADING, told)
