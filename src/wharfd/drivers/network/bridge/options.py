"""The options of a bridge network (`docker network create --opt`), parsed once with dockerd's texts."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass

from wharfd.model.errors import Forbidden, InvalidParameter, NotImplementedHere

BRIDGE_NAME = "com.docker.network.bridge.name"
DEFAULT_BRIDGE = "com.docker.network.bridge.default_bridge"
ICC = "com.docker.network.bridge.enable_icc"
MASQUERADE = "com.docker.network.bridge.enable_ip_masquerade"
HOST_BINDING = "com.docker.network.bridge.host_binding_ipv4"
INHIBIT_IPV4 = "com.docker.network.bridge.inhibit_ipv4"
GATEWAY_MODES = ("com.docker.network.bridge.gateway_mode_ipv4", "com.docker.network.bridge.gateway_mode_ipv6")
MTU = "com.docker.network.driver.mtu"
INTERFACE_PREFIX = "com.docker.network.container_iface_prefix"

TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})
NAME_BYTES = 15  # Linux: IFNAMSIZ less its NUL


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeOptions:
    """`bridge` empty: named after the network.  `host_binding` empty: published at all addresses.  `mtu` 0: the engine's default."""

    bridge: str = ""
    icc: bool = True
    masquerade: bool = True
    host_binding: str = ""
    has_address: bool = True  # of the bridge itself
    mtu: int = 0


def parse_options(options: Mapping[str, str]) -> BridgeOptions:
    """Options of other names are kept with the network and have no effect.

    Raises:
        InvalidParameter: a value that is none.
        NotImplementedHere: a gateway mode that is not built.
    """
    for key in GATEWAY_MODES:
        check_gateway_mode(key, options.get(key, ""))
    bridge = options.get(BRIDGE_NAME, "")
    if len(bridge.encode()) > NAME_BYTES or "/" in bridge or any(each.isspace() for each in bridge):
        raise InvalidParameter(f"invalid bridge name {bridge}: not a name for a link")
    return BridgeOptions(
        bridge=bridge,
        icc=boolean(options, ICC, default=True),
        masquerade=boolean(options, MASQUERADE, default=True),
        host_binding=binding_address(options),
        has_address=not boolean(options, INHIBIT_IPV4, default=False),
        mtu=parse_mtu(options.get(MTU, "")),
    )


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
        address = ipaddress.IPv4Address(value)
    except ValueError as e:
        raise InvalidParameter(f"failed to parse {HOST_BINDING} value: {value} (nil ip)") from e
    return "" if address.is_unspecified else str(address)


def check_gateway_mode(key: str, mode: str) -> None:
    if mode in {"", "nat"}:
        return
    if mode in {"routed", "nat-unprotected", "isolated"}:
        raise NotImplementedHere(f"{key}={mode}: only the gateway mode nat is built")
    raise InvalidParameter(f"failed to parse {key} value: {mode} (unknown gateway mode {mode})")


def same_bridge(new_id: str, old_id: str, bridge: str) -> Forbidden:
    return Forbidden(
        f"cannot create network {new_id} ({bridge}): conflicts with network {old_id} ({bridge}): "
        "networks have same bridge name"
    )
