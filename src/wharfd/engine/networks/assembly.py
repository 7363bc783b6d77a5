"""All use cases of networks, put together over what they share with containers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from wharfd.engine.containers.attachment import Attachment
from wharfd.engine.containers.files import NameFiles
from wharfd.engine.ledger import Ledger
from wharfd.engine.locks import KeyedLocks
from wharfd.engine.networks.connect import ConnectNetwork, DisconnectNetwork
from wharfd.engine.networks.create import CreateNetwork
from wharfd.engine.networks.prune import PruneNetworks
from wharfd.engine.networks.remove import RemoveNetwork
from wharfd.ports.clock import Clock
from wharfd.ports.network import NetworkDriver


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkUseCases:
    create: CreateNetwork
    remove: RemoveNetwork
    prune: PruneNetworks
    connect: ConnectNetwork
    disconnect: DisconnectNetwork


def assemble_networks(
    drivers: Mapping[str, NetworkDriver],
    *,
    ledger: Ledger,
    locks: KeyedLocks,
    clock: Clock,
    attachment: Attachment,
    name_files: NameFiles,
    new_id: Callable[[], str],
    default_options: Mapping[str, Mapping[str, str]],
) -> NetworkUseCases:
    """`new_id` makes 64 hex digits."""
    remove = RemoveNetwork(ledger=ledger, locks=locks, clock=clock, drivers=drivers)
    return NetworkUseCases(
        create=CreateNetwork(
            ledger=ledger, clock=clock, drivers=drivers, new_id=new_id, default_options=default_options
        ),
        remove=remove,
        prune=PruneNetworks(ledger=ledger, clock=clock, remove=remove),
        connect=ConnectNetwork(ledger=ledger, locks=locks, clock=clock, attachment=attachment, files=name_files),
        disconnect=DisconnectNetwork(ledger=ledger, locks=locks, clock=clock, attachment=attachment, files=name_files),
    )
