"""The devices of a plan: the nodes that the container finds below /dev, and the rules that say which it may use."""

from collections.abc import Sequence

from wharfd.model.config import DeviceMapping, HostConfig
from wharfd.model.errors import InvalidParameter
from wharfd.model.json import JsonObject
from wharfd.ports.host import HostDevice
from wharfd.wire.limits import parse_device_permissions, parse_device_rule

ResolvedDevices = Sequence[tuple[DeviceMapping, Sequence[HostDevice]]]

# Everything is denied, then: any node may be made; zero, null, full, urandom, random, tty, console, ptmx and terminals may be used.
_DEFAULT_ALLOWED: tuple[tuple[str, int | None, int | None, str], ...] = (
    ("c", None, None, "m"),
    ("b", None, None, "m"),
    ("c", 1, 3, "rwm"),
    ("c", 1, 5, "rwm"),
    ("c", 1, 7, "rwm"),
    ("c", 1, 8, "rwm"),
    ("c", 1, 9, "rwm"),
    ("c", 5, 0, "rwm"),
    ("c", 5, 1, "rwm"),
    ("c", 5, 2, "rwm"),
    ("c", 136, None, "rwm"),
)


def device_rules(asked: HostConfig, resolved: ResolvedDevices) -> list[JsonObject]:
    """`linux.resources.devices`, in order: the last rule that fits decides."""
    if asked.privileged:
        return [{"allow": True, "access": "rwm"}]
    rules: list[JsonObject] = [{"allow": False, "access": "rwm"}]
    rules += [_rule(*allowed) for allowed in _DEFAULT_ALLOWED]
    for mapping, nodes in resolved:
        access = parse_device_permissions(mapping.cgroup_permissions)
        rules += [_rule(node.type, node.major, node.minor, access) for node in nodes]
    rules += [_rule(*parse_device_rule(text)) for text in asked.device_cgroup_rules or ()]
    return rules


def device_nodes(asked: HostConfig, resolved: ResolvedDevices, everything: Sequence[HostDevice]) -> list[JsonObject]:
    """`linux.devices`: nodes besides those that every runtime makes.  A later mapping to the same path wins.

    Raises:
        InvalidParameter: a mapping of something that is no device.
    """
    nodes: dict[str, JsonObject] = {}
    if asked.privileged:
        nodes.update((node.path, _node(node.path, node)) for node in everything)
    for mapping, found in resolved:
        if not found:
            raise InvalidParameter(
                f'error gathering device information while adding custom device "{mapping.path_on_host}": '
                "no such file or directory"
            )
        for node in found:
            path = _path_inside(mapping, node)
            nodes[path] = _node(path, node)
    return list(nodes.values())


def _path_inside(mapping: DeviceMapping, node: HostDevice) -> str:
    inside = mapping.path_in_container or mapping.path_on_host
    # A directory of devices keeps its shape below the place it is mapped to.
    below = node.path.removeprefix(mapping.path_on_host.rstrip("/") + "/")
    return inside if below == node.path else f"{inside.rstrip('/')}/{below}"


def _node(path: str, node: HostDevice) -> JsonObject:
    return {
        "path": path,
        "type": node.type,
        "major": node.major,
        "minor": node.minor,
        "fileMode": node.mode,
        "uid": node.uid,
        "gid": node.gid,
    }


def _rule(kind: str, major: int | None, minor: int | None, access: str) -> JsonObject:
    rule: JsonObject = {"allow": True, "type": kind, "access": access}
    if major is not None:
        rule["major"] = major
    if minor is not None:
        rule["minor"] = minor
    return rule
