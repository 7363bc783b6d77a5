"""What imported caches offer to the solver."""

from collections.abc import Sequence
from typing import Protocol

from wharfd.engine.build.reports import Report
from wharfd.engine.images.leases import Lease
from wharfd.model.ids import ChainId, Digest


class Offer(Protocol):
    """A step's result in an imported cache.  `key` is the step's content key, whichever key it was found by."""

    @property
    def key(self) -> Digest: ...

    @property
    def has_result(self) -> bool:
        """False: only the key is known."""

    @property
    def created_ns(self) -> int: ...

    async def bring(self, lease: Lease, report: Report) -> Sequence[ChainId]:
        """The root's layers, held by the lease.  Raises EngineError if they are not to be had."""


class Offers(Protocol):
    async def find(self, key: Digest) -> Offer | None: ...
