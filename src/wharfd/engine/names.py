"""Who is called what on which network: what the resolvers in the sandboxes answer from.

A container is found, by those on the same network of one's own, by its name, its aliases there, its short id and its hostname, each
also with the network's name behind it (`web.backend`).  Made from the records whenever they have changed since the last question.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from wharfd.engine.ledger import Ledger
from wharfd.model.config import EndpointSettings
from wharfd.model.container import ContainerRecord
from wharfd.model.ids import ContainerId
from wharfd.model.network import NetworkRecord


@dataclass(slots=True)
class Zone:
    """Of one network.  Names in lower case."""

    network: NetworkRecord
    addresses: dict[str, list[str]] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=dict)

    def add(self, record: ContainerRecord, settings: EndpointSettings) -> None:
        own = [each for each in (settings.ip_address, settings.global_ipv6_address) if each]
        names = [record.name, *(settings.aliases or ()), record.id[:12], record.config.hostname]
        for name in dict.fromkeys(each.lower() for each in names if each):
            self.addresses.setdefault(name, []).extend(own)
        for address in own:
            self.names.setdefault(address, []).append(f"{record.name}.{self.network.name}")

    def find(self, name: str) -> list[str]:
        return self.addresses.get(name) or self.addresses.get(name.removesuffix(f".{self.network.name.lower()}"), [])


class Names:
    """Also knows containers that are just being started, whose records do not say yet where they are plugged in."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.zones: dict[str, Zone] = {}
        self.starting: dict[ContainerId, ContainerRecord] = {}
        self.seen = -1

    def begin(self, record: ContainerRecord) -> None:
        """`record` with the networks that it has been plugged into."""
        self.starting[record.id] = record
        self.seen = -1

    def end(self, container_id: ContainerId) -> None:
        if self.starting.pop(container_id, None) is not None:
            self.seen = -1

    def record(self, container_id: ContainerId) -> ContainerRecord | None:
        known = self.ledger.containers.get(container_id)
        if known is not None and known.is_running:
            return known
        return self.starting.get(container_id, known)

    def zone(self, network_id: str) -> Zone | None:
        if self.seen != self.ledger.containers.changes + self.ledger.networks.changes:
            self.build()
        return self.zones.get(network_id)

    def build(self) -> None:
        self.seen = self.ledger.containers.changes + self.ledger.networks.changes
        self.zones = {network.id: Zone(network) for network in self.ledger.networks if not network.predefined}
        for each in self.ledger.containers:
            record = self.record(each.id) or each
            for settings in record.networks.values():
                zone = self.zones.get(settings.network_id) if settings.endpoint_id else None
                if zone is not None:
                    zone.add(record, settings)

    def lookup(self, container_id: ContainerId) -> "SandboxNames":
        return SandboxNames(self, container_id)


class SandboxNames:
    """Satisfies `ports.network.Lookup`: what one container sees, as it is connected now."""

    def __init__(self, names: Names, container_id: ContainerId) -> None:
        self.all = names
        self.container_id = container_id

    def seen(self) -> list[tuple[EndpointSettings, Zone]]:
        record = self.all.record(self.container_id)
        if record is None:
            return []
        found = ((each, self.all.zone(each.network_id)) for each in record.networks.values() if each.endpoint_id)
        return [(settings, zone) for settings, zone in found if zone is not None]

    def addresses(self, name: str) -> Sequence[str]:
        wanted = name.lower()
        found: list[str] = []
        for settings, zone in self.seen():
            for link in settings.links or ():
                target, _, alias = link.partition(":")
                if alias.lower() == wanted:
                    found += zone.find(target.removeprefix("/").lower())
            found += zone.find(wanted)
        return list(dict.fromkeys(found))

    def names(self, address: str) -> Sequence[str]:
        return [name for _, zone in self.seen() for name in zone.names.get(address, ())]
