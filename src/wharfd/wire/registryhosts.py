"""Names of registries, as references and settings hold them.

    docker.io                      the Hub's name; its API is at registry-1.docker.io, its accounts and search at index.docker.io
    127.0.0.0/8, ::1/128           networks of insecure registries, always among them (Docker: a stop-gap for local registries)
    https://mirror.example/path/   a mirror of the Hub

An *insecure* registry may have a certificate that nobody signed, and may speak plain HTTP.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from wharfd.model.errors import InvalidParameter

HUB = "docker.io"
HUB_HOST = "registry-1.docker.io"
HUB_INDEX = "index.docker.io"
HUB_ACCOUNTS = f"https://{HUB_INDEX}/v1/"  # the server address of a login to the Hub

_LABEL = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?")
_LOOPBACK = ("::1/128", "127.0.0.0/8")

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Origin = tuple[str, str, int]

PORTS = {"http": 80, "https": 443}


def origin_of(url: str) -> Origin:
    """Scheme, host and port: what two URLs must share to be of one host.  Raises ValueError for a port that is none."""
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or PORTS.get(parts.scheme, 0)


def registry_of(server_address: str) -> str:
    """The name of the registry to which a login belongs: `docker.io` for `""` and for `https://index.docker.io/v1/`."""
    address = server_address.strip()
    scheme, separator, rest = address.partition("://")
    host = (rest if separator and scheme.lower() in ("http", "https") else address).partition("/")[0]
    return HUB if host in ("", HUB, HUB_INDEX, HUB_HOST) else host


def split_host(host: str) -> tuple[str, int | None]:
    """`host[:port]` taken apart; the brackets of an IPv6 address go."""
    if host.startswith("["):
        name, _, port = host[1:].partition("]")
        port = port.removeprefix(":")
    elif host.count(":") > 1:
        name, port = host, ""
    else:
        name, _, port = host.partition(":")
    return name, int(port) if port.isdecimal() else None


def literal_address(host: str) -> Address | None:
    """The address that `host[:port]` is, if it is one and not a name."""
    try:
        return ip_address(split_host(host)[0])
    except ValueError:
        return None


def split_search_term(term: str) -> tuple[str, str]:
    """Registry and what to look for.  Raises InvalidParameter for an address with a scheme."""
    if "://" in term:
        raise InvalidParameter(f"invalid repository name: repository name ({term}) should not have a scheme")
    first, slash, rest = term.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost"):
        return HUB, term.removeprefix("library/")
    if first in (HUB, HUB_INDEX):
        return HUB, rest.removeprefix("library/")
    return first, rest


@dataclass(frozen=True, slots=True)
class InsecureRegistries:
    """`hosts` as they were given; `networks` in the order of `/info`, with the loopback ones."""

    hosts: tuple[str, ...]
    networks: tuple[Network, ...]

    def names(self, host: str) -> bool:
        return host in self.hosts

    def holds(self, addresses: Iterable[Address]) -> bool:
        """Is one of the addresses of a host in one of the networks?"""
        return any(address in network for address in addresses for network in self.networks)


def parse_insecure(registries: Sequence[str]) -> InsecureRegistries:
    """Settings `insecure-registries`: hosts and networks.  Raises InvalidParameter with dockerd's texts."""
    hosts: dict[str, None] = {}
    networks: dict[Network, None] = {}
    for given in (*registries, *_LOOPBACK):
        if given.startswith("-") or given.endswith("-"):
            raise InvalidParameter(f"invalid index name ({given}). Cannot begin or end with a hyphen")
        scheme, separator, rest = given.partition("://")
        if separator and scheme.lower() not in ("http", "https"):
            raise InvalidParameter(f"insecure registry {given} should not contain '://'")
        name = rest if separator else given
        network = _network(name)
        if network is not None:
            networks[network] = None
            continue
        _check_host(name)
        hosts[name] = None
    return InsecureRegistries(tuple(hosts), tuple(networks))


def parse_mirrors(mirrors: Sequence[str]) -> list[str]:
    """Settings `registry-mirrors`: URLs that end with a slash, without doubles.  Raises InvalidParameter with dockerd's texts."""
    found: dict[str, None] = {}
    for mirror in mirrors:
        scheme, separator, _ = mirror.partition("://")
        wanted = "must use either 'https://' or 'http://'"
        if not separator or not scheme:
            raise InvalidParameter(f'invalid mirror: no scheme specified for "{mirror}": {wanted}')
        try:
            parts = urlsplit(mirror)
            port = parts.port
        except ValueError as e:
            raise InvalidParameter(f'invalid mirror: "{mirror}" is not a valid URI: {e}') from e
        if parts.scheme not in ("http", "https"):
            raise InvalidParameter(f'invalid mirror: unsupported scheme "{parts.scheme}" in "{mirror}": {wanted}')
        if parts.query or parts.fragment:
            raise InvalidParameter(f'invalid mirror: query or fragment at end of the URI "{mirror}"')
        if parts.username is not None:
            shown = mirror.replace(parts.netloc, f"{parts.username}:xxxxx@{parts.netloc.rpartition('@')[2]}")
            raise InvalidParameter(f'invalid mirror: username/password not allowed in URI "{shown}"')
        if not parts.hostname or port == 0:
            raise InvalidParameter(f'invalid mirror: "{mirror}" is not a valid URI')
        found[mirror.removesuffix("/") + "/"] = None
    return list(found)


def _network(text: str) -> Network | None:
    if "/" not in text:
        return None
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def _check_host(host: str) -> None:
    name, port = split_host(host)
    if _HOST.fullmatch(host) is None and literal_address(host) is None:
        raise InvalidParameter(f'insecure registry {host} is not valid: invalid host "{name}"')
    if port is not None and port > 65535:
        raise InvalidParameter(f'insecure registry {host} is not valid: invalid port "{port}"')
