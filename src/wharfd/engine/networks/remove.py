"""Remove a network that no running container is on."""

from collections.abc import Mapping

from wharfd.engine.happenings import network_event
from wharfd.engine.ledger import Ledger
from wharfd.engine.locks import KeyedLocks
from wharfd.engine.networks.list import attachments_of
from wharfd.model.errors import Forbidden, NetworkNotFound
from wharfd.model.network import NetworkRecord
from wharfd.ports.clock import Clock
from wharfd.ports.network import NetworkDriver
from wharfd.ports.records import Deletion


class RemoveNetwork:
    """`drivers` by the name in `NetworkRecord.driver`."""

    def __init__(
        self, *, ledger: Ledger, locks: KeyedLocks, clock: Clock, drivers: Mapping[str, NetworkDriver]
    ) -> None:
        self.ledger = ledger
        self.locks = locks
        self.clock = clock
        self.drivers = drivers

    async def __call__(self, ref: str) -> None:
        """Docker: containers at rest do not keep it; they cannot be started then.

        Raises:
            NetworkNotFound, InvalidParameter (ambiguous), Forbidden (predefined, in use).
        """
        network_id = self.ledger.network(ref).id
        async with self.locks.hold("network", network_id):
            network = self.ledger.networks.get(network_id)
            if network is None:
                raise NetworkNotFound(ref)
            if network.predefined:
                raise Forbidden(f"{network.name} is a pre-defined network and cannot be removed")
            active = ", ".join(
                f'name:"{each.name}" id:"{each.endpoint_id[:12]}"' for each in attachments_of(self.ledger, network)
            )
            if active:
                raise Forbidden(f"error while removing network: network {network.name} has active endpoints ({active})")
            if network.config_only:
                if any(other.config_from == network.name for other in self.ledger.networks):
                    raise Forbidden(f'error while removing network: configuration network "{network.name}" is in use')
                await self.forget(network)
                return
            try:
                await self.drivers[network.driver].delete_network(network)
            except Forbidden as e:  # a container is just being started on it
                raise e.prefixed("error while removing network: ") from e
            await self.forget(network)

    async def forget(self, network: NetworkRecord) -> None:
        event = network_event(network, "destroy", self.clock.now_ns())
        await self.ledger.commit(Deletion(kind="network", id=network.id), events=[event], durable=True)
