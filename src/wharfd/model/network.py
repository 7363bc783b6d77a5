"""The records of networks and of a container's attachment to one."""

import msgspec

from wharfd.model.ids import NetworkId


class IPAMPool(msgspec.Struct, frozen=True, kw_only=True):
    """CIDR notation for `subnet` and `ip_range`; `gateway` a plain address."""

    subnet: str
    ip_range: str = ""
    gateway: str = ""
    aux_addresses: dict[str, str] = {}
    is_chosen: bool = False  # by the engine, not by the user: addresses in it cannot be asked for
    is_gateway_chosen: bool = False  # likewise


class NetworkRecord(msgspec.Struct, frozen=True, kw_only=True):
    id: NetworkId
    name: str
    created_ns: int
    driver: str  # bridge, macvlan, ipvlan, host, null
    scope: str = "local"
    enable_ipv4: bool = True
    enable_ipv6: bool = False
    ipam_driver: str = "default"
    ipam_options: dict[str, str] | None = None
    pools: list[IPAMPool] = []
    internal: bool = False
    attachable: bool = False
    ingress: bool = False
    options: dict[str, str] = {}
    labels: dict[str, str] = {}
    predefined: bool = False
    config_only: bool = False  # a set of options for others, to which nothing is plugged
    config_from: str = ""  # the name of the one whose options this one has


class PortWish(msgspec.Struct, frozen=True, kw_only=True):
    """A container's port that is to be reachable at the host.

    `host_ip` empty: at all addresses of both families.  `first` 0: at any free port, else at the first free one of `first`…`last`.
    """

    port: int
    protocol: str = "tcp"
    host_ip: str = ""
    first: int = 0
    last: int = 0


class HostPort(msgspec.Struct, frozen=True, kw_only=True):
    """A published port: one address of the host (0.0.0.0 and :: are all of a family).

    `host_port` 0: on a routed network the container's own port is open at the container's own address, and the host has none.
    """

    port: int
    protocol: str
    host_ip: str
    host_port: int


class EndpointRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a container asks of a network.  Addresses without prefix length; empty: the driver chooses."""

    endpoint_id: str
    container_id: str
    name: str = ""  # the container's
    interface: str = "eth0"
    ipv4: str = ""
    ipv6: str = ""
    mac: str = ""
    aliases: list[str] = []
    driver_opts: dict[str, str] = {}
    is_gateway: bool = True  # the sandbox's default routes go through this network, and its ports are published here
    ports: list[PortWish] = []


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """What the driver gave."""

    endpoint_id: str
    ipv4: str = ""
    ipv4_prefix: int = 0
    gateway: str = ""
    ipv6: str = ""
    ipv6_prefix: int = 0
    ipv6_gateway: str = ""
    mac: str = ""
    interface: str = "eth0"
    is_gateway: bool = False
    ports: list[HostPort] = []
