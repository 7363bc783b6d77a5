"""When a request is made again, and how long to wait before.

Twice as long each time, with some chance in it, so that many engines that were cut off together do not come back together.  What a
registry asks for in `Retry-After` is kept, up to a minute; a registry that wants longer is not waited for.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from wharfd.drivers.registry.failures import Refused
from wharfd.model.errors import RegistryFailure

T = TypeVar("T")


class Backoff:
    """`attempts`: how often something is tried at all.  `first_s`: the wait before the second try."""

    def __init__(self, attempts: int, first_s: float = 1.0, limit_s: float = 15.0, patience_s: float = 60.0) -> None:
        self.attempts = max(1, attempts)
        self.first_s = first_s
        self.limit_s = limit_s
        self.patience_s = patience_s

    def delay(self, failure: RegistryFailure, attempt: int) -> float | None:
        """Seconds to wait after the `attempt`th try (from 1) has failed; None: give up."""
        if not failure.may_pass or attempt >= self.attempts:
            return None
        asked = failure.retry_after_s if isinstance(failure, Refused) else None
        if asked is not None and asked > self.patience_s:
            return None
        grown = min(self.first_s * float(2 ** (attempt - 1)), self.limit_s)
        return max(asked or 0.0, grown * random.uniform(0.75, 1.25))

    async def persist(self, call: Callable[[], Awaitable[T]]) -> T:
        """`call()`, again while its failure may pass.  Raises the last failure."""
        attempt = 1
        while True:
            try:
                return await call()
            except RegistryFailure as failure:
                wait_s = self.delay(failure, attempt)
                if wait_s is None:
                    raise
            attempt += 1
            await asyncio.sleep(wait_s)
