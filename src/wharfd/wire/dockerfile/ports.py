"""`EXPOSE` words: `80`, `53/udp`, `8000-8010/tcp`, and, for the sake of old files, `[ip:]hostport:80`, whose first parts do not count."""

import ipaddress
from collections.abc import Iterable

from wharfd.wire.dockerfile.errors import DockerfileError

PROTOCOLS = ("tcp", "udp", "sctp")
MAX_PORT = 65535


def exposed_ports(words: Iterable[str]) -> list[str]:
    """`80/tcp` and so on, in the order of the words."""
    return [port for word in words for port in ports_of(word)]


def ports_of(word: str) -> list[str]:
    *addresses, port = word.rsplit(":", 2)
    protocol = protocol_of(port)
    numbers = port.partition("/")[0]
    if not numbers:
        raise DockerfileError(f"no port specified: {word}<empty>")
    if protocol not in PROTOCOLS:
        raise DockerfileError(f'invalid port: "{word}": invalid proto: {protocol}')
    found = port_range(numbers)
    if found is None:
        raise DockerfileError(f"invalid containerPort: {numbers}")
    if addresses:
        check_address(addresses, found, numbers)
    first, last = found
    return [f"{number}/{protocol}" for number in range(first, last + 1)]


def protocol_of(port: str) -> str:
    return port.partition("/")[2].lower() or "tcp"


def check_address(addresses: list[str], found: tuple[int, int], numbers: str) -> None:
    *ips, host = addresses
    for ip in ips:
        if not ip:
            continue
        try:
            ipaddress.ip_address(ip.removeprefix("[").removesuffix("]"))
        except ValueError as e:
            raise DockerfileError(f"invalid IP address: {ip}") from e
    if not host:
        return
    published = port_range(host)
    if published is None:
        raise DockerfileError(f"invalid hostPort: {host}")
    first, last = found
    if last != first and last - first != published[1] - published[0]:
        raise DockerfileError(f"invalid ranges specified for container and host Ports: {numbers} and {host}")


def port_range(text: str) -> tuple[int, int] | None:
    first, dash, last = text.partition("-")
    low = port_number(first)
    high = port_number(last) if dash else low
    if low is None or high is None or high < low:
        return None
    return low, high


def port_number(text: str) -> int | None:
    if not (text.isascii() and text.isdigit()) or len(text) > 5 or int(text) > MAX_PORT:
        return None
    return int(text)


def check_form(word: str) -> tuple[str, bool]:
    """The protocol as it is written, and whether there is more than a port: an address or a port of the host."""
    return word.rpartition(":")[2].partition("/")[2], ":" in word
