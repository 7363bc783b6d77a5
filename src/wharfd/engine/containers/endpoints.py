"""The networks that a container is to join: checked, and put under the names of the networks."""

import ipaddress
import re
from collections.abc import Callable, Mapping

import msgspec

from wharfd.model.config import ContainerConfig, EndpointIPAMConfig, EndpointSettings, HostConfig
from wharfd.model.errors import InvalidParameter
from wharfd.model.network import NetworkRecord
from wharfd.wire.endpointopts import faults_of_sysctls

BRIDGE = "bridge"
PREDEFINED = frozenset({BRIDGE, "host", "none", "default"})
_MAC = re.compile(r"(?:[0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}|(?:[0-9a-fA-F]{4}\.){2}[0-9a-fA-F]{4}")

Endpoints = Mapping[str, EndpointSettings | None]
FindNetwork = Callable[[str], NetworkRecord | None]


def network_name(mode: str) -> str:
    """The network that a `NetworkMode` stands for: "default" is the bridge; empty for another container's."""
    if mode.startswith("container:"):
        return ""
    return BRIDGE if mode in {"", "default"} else mode


def check_endpoints(endpoints: Endpoints, find: FindNetwork) -> None:
    """Raises InvalidParameter; all faults of one endpoint in one message, as dockerd does."""
    for name, endpoint in endpoints.items():
        try:
            if endpoint is None:
                raise InvalidParameter("EndpointsConfig is nil")
            check_endpoint(name, endpoint, find(name))
        except InvalidParameter as e:
            raise e.prefixed(f"invalid config for network {name}: ") from e


def check_endpoint(name: str, endpoint: EndpointSettings, network: NetworkRecord | None) -> None:
    if endpoint.mac_address and not _MAC.fullmatch(endpoint.mac_address):
        raise InvalidParameter(f"invalid MAC address {endpoint.mac_address}")
    ipam = endpoint.ipam_config or EndpointIPAMConfig()
    has_address = bool(ipam.ipv4_address or ipam.ipv6_address)
    faults = []
    if name in PREDEFINED and has_address:
        faults.append("user specified IP address is supported on user defined networks only")
    if name in PREDEFINED and endpoint.aliases:
        faults.append("network-scoped alias is supported only for containers in user defined networks")
    faults += faults_of_addresses(ipam)
    faults += faults_of_sysctls(endpoint.driver_opts or {})
    if network is not None and has_address:
        faults += faults_of_subnets(ipam, network)
    if len(faults) == 1:
        raise InvalidParameter(f"invalid endpoint settings:\n{faults[0]}")
    if faults:
        raise InvalidParameter("\n* ".join(["invalid endpoint settings:", *faults]))


def faults_of_subnets(ipam: EndpointIPAMConfig, network: NetworkRecord) -> list[str]:
    """Docker: addresses can be asked for only where the user chose the subnet, so that they do not depend on what was free."""
    faults = []
    for address, version in ((ipam.ipv4_address, 4), (ipam.ipv6_address, 6)):
        if not address:
            continue
        subnets = [ipaddress.ip_network(pool.subnet) for pool in network.pools if not pool.is_chosen]
        subnets = [] if network.predefined else [each for each in subnets if each.version == version]
        if not subnets:
            faults.append(
                "user specified IP address is supported only when connecting to networks with user configured subnets"
            )
        elif not version_of(address) or not any(ipaddress.ip_address(address) in each for each in subnets):
            faults.append(f"no configured subnet or ip-range contain the IP address {address}")
    return faults


def faults_of_addresses(ipam: EndpointIPAMConfig) -> list[str]:
    faults = []
    if ipam.ipv4_address and version_of(ipam.ipv4_address) != 4:
        faults.append(f"invalid IPv4 address: {ipam.ipv4_address}")
    if ipam.ipv6_address and version_of(ipam.ipv6_address) != 6:
        faults.append(f"invalid IPv6 address: {ipam.ipv6_address}")
    faults += [f"invalid link-local IP address: {ip}" for ip in ipam.link_local_ips or () if not version_of(ip)]
    return faults


def version_of(text: str) -> int:
    """4 or 6; 0 if it is no address."""
    try:
        return ipaddress.ip_address(text).version
    except ValueError:
        return 0


def join_networks(
    config: ContainerConfig, host: HostConfig, endpoints: Endpoints, find: FindNetwork
) -> dict[str, EndpointSettings]:
    """What the container joins when it starts, by network name.

    A key may be a network's name, id or the beginning of its id.  Docker: `NetworkMode`'s own network is joined only if none is listed.
    A network that does not exist stays as typed: it may exist by the time of the start.
    """
    own = network_name(host.network_mode)
    if not own or config.network_disabled:
        return {}
    joined: dict[str, EndpointSettings] = {}
    for key, endpoint in endpoints.items():
        network = find(key)
        joined[network.name if network else key] = asked_only(endpoint or EndpointSettings())
    if not joined:
        network = find(own)
        joined[network.name if network else own] = EndpointSettings()
    return joined


def check_combination(mode: str, networks: Mapping[str, EndpointSettings]) -> None:
    """Docker: what does not go together is told of at the start.

    Raises:
        InvalidParameter: with dockerd's text.
    """
    if mode == "host" and any(name != "host" for name in networks):
        raise InvalidParameter(
            "container sharing network namespace with another container or host cannot be connected to any other network"
        )
    if mode != "host" and "host" in networks:
        raise InvalidParameter(
            "cannot connect container to host network - container must be created in host network mode"
        )
    if "none" in networks and len(networks) > 1:
        raise InvalidParameter(
            "container cannot be connected to multiple networks with one of the networks in private (none) mode"
        )


def asked_only(endpoint: EndpointSettings) -> EndpointSettings:
    """Docker: clients post back what inspect gave them; addresses of an earlier life are not wishes."""
    return msgspec.structs.replace(
        endpoint,
        network_id="",
        endpoint_id="",
        gateway="",
        ip_address="",
        ip_prefix_len=0,
        ipv6_gateway="",
        global_ipv6_address="",
        global_ipv6_prefix_len=0,
        dns_names=None,
    )
