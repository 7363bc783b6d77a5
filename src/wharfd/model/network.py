"""The records of networks and of a container's attachment to one."""

import msgspec

from wharfd.model.ids import NetworkId


class IPAMPool(msgspec.Struct, frozen=True, kw_only=True):
    """CIDR notation for `subnet` and `ip_range`; `gateway` a plain address."""

    subnet: str
    ip_range: str = ""
    gateway: str = ""
    aux_addresses: dict[str, str] = {}


class NetworkRecord(msgspec.Struct, frozen=True, kw_only=True):
    id: NetworkId
    name: str
    created_ns: int
    driver: str  # bridge, host, null
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


class EndpointRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a container asks of a network.  Addresses without prefix length; empty: the driver chooses."""

    endpoint_id: str
    container_id: str
    interface: str = "eth0"
    ipv4: str = ""
    ipv6: str = ""
    mac: str = ""
    aliases: list[str] = []
    driver_opts: dict[str, str] = {}
    is_gateway: bool = True  # its default route goes through this network


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
