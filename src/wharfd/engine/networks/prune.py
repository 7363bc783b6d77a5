"""Remove all networks of one's own that no container belongs to.  Docker: configuration networks stay."""

from wharfd.engine.happenings import prune_event
from wharfd.engine.ledger import Ledger
from wharfd.engine.networks.list import PRUNE_ACCEPTED, used_names
from wharfd.engine.networks.remove import RemoveNetwork
from wharfd.model.errors import Conflict, EngineError, InvalidParameter
from wharfd.model.network import NetworkRecord
from wharfd.ports.clock import Clock
from wharfd.wire.filters import Filters
from wharfd.wire.timestamps import parse_timestamp


class PruneNetworks:
    def __init__(self, *, ledger: Ledger, clock: Clock, remove: RemoveNetwork) -> None:
        self.ledger = ledger
        self.clock = clock
        self.remove = remove
        self.is_running = False

    async def __call__(self, filters: Filters) -> list[str]:
        """Their names.  Networks that cannot be removed are passed over.

        Raises:
            InvalidParameter: a filter that is not known, or a bad time.
            Conflict: another prune is under way.
        """
        filters.validate(PRUNE_ACCEPTED)
        until_ns = self.until(filters)
        if self.is_running:
            raise Conflict("a prune operation is already running")
        self.is_running = True
        names: list[str] = []
        try:
            used = used_names(self.ledger)
            for network in self.ledger.networks:
                if (
                    network.predefined
                    or network.config_only
                    or network.name in used
                    or not fits(network, filters, until_ns)
                ):
                    continue
                try:
                    await self.remove(network.id)
                except EngineError:
                    continue
                names.append(network.name)
        finally:
            self.is_running = False
        await self.ledger.commit(events=[prune_event("network", self.clock.now_ns(), 0)])
        return names

    def until(self, filters: Filters) -> int:
        """0: no bound."""
        values = filters.get("until")
        if not values:
            return 0
        if len(values) > 1:
            raise InvalidParameter("more than one until filter specified")
        return parse_timestamp(values[0], self.clock.now_ns())


def fits(network: NetworkRecord, filters: Filters, until_ns: int) -> bool:
    if until_ns and network.created_ns > until_ns:
        return False
    excluded = filters.get("label!")
    return filters.labels("label", network.labels) and not (excluded and filters.labels("label!", network.labels))
