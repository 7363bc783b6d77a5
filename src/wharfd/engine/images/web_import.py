"""`docker import URL`: the root file system's tar comes from the web."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace

from wharfd.engine.images.importing import Import, ImportImage
from wharfd.model.ids import ImageId
from wharfd.ports.fetch import WebStream, WebStreams
from wharfd.wire.masking import masked
from wharfd.wire.weburl import parse_source

TOLD_BYTES = 512 << 10  # progress is told each time when so many more have come
TOLD_TIMES = 200  # or a large file's share of its size


@dataclass(frozen=True, slots=True)
class Downloading:
    """`url`: without a user's name and password."""

    url: str


@dataclass(frozen=True, slots=True)
class Importing:
    """`total` -1: not known."""

    current: int
    total: int


Telling = Callable[[Downloading | Importing], None]


class ImportFromWeb:
    def __init__(self, web: WebStreams, import_image: ImportImage) -> None:
        self.web = web
        self.import_image = import_image

    async def __call__(self, asked: Import, source: str, tell: Telling) -> ImageId:
        """`source`: an address, http where it names no scheme.  What fails before anything is told has left nothing.

        Raises what `parse_source`, the port and `ImportImage` raise.
        """
        url = parse_source(source)
        stream = await self.web.stream(url)
        try:
            tell(Downloading(masked(url)))
            # Docker: also a password of the address is kept in the history for good; here it is not.
            asked = replace(asked, message=asked.message or f"Imported from {masked(source)}")
            return await self.import_image(asked, watched(stream, tell))
        finally:
            await stream.aclose()


async def watched(stream: WebStream, tell: Telling) -> AsyncIterator[bytes]:
    at, told = 0, 0
    step = max(TOLD_BYTES, stream.length // TOLD_TIMES)
    async for piece in stream:
        at += len(piece)
        if at - told >= step or at == stream.length:
            told = at
            tell(Importing(at, stream.length))
        yield piece
