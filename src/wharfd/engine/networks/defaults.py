"""The networks that the engine has from the start: `bridge`, `host`, `none`."""

from collections.abc import Mapping

from wharfd.engine.ledger import Ledger
from wharfd.ports.network import NetworkDriver

DEFAULTS = {"bridge": "bridge", "host": "host", "none": "null"}  # name -> driver


async def ensure_default_networks(ledger: Ledger, drivers: Mapping[str, NetworkDriver]) -> None:
    """Make the records that are missing, and follow changed settings.  Called before the drivers take up their networks."""
    for name, driver_name in DEFAULTS.items():
        known = next((n for n in ledger.networks if n.name == name), None)
        record = await drivers[driver_name].default_network(name, known)
        if record != known:
            await ledger.commit(record, durable=True)
