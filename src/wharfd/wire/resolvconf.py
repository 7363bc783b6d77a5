"""resolv.conf: what a host says about name resolution, and what a container is told instead.

    nameserver 192.0.2.53       # at most these lines matter: nameserver, search (or the older domain), options
    search example.org
    options ndots:1

The last `search` wins over those before it, options add up.  Source: resolv.conf(5).
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

# Docker: what a container is given when the host's own resolvers cannot be reached from its network.
FALLBACK_NAMESERVERS = ("8.8.8.8", "8.8.4.4")


@dataclass(frozen=True, slots=True)
class ResolvConf:
    nameservers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


def parse_resolv_conf(text: str) -> ResolvConf:
    """Lines that are not known are left out, as the C library does."""
    nameservers: list[str] = []
    search: tuple[str, ...] = ()
    options: list[str] = []
    for line in text.splitlines():
        words = line.split("#")[0].split(";")[0].split()
        if len(words) < 2:
            continue
        match words[0]:
            case "nameserver":
                nameservers.append(words[1])
            case "search" | "domain":
                search = tuple(words[1:])
            case "options":
                options.extend(words[1:])
    return ResolvConf(tuple(nameservers), search, tuple(options))


def format_resolv_conf(conf: ResolvConf) -> str:
    lines = [f"nameserver {address}" for address in conf.nameservers]
    if conf.search:
        lines.append("search " + " ".join(conf.search))
    if conf.options:
        lines.append("options " + " ".join(conf.options))
    return "".join(f"{line}\n" for line in lines)


def is_loopback(address: str) -> bool:
    """Of a nameserver, which may carry a zone (`fe80::1%eth0`)."""
    try:
        return ipaddress.ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False


def with_overrides(
    conf: ResolvConf, nameservers: Sequence[str], search: Sequence[str], options: Sequence[str]
) -> ResolvConf:
    """What is given takes the place of what was there.  Docker: a search list of `.` alone means none."""
    return ResolvConf(
        tuple(nameservers) or conf.nameservers,
        () if list(search) == ["."] else tuple(search) or conf.search,
        tuple(options) or conf.options,
    )


def without_loopback(conf: ResolvConf) -> ResolvConf:
    """For a network namespace of its own, from which the host's loopback cannot be reached."""
    kept = tuple(address for address in conf.nameservers if not is_loopback(address))
    return ResolvConf(kept or FALLBACK_NAMESERVERS, conf.search, conf.options)


def for_own_resolver(conf: ResolvConf, address: str) -> ResolvConf:
    """Docker: with `ndots:0`, unless somebody says otherwise, so that names without a dot are asked for as they are."""
    options = (
        conf.options if any(option.startswith("ndots:") for option in conf.options) else (*conf.options, "ndots:0")
    )
    return ResolvConf((address,), conf.search, options)
