"""Which networks there are, and who is on them.  Reads records only."""

import msgspec

from wharfd.engine.ledger import Ledger
from wharfd.model.config import EndpointSettings
from wharfd.model.container import ContainerRecord
from wharfd.model.errors import InvalidParameter
from wharfd.model.network import NetworkRecord
from wharfd.wire.filters import Filters

ACCEPTED = ("dangling", "driver", "id", "label", "name", "scope", "type")
PRUNE_ACCEPTED = ("label", "label!", "until")


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    container_id: str
    name: str
    endpoint_id: str
    mac: str
    ipv4: str  # CIDR
    ipv6: str


class NetworkView(msgspec.Struct, frozen=True, kw_only=True):
    network: NetworkRecord
    attachments: list[Attachment]


def attachments_of(ledger: Ledger, network: NetworkRecord) -> list[Attachment]:
    """Endpoints of running containers."""
    return attachments_by_name(ledger).get(network.name, [])


def attachments_by_name(ledger: Ledger) -> dict[str, list[Attachment]]:
    """Those of all networks, in one walk."""
    found: dict[str, list[Attachment]] = {}
    for container in ledger.containers:
        for name, settings in container.networks.items():
            if settings.endpoint_id:
                found.setdefault(name, []).append(attachment(container, settings))
    return found


def attachment(container: ContainerRecord, settings: EndpointSettings) -> Attachment:
    ipv6 = settings.global_ipv6_address
    return Attachment(
        container_id=container.id,
        name=container.name,
        endpoint_id=settings.endpoint_id,
        mac=settings.mac_address,
        ipv4=f"{settings.ip_address}/{settings.ip_prefix_len}" if settings.ip_address else "",
        ipv6=f"{ipv6}/{settings.global_ipv6_prefix_len}" if ipv6 else "",
    )


def used_names(ledger: Ledger) -> set[str]:
    """Networks to which some container, running or not, belongs."""
    return {name for container in ledger.containers for name in container.networks}


def list_networks(ledger: Ledger, filters: Filters) -> list[NetworkView]:
    """Raises InvalidParameter for a filter that does not exist or has a bad value."""
    filters.validate(ACCEPTED)
    for kind in filters.get("type"):
        if kind not in ("builtin", "custom"):
            raise InvalidParameter(f"invalid filter: 'type'='{kind}'")
    dangling = filters.boolean("dangling", default=False) if "dangling" in filters else None
    attachments = attachments_by_name(ledger)
    used = used_names(ledger)
    return [
        NetworkView(network=network, attachments=attachments.get(network.name, []))
        for network in ledger.networks
        if matches(network, filters)
        and (dangling is None or dangling == (not network.predefined and network.name not in used))
    ]


def matches(network: NetworkRecord, filters: Filters) -> bool:
    kind = "builtin" if network.predefined else "custom"
    return (
        ("driver" not in filters or filters.exact("driver", network.driver))
        and ("name" not in filters or filters.match("name", network.name))
        and ("id" not in filters or filters.match("id", network.id))
        and ("scope" not in filters or filters.exact("scope", network.scope))
        and ("type" not in filters or filters.exact("type", kind))
        and ("label" not in filters or filters.labels("label", network.labels))
    )


def inspect_network(ledger: Ledger, ref: str, scope: str = "") -> NetworkView:
    """By id, name or prefix.  Raises NetworkNotFound."""
    network = ledger.network(ref)
    return NetworkView(network=network, attachments=attachments_of(ledger, network))
