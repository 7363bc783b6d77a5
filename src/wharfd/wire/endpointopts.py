"""Driver options of an endpoint that every driver understands: the name of its interface, and settings of the kernel for it.

    com.docker.network.endpoint.ifname    dmz0
    com.docker.network.endpoint.sysctls   net.ipv4.conf.IFNAME.log_martians=1,net.ipv6.conf.IFNAME.accept_ra=2

Texts are dockerd's.
"""

from collections.abc import Iterable, Mapping

from wharfd.model.errors import InvalidParameter

IFNAME = "com.docker.network.endpoint.ifname"
SYSCTLS = "com.docker.network.endpoint.sysctls"
PREFIX = "com.docker.network.container_iface_prefix"  # an option of the network
DEFAULT_PREFIX = "eth"

_PLACE = frozenset({"IFNAME", "ifname"})  # the docker CLI writes it in lower case
_FAMILIES = frozenset({"ipv4", "ipv6", "mpls"})


def faults_of_sysctls(options: Mapping[str, str]) -> list[str]:
    """Of the names; whether there are such settings is known when the interface is."""
    faults = []
    for each in split_sysctls(options):
        parts = each.split(".", 4)
        if len(parts) != 5 or parts[1] not in _FAMILIES or parts[3] not in _PLACE:
            faults.append(
                f"unrecognised network interface sysctl '{each}'; represent 'net.X.Y.ethN.Z=V' as 'net.X.Y.IFNAME.Z=V', "
                "'X' must be 'ipv4', 'ipv6' or 'mpls'"
            )
    return faults


def split_sysctls(options: Mapping[str, str]) -> list[str]:
    text = options.get(SYSCTLS, "")
    return text.split(",") if text else []


def settings_of(options: Mapping[str, str], interface: str) -> list[tuple[str, str]]:
    """Files below /proc/sys and what is to be written to them.  Raises InvalidParameter."""
    found = []
    for each in split_sysctls(options):
        name, equals, value = each.partition("=")
        if not equals:
            raise InvalidParameter(f"expected sysctl '{each}' to have format name=value")
        parts = name.split(".", 4)
        if len(parts) == 5:
            parts[3] = interface
        if any("/" in part or part in {"", ".."} for part in parts):
            raise InvalidParameter(f"/proc/sys/{'/'.join(parts)} is not a sysctl file")
        found.append(("/proc/sys/" + "/".join(parts), value))
    return found


def free_name(prefix: str, used: Iterable[str]) -> str:
    """The lowest `ethN` that is not there."""
    taken = set(used)
    return next(name for number in range(len(taken) + 1) if (name := f"{prefix}{number}") not in taken)
