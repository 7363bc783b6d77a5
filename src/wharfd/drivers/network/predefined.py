"""The record of a network that the engine has from the start."""

import os

from wharfd.model.ids import NetworkId
from wharfd.model.network import IPAMPool, NetworkRecord


def predefined(
    name: str, driver: str, now_ns: int, pools: list[IPAMPool] | None = None, options: dict[str, str] | None = None
) -> NetworkRecord:
    return NetworkRecord(
        id=NetworkId(os.urandom(32).hex()),
        name=name,
        created_ns=now_ns,
        driver=driver,
        pools=pools or [],
        options=options or {},
        predefined=True,
    )
