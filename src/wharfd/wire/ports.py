"""Port specifications: `80/tcp` in a body's keys, ranges, and the command line's `127.0.0.1:8000-8010:80/udp`.

Functions raise `InvalidParameter` with dockerd's text.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wharfd.model.config import PortBinding
from wharfd.model.errors import InvalidParameter

PROTOCOLS = ("tcp", "udp", "sctp")
MAX_PORT = 65535


@dataclass(frozen=True, slots=True, order=True)
class Port:
    """A container's port; `str` gives the key form `80/tcp`."""

    number: int
    protocol: str = "tcp"

    def __str__(self) -> str:
        return f"{self.number}/{self.protocol}"


@dataclass(frozen=True, slots=True)
class PublishedPort:
    """One binding.  `host_ip` empty: all addresses of both families.  `first` 0: any free port, else the first free one of
    `first`…`last`."""

    port: Port
    host_ip: str = ""
    first: int = 0
    last: int = 0


def parse_port(text: str) -> Port:
    """Parse `80`, `80/tcp`, `53/UDP`."""
    ports = parse_exposed(text)
    if len(ports) != 1:
        raise InvalidParameter(f'invalid port specification: "{text}"')
    return ports[0]


def parse_exposed(text: str) -> list[Port]:
    """Parse a key of `ExposedPorts` or `PortBindings`, which may be a range (`8000-8010/tcp`)."""
    numbers, _, protocol = text.partition("/")
    protocol = protocol.lower() or "tcp"
    if protocol not in PROTOCOLS:
        raise InvalidParameter(f"invalid proto: {protocol}")
    first, last = parse_range(numbers)
    if first == 0:
        raise InvalidParameter(f'invalid port specification: "{text}"')
    return [Port(number, protocol) for number in range(first, last + 1)]


def parse_host_port(text: str) -> tuple[int, int]:
    """Parse `HostPort`: empty and `0` give (0, 0), a number or a range its two ends."""
    return parse_range(text) if text else (0, 0)


def parse_range(text: str) -> tuple[int, int]:
    """Parse `80` or `8000-8010`."""
    low, dash, high = text.partition("-")
    first = _number(low, text)
    last = _number(high, text) if dash else first
    if last < first:
        raise InvalidParameter(f'invalid port specification: "{text}"')
    return first, last


def parse_bindings(bindings: Mapping[str, Sequence[PortBinding] | None] | None) -> list[PublishedPort]:
    """Check `HostConfig.PortBindings` and flatten it; a port without bindings is exposed, not published."""
    out: list[PublishedPort] = []
    for key, values in (bindings or {}).items():
        for port in parse_exposed(key):
            for binding in values or ():
                first, last = parse_host_port(binding.host_port)
                out.append(PublishedPort(port, parse_host_ip(binding.host_ip), first, last))
    return out


def parse_host_ip(text: str) -> str:
    """Check an address, with or without brackets; empty stays empty."""
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if not bare:
        return ""
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError as e:
        raise InvalidParameter(f"invalid IP address: {text}") from e


def parse_spec(text: str) -> list[PublishedPort]:
    """Parse the command line's form `[ip:][host-port]:container-port[/proto]`, with ranges."""
    head, _, container = text.rpartition(":")
    ip, _, host = head.rpartition(":")
    if not container.partition("/")[0]:
        raise InvalidParameter(f"no port specified: {text}<empty>")
    ports = parse_exposed(container)
    address = parse_host_ip(ip)
    if not host:
        return [PublishedPort(port, address) for port in ports]
    first, last = parse_range(host)
    if len(ports) == 1:
        return [PublishedPort(ports[0], address, first, last)]
    if last - first + 1 != len(ports):
        numbers = container.partition("/")[0]
        raise InvalidParameter(f"invalid ranges specified for container and host Ports: {numbers} and {host}")
    return [PublishedPort(port, address, first + n, first + n) for n, port in enumerate(ports)]


def format_spec(published: PublishedPort) -> str:
    """The command line's form of one binding."""
    host = "" if not published.first else str(published.first)
    if published.last != published.first:
        host = f"{published.first}-{published.last}"
    ip = f"[{published.host_ip}]" if ":" in published.host_ip else published.host_ip
    return f"{ip}:{host}:{published.port}" if ip else f"{host}:{published.port}"


def _number(text: str, whole: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 10 or int(text) > MAX_PORT:
        raise InvalidParameter(f'invalid port specification: "{whole}"')
    return int(text)
