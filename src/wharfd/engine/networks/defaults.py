"""The networks that the engine has from the start: `bridge`, `host`, `none`."""

from collections.abc import Mapping

import msgspec

from wharfd.engine.ledger import Ledger
from wharfd.model.settings import Settings
from wharfd.ports.network import NetworkDriver
from wharfd.wire.ipam import parse_bip

DEFAULTS = {"bridge": "bridge", "host": "host", "none": "null"}  # name -> driver


async def ensure_default_networks(ledger: Ledger, drivers: Mapping[str, NetworkDriver], settings: Settings) -> None:
    """Make the records that are missing, and follow a changed `--bip`.  Called before the drivers take up their networks."""
    for name, driver_name in DEFAULTS.items():
        record = next((n for n in ledger.networks if n.name == name), None)
        if record is None:
            await ledger.commit(await drivers[driver_name].default_network(name), durable=True)
        elif name == "bridge" and settings.bip and (pools := [parse_bip(settings.bip)]) != record.pools:
            await ledger.commit(msgspec.structs.replace(record, pools=pools), durable=True)
