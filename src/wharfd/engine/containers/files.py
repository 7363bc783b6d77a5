"""A container's /etc/hostname, /etc/hosts and /etc/resolv.conf, written at each start.

They lie beside the container's log and are bound over what the image has.  A container that joins another's network shares the
other's files.  Source of the contents: dockerd; clients read them from inside.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from wharfd.engine.containers.attachment import is_named
from wharfd.engine.containers.linked import host_lines, linked_to
from wharfd.engine.ledger import Ledger
from wharfd.model.config import EndpointSettings
from wharfd.model.container import ContainerRecord
from wharfd.model.errors import InvalidParameter
from wharfd.model.ids import ContainerId
from wharfd.ports.files import ContainerFiles
from wharfd.ports.host import Host
from wharfd.wire import resolvconf
from wharfd.wire.resolvconf import ResolvConf

HOST_GATEWAY = "host-gateway"
RESOLV_CONF = "/etc/resolv.conf"
RESOLVER = "127.0.0.11"
# systemd-resolved's stub listens on a loopback address; the servers behind it are written here.
RESOLVED_STUB = "127.0.0.53"
RESOLVED_SERVERS = "/run/systemd/resolve/resolv.conf"

STANDARD_HOSTS = (
    ("127.0.0.1", "localhost"),
    ("::1", "localhost ip6-localhost ip6-loopback"),
    ("fe00::", "ip6-localnet"),
    ("ff00::", "ip6-mcastprefix"),
    ("ff02::1", "ip6-allnodes"),
    ("ff02::2", "ip6-allrouters"),
)


@dataclass(frozen=True, slots=True)
class FilePaths:
    """On the host."""

    hostname: str
    hosts: str
    resolv_conf: str


class NameFiles:
    """`dns…` are the engine's defaults, used where a container does not say; `host_gateways` what "host-gateway" stands for."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        files: ContainerFiles,
        host: Host,
        dns: Sequence[str] = (),
        dns_search: Sequence[str] = (),
        dns_options: Sequence[str] = (),
        host_gateways: Sequence[str] = (),
    ) -> None:
        self.ledger = ledger
        self.files = files
        self.host = host
        self.dns = dns
        self.dns_search = dns_search
        self.dns_options = dns_options
        self.host_gateways = host_gateways

    def paths(self, container_id: ContainerId) -> FilePaths:
        directory = self.files.directory(container_id)
        return FilePaths(f"{directory}/hostname", f"{directory}/hosts", f"{directory}/resolv.conf")

    def write(self, record: ContainerRecord, networks: dict[str, EndpointSettings]) -> FilePaths:
        """`networks` as they are plugged in now.

        Raises:
            InvalidParameter: an entry of ExtraHosts that cannot be written.
        """
        mode = record.host_config.network_mode
        if mode.startswith("container:"):
            self.files.write(record.id, {})
            return self.paths(self.ledger.container(mode.removeprefix("container:")).id)
        on_host = mode == "host"
        self.files.write(
            record.id,
            {
                "hostname": f"{record.config.hostname}\n".encode(),
                "hosts": self.hosts(record, networks, on_host).encode(),
                "resolv.conf": resolvconf.format_resolv_conf(self.resolv_conf(record, networks, on_host)).encode(),
            },
        )
        return self.paths(record.id)

    def rewrite(self, record: ContainerRecord, networks: dict[str, EndpointSettings]) -> None:
        """The running container's networks have changed."""
        changed = {"hosts": self.hosts(record, networks, on_host=False).encode()}
        if is_named(self.ledger, networks):
            conf = self.resolv_conf(record, networks, on_host=False)
            changed["resolv.conf"] = resolvconf.format_resolv_conf(conf).encode()
        self.files.rewrite(record.id, changed)

    def tell_linked(self, record: ContainerRecord) -> None:
        """It has come up, maybe with another address: who has a link to it is to know."""
        for parent in linked_to(self.ledger, record):
            self.rewrite(parent, parent.networks)

    def hosts(self, record: ContainerRecord, networks: dict[str, EndpointSettings], on_host: bool) -> str:
        """Docker: on the host's network, its own file with the extra hosts behind it."""
        of_host = (self.host.read_text("/etc/hosts") if on_host else None) or ""
        lines = of_host.splitlines() if of_host else [f"{address}\t{names}" for address, names in STANDARD_HOSTS]
        for entry in record.host_config.extra_hosts or ():
            name, address = split_extra_host(entry)
            addresses = self.gateway_addresses() if address == HOST_GATEWAY else [address]
            lines += [f"{each}\t{name}" for each in addresses]
        lines += host_lines(self.ledger, record)
        config = record.config
        names = f"{config.hostname}.{config.domainname} {config.hostname}" if config.domainname else config.hostname
        for settings in networks.values():
            lines += [f"{each}\t{names}" for each in (settings.ip_address, settings.global_ipv6_address) if each]
        return "".join(f"{line}\n" for line in lines)

    def gateway_addresses(self) -> list[str]:
        """The host as containers on the default bridge see it, unless the engine is told otherwise."""
        if self.host_gateways:
            return list(self.host_gateways)
        bridge = self.ledger.networks.find("bridge")
        addresses = [pool.gateway for pool in bridge.pools if pool.gateway] if bridge else []
        if not addresses:
            raise InvalidParameter("unable to derive the IP value for host-gateway")
        return addresses

    def upstreams(self, record: ContainerRecord) -> list[str]:
        """Whom the engine asks what it does not know, from the host's network."""
        conf = resolvconf.parse_resolv_conf(self.host.read_text(RESOLV_CONF) or "")
        return list(record.host_config.dns or self.dns or conf.nameservers)

    def resolv_conf(self, record: ContainerRecord, networks: dict[str, EndpointSettings], on_host: bool) -> ResolvConf:
        """Docker: on a network of one's own the engine's resolver, which is asked for every name, also those without a dot."""
        asked = record.host_config
        if is_named(self.ledger, networks):
            of_host = resolvconf.parse_resolv_conf(self.host.read_text(RESOLV_CONF) or "")
            conf = resolvconf.with_overrides(
                of_host, (), asked.dns_search or self.dns_search, asked.dns_options or self.dns_options
            )
            return resolvconf.for_own_resolver(conf, RESOLVER)
        conf = resolvconf.parse_resolv_conf(self.host.read_text(RESOLV_CONF) or "")
        if conf.nameservers == (RESOLVED_STUB,) and not on_host:
            conf = resolvconf.parse_resolv_conf(self.host.read_text(RESOLVED_SERVERS) or "")
        if not on_host:
            conf = resolvconf.without_loopback(conf)
        return resolvconf.with_overrides(
            conf,
            asked.dns or self.dns,
            asked.dns_search or self.dns_search,
            asked.dns_options or self.dns_options,
        )


def split_extra_host(entry: str) -> tuple[str, str]:
    """`name:address` or `name=address`; an IPv6 address may stand in brackets."""
    equals, colon = entry.find("="), entry.find(":")
    at = equals if equals >= 0 and (colon < 0 or equals < colon) else colon
    name, address = entry[: max(at, 0)], entry[at + 1 :].removeprefix("[").removesuffix("]")
    if not name or not address:
        raise InvalidParameter(f'bad format for add-host: "{entry}"')
    return name, address
