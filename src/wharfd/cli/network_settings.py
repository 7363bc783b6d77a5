"""Settings about networks: from the loose forms of flags and file, and whether they can be used."""

from collections.abc import Callable
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

from wharfd.model.errors import InvalidParameter
from wharfd.model.settings import Settings
from wharfd.wire.ipam import check_areas, parse_bip


class NetworkSettingError(Exception):
    """The message names the setting."""


def settle_networks(values: dict[str, Any]) -> None:
    """Flags to the form of the file: `base=10.9.0.0/16,size=24` and `bridge=com.docker.network.driver.mtu=1400`."""
    if isinstance(values.get("host_gateway_ips"), str):
        values["host_gateway_ips"] = [values["host_gateway_ips"]]
    pools = values.get("default_address_pools")
    if pools is not None:
        values["default_address_pools"] = [address_pool(each) for each in pools]
    options = values.get("default_network_opts")
    if isinstance(options, list):
        found: dict[str, dict[str, str]] = {}
        for each in options:
            driver, first, rest = each.partition("=")
            key, second, value = rest.partition("=")
            if not (driver and first and key and second):
                raise NetworkSettingError(f"default-network-opt {each!r} must be driver=key=value")
            found.setdefault(driver, {})[key] = value
        values["default_network_opts"] = found


def address_pool(each: Any) -> Any:
    if not isinstance(each, str):
        return each
    words = dict(word.partition("=")[::2] for word in each.split(","))
    if words.keys() != {"base", "size"} or not words["size"].isdecimal():
        raise NetworkSettingError(f"default-address-pool {each!r} must be base=CIDR,size=LENGTH")
    return {"base": words["base"], "size": int(words["size"])}


def check_networks(settings: Settings) -> None:
    try:
        check_areas([(pool.base, pool.size) for pool in settings.default_address_pools])
        if settings.bip:
            parse_bip(settings.bip)
    except InvalidParameter as e:
        raise NetworkSettingError(str(e)) from e
    checks: tuple[tuple[str, str, Callable[[str], object], int], ...] = (
        ("ip", settings.ip, ip_address, 4),
        ("bip6", settings.bip6, ip_interface, 6),
        ("fixed-cidr", settings.fixed_cidr, ip_network, 4),
        ("fixed-cidr-v6", settings.fixed_cidr_v6, ip_network, 6),
        *(("host-gateway-ip", each, ip_address, 0) for each in settings.host_gateway_ips),
    )
    for name, text, parse, version in checks:
        if not text:
            continue
        try:
            parsed = parse(text)
        except ValueError as e:
            raise NetworkSettingError(f"invalid {name} {text}: {e}") from e
        if version and getattr(parsed, "version", 0) != version:
            raise NetworkSettingError(f"invalid {name} {text}: it is not of IPv{version}")
