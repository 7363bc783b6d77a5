"""The options of macvlan and ipvlan networks (`docker network create --opt`), parsed once with dockerd's texts."""

from collections.abc import Mapping
from dataclasses import dataclass

from wharfd.model.errors import InvalidParameter
from wharfd.wire.rtlink import is_link_name

PARENT = "parent"
MTU = "com.docker.network.driver.mtu"
MACVLAN, IPVLAN = "macvlan", "ipvlan"

# Linux: include/uapi/linux/if_link.h
MACVLAN_MODES = {"private": 1, "vepa": 2, "bridge": 4, "passthru": 8}
IPVLAN_MODES = {"l2": 0, "l3": 1, "l3s": 2}
IPVLAN_FLAGS = {"bridge": 0, "private": 1, "vepa": 2}
MAX_VLAN = 4094


@dataclass(frozen=True, slots=True, kw_only=True)
class WireOptions:
    """`parent` empty: a link of the network's own that leads nowhere.  `mtu` 0: as the parent's."""

    kind: str
    parent: str = ""
    mode: str = ""
    flag: str = ""
    mtu: int = 0

    @property
    def is_routed(self) -> bool:
        """Without neighbours on the wire: the default routes go by the link itself, and there is no gateway."""
        return self.kind == IPVLAN and self.mode != "l2"

    @property
    def is_exclusive(self) -> bool:
        return self.mode == "passthru"


@dataclass(frozen=True, slots=True)
class VlanName:
    """`eth0.10`"""

    parent: str
    vlan_id: int


def parse_options(kind: str, options: Mapping[str, str]) -> WireOptions:
    """Options of other names are kept with the network and have no effect.  Raises InvalidParameter."""
    parent = options.get(PARENT, "")
    if parent == "lo":
        raise InvalidParameter(f"loopback interface is not a valid {kind} parent link")
    if parent and not is_link_name(parent):
        raise InvalidParameter(f"-o parent interface was not found on the host: {parent}")
    modes, default = (MACVLAN_MODES, "bridge") if kind == MACVLAN else (IPVLAN_MODES, "l2")
    mode = options.get(f"{kind}_mode", "") or default
    if mode not in modes:
        raise InvalidParameter(
            f"requested {kind} mode '{mode}' is not valid, '{default}' mode is the {kind} driver default"
        )
    flag = options.get("ipvlan_flag", "") or "bridge"
    if kind == IPVLAN and flag not in IPVLAN_FLAGS:
        raise InvalidParameter(f"requested ipvlan flag '{flag}' is not valid, 'bridge' is the ipvlan driver default")
    text = options.get(MTU, "")
    mtu = whole_number(text) if text else 0
    if mtu is None or mtu < 0:
        raise InvalidParameter(f"invalid MTU: {text}")
    return WireOptions(kind=kind, parent=parent, mode=mode, flag=flag, mtu=mtu)


def parse_vlan(name: str) -> VlanName:
    """The link and the VLAN that a sub-interface's name stands for.  Raises InvalidParameter."""
    if "." not in name:
        raise InvalidParameter(f"invalid subinterface vlan name {name}, example formatting is eth0.10")
    parts = name.split(".")
    if len(parts) != 2:
        raise InvalidParameter(
            f"required interface name format is: name.vlan_id, ex. eth0.10 for vlan 10, instead received {name}"
        )
    number = whole_number(parts[1])
    if number is None:
        raise InvalidParameter(f"unable to parse a valid vlan id from: {parts[1]} (ex. eth0.10 for vlan 10)")
    if not 1 <= number <= MAX_VLAN:
        raise InvalidParameter(f"vlan id must be between 1-{MAX_VLAN}, received: {number}")
    return VlanName(parts[0], number)


def whole_number(text: str) -> int | None:
    digits = text.removeprefix("-").removeprefix("+")
    return int(text) if digits.isascii() and digits.isdecimal() and len(digits) <= 9 else None
