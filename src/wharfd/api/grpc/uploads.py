"""Archives that come with a request of their own, and the builds that they are for: whichever comes first waits for the other."""

import asyncio

from wharfd.model.errors import InvalidParameter, Unavailable
from wharfd.ports.localtrees import HeldTree

WAIT_S = 5.0


class Upload:
    """Whoever brings the tree has it until it is taken."""

    def __init__(self, tree: HeldTree) -> None:
        self.tree = tree
        self.taken = asyncio.Event()


class Uploads:
    def __init__(self, wait_s: float = WAIT_S) -> None:
        self._wait_s = wait_s
        self._offered: dict[str, Upload] = {}  # by the builds' ids
        self._came = asyncio.Event()  # another one each time

    async def bring(self, build_id: str, upload: Upload) -> None:
        """Returns when it is taken.  Raises InvalidParameter, Unavailable: no build has come."""
        if build_id in self._offered:
            raise InvalidParameter(f"build {build_id} has its context already")
        self._offered[build_id] = upload
        self._came.set()
        self._came = asyncio.Event()
        try:
            async with asyncio.timeout(self._wait_s):
                await upload.taken.wait()
        except TimeoutError as e:
            if not upload.taken.is_set():
                raise Unavailable("context deadline exceeded") from e
        finally:
            if self._offered.get(build_id) is upload:
                del self._offered[build_id]

    async def take(self, build_id: str) -> HeldTree:
        """Raises Unavailable."""
        try:
            async with asyncio.timeout(self._wait_s):
                while (upload := self._offered.pop(build_id, None)) is None:
                    await self._came.wait()
        except TimeoutError as e:
            raise Unavailable("context deadline exceeded") from e
        upload.taken.set()
        return upload.tree
