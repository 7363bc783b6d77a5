"""The networks that the engine has from the start: `bridge`, `host`, `none`."""

from collections.abc import Mapping

import msgspec

from wharfd.engine.ledger import Ledger
from wharfd.model.network import Endpoint, NetworkRecord
from wharfd.model.settings import Settings
from wharfd.ports.network import NetworkDriver
from wharfd.wire.ipam import parse_bip

DEFAULTS = {"bridge": "bridge", "host": "host", "none": "null"}  # name -> driver


async def ensure_default_networks(ledger: Ledger, drivers: Mapping[str, NetworkDriver], settings: Settings) -> None:
    """Make the records that are missing, follow a changed `--bip`, and let each driver take up its networks.

    Called after the records are read and before containers are reconciled.
    """
    for name, driver_name in DEFAULTS.items():
        record = next((n for n in ledger.networks if n.name == name), None)
        if record is None:
            await ledger.commit(await drivers[driver_name].default_network(name), durable=True)
        elif name == "bridge" and settings.bip and (pools := [parse_bip(settings.bip)]) != record.pools:
            await ledger.commit(msgspec.structs.replace(record, pools=pools), durable=True)
    for driver_name, driver in drivers.items():
        networks = [n for n in ledger.networks if n.driver == driver_name]
        await driver.open(networks, {n.id: endpoints_in_use(ledger, n) for n in networks})


def endpoints_in_use(ledger: Ledger, network: NetworkRecord) -> list[Endpoint]:
    """What containers hold on a network, by their records."""
    return [
        Endpoint(
            endpoint_id=settings.endpoint_id,
            ipv4=settings.ip_address,
            ipv4_prefix=settings.ip_prefix_len,
            gateway=settings.gateway,
            mac=settings.mac_address,
        )
        for container in ledger.containers
        for name, settings in container.networks.items()
        if name == network.name and settings.endpoint_id
    ]
