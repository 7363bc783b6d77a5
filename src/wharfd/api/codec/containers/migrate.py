"""Settings of a create body whose place or meaning depends on the version asked for, and the warnings that go with them.

The container-wide MAC address moved to the endpoint, interface sysctls moved to the endpoint's driver options, and a port with an empty
list of bindings lost its meaning.  Source: dockerd's create route, and the API's changelog for 1.44, 1.46, 1.48, 1.52, 1.53.
"""

from typing import NamedTuple

import msgspec

from wharfd.api.versions.behaviour import Behaviour
from wharfd.model.config import ContainerConfig, EndpointSettings, HostConfig, PortBinding
from wharfd.model.errors import InvalidParameter

Endpoints = dict[str, EndpointSettings | None]

SYSCTLS_OPTION = "com.docker.network.endpoint.sysctls"
_PREDEFINED = frozenset({"bridge", "default", "host", "none", ""})


class Migrated(NamedTuple):
    config: ContainerConfig
    host_config: HostConfig
    endpoints: Endpoints
    warnings: list[str]


def migrate(config: ContainerConfig, host: HostConfig, endpoints: Endpoints, behaviour: Behaviour) -> Migrated:
    """Raises InvalidParameter where dockerd does."""
    endpoints = dict(endpoints)
    warnings: list[str] = []
    warn_of_volume_driver(host, behaviour, warnings)
    config = move_mac_address(config, host, endpoints, behaviour, warnings)
    host = move_interface_sysctls(host, endpoints, behaviour, warnings)
    host = settle_empty_bindings(host, behaviour, warnings)
    return Migrated(config, host, endpoints, warnings)


def warn_of_volume_driver(host: HostConfig, behaviour: Behaviour, warnings: list[str]) -> None:
    if not host.volume_driver or not behaviour.warns_ignored_volume_driver:
        return
    for mount in host.mounts or ():
        options = mount.volume_options
        has_own = options is not None and options.driver_config is not None and options.driver_config.name
        if mount.type == "volume" and not has_own:
            warnings.append(
                "WARNING: the container-wide volume-driver configuration is ignored for volumes specified via 'mount'. "
                "Use '--mount type=volume,volume-driver=...' instead"
            )
            return


def is_bridged(mode: str) -> bool:
    """On the default bridge or a network of the user's own."""
    return mode not in {"host", "none"} and not mode.startswith("container:")


def move_mac_address(
    config: ContainerConfig, host: HostConfig, endpoints: Endpoints, behaviour: Behaviour, warnings: list[str]
) -> ContainerConfig:
    mac = config.mac_address
    cleared = msgspec.structs.replace(config, mac_address="")
    if not behaviour.endpoint_takes_mac:
        if not mac:
            for name, endpoint in endpoints.items():
                if endpoint is not None:
                    endpoints[name] = msgspec.structs.replace(endpoint, mac_address="")
            return config
        if not is_bridged(host.network_mode):
            raise InvalidParameter("conflicting options: mac-address and the network mode")
        set_mac(main_endpoint(host, endpoints, behaviour), endpoints, mac)
        return cleared
    if not mac:
        return config
    if behaviour.refuses_config_mac:
        raise InvalidParameter(
            "container-wide MAC address no longer supported; use endpoint-specific MAC address instead"
        )
    if is_bridged(host.network_mode):
        try:
            name = main_endpoint(host, endpoints, behaviour)
        except InvalidParameter as e:
            raise e.prefixed("unable to migrate container-wide MAC address to a specific network: ") from e
        endpoint = endpoints[name]
        if endpoint is not None and endpoint.mac_address not in {"", mac}:
            raise InvalidParameter(
                "the container-wide MAC address must match the endpoint-specific MAC address for the main network, "
                "or be left empty"
            )
        set_mac(name, endpoints, mac)
    warnings.append(
        "The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig instead."
    )
    return cleared


def set_mac(name: str, endpoints: Endpoints, mac: str) -> None:
    endpoints[name] = msgspec.structs.replace(endpoints[name] or EndpointSettings(), mac_address=mac)


def main_endpoint(host: HostConfig, endpoints: Endpoints, behaviour: Behaviour) -> str:
    """The key of the endpoint that belongs to `NetworkMode`, made if there is none at all."""
    name = "bridge" if host.network_mode == "default" else host.network_mode
    if not endpoints:
        endpoints[name] = EndpointSettings()
        return name
    if behaviour.single_endpoint:
        return next(iter(endpoints))
    if name not in endpoints:
        raise InvalidParameter(
            "HostConfig.NetworkMode must match the identity of a network in NetworkSettings.Networks"
        )
    return name


def move_interface_sysctls(
    host: HostConfig, endpoints: Endpoints, behaviour: Behaviour, warnings: list[str]
) -> HostConfig:
    """Docker: `net.*.*.eth0.*` cannot be set before there is an eth0, so it goes with the endpoint."""
    if host.network_mode == "host" or host.network_mode.startswith("container:"):
        return host
    moved: dict[str, str] = {}
    main = ""
    for key, value in sorted((host.sysctls or {}).items()):
        parts = key.split(".", 4)
        if len(parts) != 5 or parts[0] != "net" or not parts[3].startswith("eth"):
            continue
        if not behaviour.legacy_eth_sysctls:
            raise InvalidParameter(
                f"interface specific sysctl setting \"{key}\" must be supplied using driver option '{SYSCTLS_OPTION}'"
            )
        if not main:
            try:
                main = main_endpoint(host, endpoints, behaviour)
            except InvalidParameter as e:
                raise e.prefixed(f"unable to find a network for sysctl {key}: ") from e
        if parts[3] != "eth0":
            raise InvalidParameter(
                f"unable to determine network endpoint for sysctl {key}, use driver option '{SYSCTLS_OPTION}' "
                "to set per-interface sysctls"
            )
        moved[key] = f"net.{parts[1]}.{parts[2]}.IFNAME.{parts[4]}={value}"
    if not moved:
        return host
    option = ",".join(moved.values())
    warnings.append(f'Migrated sysctl "{",".join(moved)}" to DriverOpts{{"{SYSCTLS_OPTION}":"{option}"}}.')
    endpoint = endpoints[main] or EndpointSettings()
    given = dict(endpoint.driver_opts or {})
    given[SYSCTLS_OPTION] = ",".join([option, *filter(None, [given.get(SYSCTLS_OPTION)])])
    endpoints[main] = msgspec.structs.replace(endpoint, driver_opts=given)
    left = {key: value for key, value in (host.sysctls or {}).items() if key not in moved}
    return msgspec.structs.replace(host, sysctls=left)


def settle_empty_bindings(host: HostConfig, behaviour: Behaviour, warnings: list[str]) -> HostConfig:
    """Docker: no binding used to mean one to any port of the host; from 1.53 on it means none."""
    empty = sorted(port for port, bindings in (host.port_bindings or {}).items() if not bindings)
    if not empty or host.port_bindings is None:
        return host
    settled = dict(host.port_bindings)
    for port in empty:
        if behaviour.drops_empty_port_bindings:
            del settled[port]
        else:
            settled[port] = [PortBinding()]
    if behaviour.warns_empty_port_bindings:
        warnings.append(
            f"Following container port(s) have an empty list of port-bindings: {', '.join(empty)}. "
            "Starting with API 1.53, such bindings will be discarded."
        )
    return msgspec.structs.replace(host, port_bindings=settled)
