"""Which hosts stand behind a registry's name, in the order in which they are asked.

    <dir>/<host>/hosts.toml                               decides alone where it is there (containerd's format)
    <dir>/<host>/*.crt, *.cert with *.key                 authorities and client certificates (Docker's certs.d)
    registry-mirrors                                      before the Hub
    insecure-registries, loopback networks                https without a look at the certificate, then http

`<host>` is `name:port`, or containerd's `name_port_`; `_default` stands for all without a directory of their own.  The first
of the directories that has one counts.  Files are read at every call, so that a change needs no restart.
"""

import asyncio
import os
import re
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from wharfd.drivers.registry.tls import SYSTEM, TlsChoice
from wharfd.model.errors import EngineError, InvalidParameter, RegistryFailure
from wharfd.wire.hosts_toml import EVERYTHING, PULL, RESOLVE, HostEntry, parse_hosts_file
from wharfd.wire.registryhosts import HUB, HUB_HOST, Address, InsecureRegistries, literal_address, split_host

DIAL_S = 30.0
DIAL_MIRROR_S = 10.0
LOOKUP_S = 5.0
LOOKUP_KEPT_S = 30.0
MAX_HOSTS_FILE = 1 << 20
HOST = re.compile(
    r"[A-Za-z0-9\[][A-Za-z0-9.:_\]-]*"
)  # what may be the name of a directory: a redirect may lead anywhere


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """`url` is the API's root, as `https://host/v2`.  `is_own`: the host that the name means, which may see the client's login."""

    url: str
    name: str  # the registry's, as references have it
    is_own: bool
    announces_name: bool = False  # a mirror that serves several registries is told which one is meant
    is_fallback: bool = False  # only if the endpoint before it does not speak TLS
    capabilities: frozenset[str] = EVERYTHING
    tls: TlsChoice = SYSTEM
    headers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    dial_timeout_s: float = DIAL_S

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc


class Endpoints:
    """`mirrors` as `parse_mirrors` gives them."""

    def __init__(self, directories: Sequence[str], mirrors: Sequence[str], insecure: InsecureRegistries) -> None:
        self.directories = directories
        self.mirrors = mirrors
        self.insecure = insecure
        self.looked_up: dict[str, tuple[float, bool]] = {}

    async def of(self, name: str) -> list[Endpoint]:
        """Raises RegistryFailure for files that cannot be used, InvalidParameter for a name that cannot be a host."""
        if not name:
            raise InvalidParameter("invalid reference format: the repository's registry is not known")
        directory = self.directory(name)
        entries = read_hosts(directory)
        if entries is not None:
            found: list[Endpoint] = []
            for entry in entries:
                found += await self.from_file(name, entry, is_server=entry is entries[-1])
            return found
        if name == HUB:
            mirrors = [await self.mirror(url) for url in self.mirrors]
            return [
                *mirrors,
                Endpoint(url=f"https://{HUB_HOST}/v2", name=HUB, is_own=True, tls=certificates(directory)),
            ]
        return await self.own(name, certificates(directory))

    async def own(self, name: str, tls: TlsChoice) -> list[Endpoint]:
        if name == HUB:
            return [Endpoint(url=f"https://{HUB_HOST}/v2", name=HUB, is_own=True, tls=tls)]
        secured = Endpoint(url=f"https://{name}/v2", name=name, is_own=True, tls=tls)
        if not await self.is_insecure(name):
            return [secured]
        plain = replace(secured, url=f"http://{name}/v2", is_fallback=True)
        return [replace(secured, tls=replace(tls, verify=False)), plain]

    async def mirror(self, url: str) -> Endpoint:
        host = urlsplit(url).netloc
        tls = self.tls_of(host)
        if await self.is_insecure(host):
            tls = replace(tls, verify=False)
        return Endpoint(
            url=f"{url}v2",
            name=HUB,
            is_own=False,
            capabilities=frozenset({PULL, RESOLVE}),
            tls=tls,
            dial_timeout_s=DIAL_MIRROR_S,
        )

    async def from_file(self, name: str, entry: HostEntry, *, is_server: bool) -> list[Endpoint]:
        tls = TlsChoice(ca=entry.ca, client=entry.client)
        if entry.url:
            is_own = is_server or urlsplit(entry.url).netloc in (name, HUB_HOST if name == HUB else name)
            # containerd's own documents name the server of docker.io so; there is no API.
            url = f"https://{HUB_HOST}/v2" if entry.url == f"https://{HUB}/v2" and name == HUB else entry.url
            endpoint = Endpoint(url=url, name=name, is_own=is_own, announces_name=not is_own, tls=tls)
            if not is_own:
                endpoint = replace(endpoint, dial_timeout_s=DIAL_MIRROR_S)
            if await self.is_insecure(endpoint.host):
                endpoint = replace(endpoint, tls=replace(tls, verify=False))
            found = [endpoint]
        else:
            found = await self.own(name, tls)
        if entry.skip_verify is not None:
            found = [replace(one, tls=replace(one.tls, verify=not entry.skip_verify)) for one in found]
        if entry.dial_timeout_s is not None:
            found = [replace(one, dial_timeout_s=entry.dial_timeout_s) for one in found]
        return [replace(one, capabilities=entry.capabilities, headers=entry.headers) for one in found]

    def tls_of(self, host: str) -> TlsChoice:
        """For a host that is reached by a redirect or as a mirror: its directory's certificates."""
        verify = not self.insecure.names(host) and not self.is_literally_insecure(host)
        return replace(certificates(self.directory(host, default=False)), verify=verify)

    def is_literally_insecure(self, host: str) -> bool:
        address = literal_address(host)
        return address is not None and self.insecure.holds([address])

    async def is_insecure(self, host: str) -> bool:
        """Named in the settings, or with an address in one of their networks.

        # Docker: a name is looked up for this; one that is not found is secure.
        """
        if host in (HUB, HUB_HOST):
            return False
        if self.insecure.names(host) or self.is_literally_insecure(host):
            return True
        if literal_address(host) is not None:
            return False
        kept = self.looked_up.get(host)
        if kept is not None and kept[0] > time.monotonic():
            return kept[1]
        found = self.insecure.holds(await addresses_of(split_host(host)[0]))
        if len(self.looked_up) >= 256:
            self.looked_up.clear()
        self.looked_up[host] = (time.monotonic() + LOOKUP_KEPT_S, found)
        return found

    def directory(self, host: str, *, default: bool = True) -> str:
        """The directory with this host's files; empty if there is none."""
        if not HOST.fullmatch(host):
            return ""
        name, port = split_host(host)
        names = [host] if port is None else [host, f"{name}_{port}_"]
        candidates = [f"{root}/{one}" for root in self.directories for one in names]
        if default:
            candidates += [f"{root}/_default" for root in self.directories]
        return next((path for path in candidates if os.path.isdir(path)), "")


async def addresses_of(name: str) -> list[Address]:
    try:
        async with asyncio.timeout(LOOKUP_S):
            found = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError, UnicodeError):
        return []
    addresses = (literal_address(str(entry[4][0]).partition("%")[0]) for entry in found)
    return [address for address in addresses if address is not None]


def read_hosts(directory: str) -> list[HostEntry] | None:
    """The entries of `hosts.toml`; None where there is no such file, or an empty one."""
    path = f"{directory}/hosts.toml"
    if not directory:
        return None
    try:
        with open(path, "rb") as file:
            text = file.read(MAX_HOSTS_FILE)
    except FileNotFoundError:
        return None
    except OSError as e:
        raise RegistryFailure(f"cannot read {path}: {e.strerror}") from e
    try:
        return parse_hosts_file(text, directory) if text.strip() else None
    except EngineError as e:
        raise RegistryFailure(f"cannot use {path}: {e}") from e


def certificates(directory: str) -> TlsChoice:
    """Docker's certs.d: `*.crt` are authorities, `*.cert` and `*.key` of the same name a client's."""
    if not directory:
        return SYSTEM
    try:
        names = sorted(os.listdir(directory))
    except OSError as e:
        raise RegistryFailure(f"cannot read {directory}: {e.strerror}") from e
    authorities, clients = [], []
    for name in names:
        if name.endswith(".crt"):
            authorities.append(f"{directory}/{name}")
        elif name.endswith(".cert"):
            key = name.removesuffix(".cert") + ".key"
            if key not in names:
                raise RegistryFailure(
                    f"missing key {key} for client certificate {name}. CA certificates must use the extension .crt"
                )
            clients.append((f"{directory}/{name}", f"{directory}/{key}"))
        elif name.endswith(".key") and name.removesuffix(".key") + ".cert" not in names:
            raise RegistryFailure(f"missing client certificate {name.removesuffix('.key')}.cert for key {name}")
    return TlsChoice(ca=tuple(authorities), client=tuple(clients))
