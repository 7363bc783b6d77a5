"""Links of the default bridge (`--link db:database`): what one container is told of another, by variables and /etc/hosts.

A record keeps a link as `ID:ALIAS`, so that the other one may be renamed; clients are shown `/db:/web/database`.  On networks of one's
own there are none: names are resolved there.  Docker: all of it, source of the variables' names and order included.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from wharfd.engine.containers.endpoints import BRIDGE, network_name
from wharfd.engine.ledger import Ledger
from wharfd.model.config import EndpointSettings, HostConfig
from wharfd.model.container import ContainerRecord
from wharfd.model.errors import ContainerNotFound, Internal, InvalidParameter
from wharfd.wire.ports import Port, parse_exposed

FULL_ID = re.compile(r"[0-9a-f]{64}")
NOT_TOLD = frozenset({"HOME", "PATH"})


@dataclass(frozen=True, slots=True)
class Link:
    child: ContainerRecord
    alias: str

    def name(self, parent: ContainerRecord) -> str:
        return f"/{parent.name}/{self.alias}"


def parse_link(text: str) -> tuple[str, str]:
    """The other container and the alias.  Raises InvalidParameter."""
    if not text:
        raise InvalidParameter("empty string specified for links")
    parts = text.split(":")
    if len(parts) > 2:
        raise InvalidParameter(f"bad format for links: {text}")
    if len(parts) == 1:
        return text.removeprefix("/"), text.removeprefix("/")
    # Docker: as inspect shows a link, it may be given back.
    alias = parts[1].rpartition("/")[2] if text.startswith("/") else parts[1]
    return parts[0].removeprefix("/"), alias


def with_links(asked: HostConfig, find: Callable[[str], ContainerRecord | None]) -> HostConfig:
    """As a record keeps them.  Raises InvalidParameter for a link to nothing, or to a container on the host's network."""
    links: dict[str, None] = {}
    for text in asked.links or ():
        ref, alias = parse_link(text)
        if not ref:
            raise InvalidParameter('could not get container for : invalid name or ID supplied: ""')
        other = find(ref)
        if other is None:
            raise InvalidParameter(f"could not get container for {ref}: {ContainerNotFound(ref)}")
        if other.host_config.network_mode == "host":
            raise InvalidParameter(
                "conflicting options: host type networking can't be used with links. This would result in undefined behavior"
            )
        if alias:
            links[f"{other.id}:{alias}"] = None
    is_told = network_name(asked.network_mode) == BRIDGE
    return msgspec.structs.replace(asked, links=list(links) or None if is_told else None)


def links_of(ledger: Ledger, record: ContainerRecord) -> Iterator[Link]:
    """Those whose other container still exists, by alias."""
    for text in sorted(record.host_config.links or (), key=lambda text: text.partition(":")[2]):
        container_id, _, alias = text.partition(":")
        child = ledger.containers.get(container_id) if FULL_ID.fullmatch(container_id) else None
        if child is not None:
            yield Link(child, alias)


def shown_links(ledger: Ledger, record: ContainerRecord) -> list[str] | None:
    return [f"/{link.child.name}:{link.name(record)}" for link in links_of(ledger, record)] or None


def names_by_links(ledger: Ledger) -> dict[str, list[str]]:
    """Container id -> what it is called by others' links."""
    found: dict[str, list[str]] = {}
    for parent in ledger.containers:
        if parent.host_config.links:
            for link in links_of(ledger, parent):
                found.setdefault(link.child.id, []).append(link.name(parent))
    return found


def linked_to(ledger: Ledger, record: ContainerRecord) -> list[ContainerRecord]:
    """Running containers that have a link to this one."""
    return [
        parent
        for parent in ledger.containers
        if parent.host_config.links
        and parent.is_running
        and any(link.child.id == record.id for link in links_of(ledger, parent))
    ]


def on_bridge(record: ContainerRecord) -> EndpointSettings:
    return record.networks.get(BRIDGE) or EndpointSettings()


def link_variables(ledger: Ledger, record: ContainerRecord, *, must_run: bool = True) -> list[str]:
    """Raises Internal: one of them does not run."""
    found: list[str] = []
    for link in links_of(ledger, record):
        if must_run and not link.child.is_running:
            raise Internal(f"Cannot link to a non running container: /{link.child.name} AS {link.name(record)}")
        if on_bridge(link.child).ip_address:
            found += variables_of(link, record)
    return found


def host_lines(ledger: Ledger, record: ContainerRecord) -> list[str]:
    """Of /etc/hosts."""
    lines = []
    for link in links_of(ledger, record):
        settings = on_bridge(link.child)
        names = dict.fromkeys((link.alias, link.child.config.hostname, link.child.name))
        words = " ".join(name for name in names if name)
        lines += [f"{each}\t{words}" for each in (settings.ip_address, settings.global_ipv6_address) if each]
    return lines


def variables_of(link: Link, parent: ContainerRecord) -> list[str]:
    name = link.alias.upper().replace("-", "_")
    address = on_bridge(link.child).ip_address
    ports = sorted(exposed_ports(link.child), key=lambda port: (port.protocol != "tcp", port.protocol, port.number))

    def url(port: Port) -> str:
        return f"{port.protocol}://{address}:{port.number}"

    found = [f"{name}_PORT={url(ports[0])}"] if ports else []
    for first, last in runs(ports):
        stem = f"{name}_PORT_{first.number}_{first.protocol.upper()}"
        found += [
            f"{stem}_START={url(first)}",
            f"{stem}_ADDR={address}",
            f"{stem}_PROTO={first.protocol}",
            f"{stem}_PORT_START={first.number}",
            f"{stem}_END={url(last)}",
            f"{stem}_PORT_END={last.number}",
        ]
    for port in ports:
        stem = f"{name}_PORT_{port.number}_{port.protocol.upper()}"
        found += [
            f"{stem}={url(port)}",
            f"{stem}_ADDR={address}",
            f"{stem}_PORT={port.number}",
            f"{stem}_PROTO={port.protocol}",
        ]
    found.append(f"{name}_NAME={link.name(parent)}")
    for word in link.child.config.env or ():
        key, equals, _ = word.partition("=")
        if equals and key not in NOT_TOLD:
            found.append(f"{name}_ENV_{word}")
    return found


def exposed_ports(record: ContainerRecord) -> Iterable[Port]:
    for key in record.config.exposed_ports or ():
        try:
            yield from parse_exposed(key)
        except InvalidParameter:  # an image may hold anything
            continue


def runs(ports: Sequence[Port]) -> Iterator[tuple[Port, Port]]:
    """First and last of three or more whose numbers follow each other."""
    at = 0
    while at < len(ports):
        end = at
        while (
            end + 1 < len(ports)
            and ports[end + 1].number == ports[end].number + 1
            and ports[end + 1].protocol == ports[at].protocol
        ):
            end += 1
        if end > at + 1:
            yield ports[at], ports[end]
        at = end + 1
