"""The options of a bridge network (`docker network create --opt`), parsed once with dockerd's texts."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from wharfd.model.errors import Forbidden, InvalidParameter
from wharfd.wire.rtlink import is_link_name

BRIDGE_NAME = "com.docker.network.bridge.name"
DEFAULT_BRIDGE = "com.docker.network.bridge.default_bridge"
ICC = "com.docker.network.bridge.enable_icc"
MASQUERADE = "com.docker.network.bridge.enable_ip_masquerade"
HOST_BINDING = "com.docker.network.bridge.host_binding_ipv4"
INHIBIT_IPV4 = "com.docker.network.bridge.inhibit_ipv4"
GATEWAY_MODE = {
    4: "com.docker.network.bridge.gateway_mode_ipv4",
    6: "com.docker.network.bridge.gateway_mode_ipv6",
}
MTU = "com.docker.network.driver.mtu"

TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})


class GatewayMode(StrEnum):
    """How one family of a network is joined to the world (dockerd's manual, "Gateway modes")."""

    NAT = "nat"
    UNPROTECTED = "nat-unprotected"  # and every port can be reached from outside at the container's own address
    ROUTED = "routed"  # no translation: published ports are reached at the container's own address, others are not
    ISOLATED = "isolated"  # the bridge has no address: containers do not even reach the host


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeOptions:
    """`bridge` empty: named after the network.  `host_binding` empty: published at all addresses.  `mtu` 0: the engine's default."""

    bridge: str = ""
    icc: bool = True
    masquerade: bool = True
    host_binding: str = ""
    has_address: bool = True  # of the bridge itself
    mtu: int = 0
    ipv4: GatewayMode = GatewayMode.NAT
    ipv6: GatewayMode = GatewayMode.NAT

    def mode(self, version: int) -> GatewayMode:
        return self.ipv4 if version == 4 else self.ipv6

    def masquerades(self, version: int) -> bool:
        return self.masquerade and self.mode(version) in {GatewayMode.NAT, GatewayMode.UNPROTECTED}


def parse_options(options: Mapping[str, str]) -> BridgeOptions:
    """Options of other names are kept with the network and have no effect.

    Raises:
        InvalidParameter: a value that is none.
    """
    bridge = options.get(BRIDGE_NAME, "")
    if bridge and not is_link_name(bridge):
        raise InvalidParameter(f"invalid bridge name {bridge}: not a name for a link")
    return BridgeOptions(
        bridge=bridge,
        icc=boolean(options, ICC, default=True),
        masquerade=boolean(options, MASQUERADE, default=True),
        host_binding=binding_address(options),
        has_address=not boolean(options, INHIBIT_IPV4, default=False),
        mtu=parse_mtu(options.get(MTU, "")),
        ipv4=parse_mode(GATEWAY_MODE[4], options),
        ipv6=parse_mode(GATEWAY_MODE[6], options),
    )


def check_isolation(options: BridgeOptions, *, internal: bool) -> None:
    if not internal and GatewayMode.ISOLATED in {options.ipv4, options.ipv6}:
        raise InvalidParameter("gateway mode 'isolated' can only be used for an internal network")


def boolean(options: Mapping[str, str], key: str, *, default: bool) -> bool:
    value = options.get(key)
    if value is None:
        return default
    if value not in TRUE | FALSE:
        raise InvalidParameter(
            f'failed to parse {key} value: {value} (strconv.ParseBool: parsing "{value}": invalid syntax)'
        )
    return value in TRUE


def parse_mtu(text: str) -> int:
    if not text:
        return 0
    digits = text.removeprefix("-").removeprefix("+")
    if not (digits.isascii() and digits.isdecimal()) or len(digits) > 9:
        raise InvalidParameter(f'failed to parse {MTU} value: {text} (strconv.Atoi: parsing "{text}": invalid syntax)')
    if int(text) < 0:
        raise InvalidParameter(f"invalid MTU number: {int(text)}")
    return int(text)


def binding_address(options: Mapping[str, str]) -> str:
    value = options.get(HOST_BINDING, "")
    if not value:
        return ""
    try:
        address = ipaddress.ip_address(value)
    except ValueError as e:
        raise InvalidParameter(f"failed to parse {HOST_BINDING} value: {value} (nil ip)") from e
    return "" if address.is_unspecified else str(address)


def parse_mode(key: str, options: Mapping[str, str]) -> GatewayMode:
    mode = options.get(key, "")
    try:
        return GatewayMode(mode or GatewayMode.NAT)
    except ValueError as e:
        raise InvalidParameter(f"failed to parse {key} value: {mode} (unknown gateway mode {mode})") from e


def same_bridge(new_id: str, old_id: str, bridge: str) -> Forbidden:
    return Forbidden(
        f"cannot create network {new_id} ({bridge}): conflicts with network {old_id} ({bridge}): "
        "networks have same bridge name"
    )
