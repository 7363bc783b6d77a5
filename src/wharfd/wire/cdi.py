"""Container Device Interface: what a specification of a vendor's devices adds to a container.

    spec = parse_cdi_spec(document, "/etc/cdi/nvidia.yaml")      # kind "nvidia.com/gpu", devices "0", "all" …
    edits = resolve([spec], ["nvidia.com/gpu=all"])              # of the specification and of its devices, in order
    apply(edits, oci_spec, stat_device)

No I/O.  Source: the CDI specification 0.3 to 1.0 (cncf-tags/container-device-interface, SPEC.md).
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from wharfd.model.errors import InvalidParameter
from wharfd.model.json import Json, JsonObject

KIND = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*/[A-Za-z][A-Za-z0-9_-]*")
DEVICE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.:-]*[A-Za-z0-9])?")
HOOKS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")


class DeviceNode(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is not given is read from the host's node."""

    path: str
    host_path: str = ""
    type: str = ""
    major: int | None = None
    minor: int | None = None
    file_mode: int | None = None
    permissions: str = ""
    uid: int | None = None
    gid: int | None = None


class CdiMount(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    host_path: str
    container_path: str
    options: list[str] = []
    type: str = ""


class Hook(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    hook_name: str
    path: str
    args: list[str] = []
    env: list[str] = []
    timeout: int | None = None  # seconds


class Edits(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    env: list[str] = []
    device_nodes: list[DeviceNode] = []
    mounts: list[CdiMount] = []
    hooks: list[Hook] = []
    additional_gids: list[int] = msgspec.field(default=[], name="additionalGIDs")


class Device(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    name: str
    container_edits: Edits = Edits()


class Document(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    cdi_version: str
    kind: str
    devices: list[Device] = []
    container_edits: Edits = Edits()


@dataclass(frozen=True, slots=True)
class CdiSpec:
    """One file; `devices` by name."""

    kind: str
    source: str
    edits: Edits
    devices: Mapping[str, Edits] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NodeNumbers:
    """Of a device node of the host."""

    type: str
    major: int
    minor: int
    mode: int
    uid: int
    gid: int


def parse_cdi_spec(document: Json, source: str) -> CdiSpec:
    """`document`: the decoded JSON or YAML.  Raises InvalidParameter, which names the source."""
    try:
        found = msgspec.convert(document, Document)
    except msgspec.ValidationError as e:
        raise InvalidParameter(f"invalid CDI specification {source}: {e}") from e
    if KIND.fullmatch(found.kind) is None:
        raise InvalidParameter(f'invalid CDI specification {source}: invalid kind "{found.kind}"')
    if not found.devices:
        raise InvalidParameter(f"invalid CDI specification {source}: no devices")
    devices: dict[str, Edits] = {}
    for device in found.devices:
        if DEVICE.fullmatch(device.name) is None:
            raise InvalidParameter(f'invalid CDI specification {source}: invalid device name "{device.name}"')
        if device.name in devices:
            raise InvalidParameter(f'invalid CDI specification {source}: device "{device.name}" is there twice')
        devices[device.name] = device.container_edits
    for edits in (found.container_edits, *devices.values()):
        for hook in edits.hooks:
            if hook.hook_name not in HOOKS:
                raise InvalidParameter(f'invalid CDI specification {source}: invalid hook "{hook.hook_name}"')
    return CdiSpec(found.kind, source, found.container_edits, devices)


def resolve(specs: Sequence[CdiSpec], names: Iterable[str]) -> list[Edits]:
    """Edits of each specification once, then of its devices.  Of two files that know a device the later one wins.

    Raises:
        InvalidParameter: devices that no file knows, in dockerd's words.
    """
    chosen: list[Edits] = []
    taken: list[CdiSpec] = []
    missing = []
    for name in dict.fromkeys(names):
        kind, _, device = name.partition("=")
        spec = next((each for each in reversed(specs) if each.kind == kind and device in each.devices), None)
        if spec is None:
            missing.append(name)
            continue
        if not any(spec is each for each in taken):
            taken.append(spec)
            chosen.append(spec.edits)
        chosen.append(spec.devices[device])
    if missing:
        raise InvalidParameter(f"CDI device injection failed: unresolvable CDI devices {', '.join(missing)}")
    return chosen


def apply(edits: Iterable[Edits], spec: JsonObject, look: Callable[[str], NodeNumbers | None]) -> None:
    """Change the runtime spec.  `look` gives the numbers of a node of the host.

    Raises:
        InvalidParameter: a device node that the host does not have.
    """
    process, linux = spec["process"], spec["linux"]
    for edit in edits:
        for variable in edit.env:
            set_variable(process["env"], variable)
        for node in edit.device_nodes:
            add_device(linux, node, look)
        for mount in edit.mounts:
            spec["mounts"] = [each for each in spec["mounts"] if each["destination"] != mount.container_path]
            spec["mounts"].append(
                {
                    "destination": mount.container_path,
                    "source": mount.host_path,
                    "type": mount.type or "bind",
                    "options": list(mount.options),
                }
            )
        for hook in edit.hooks:
            add_hook(spec.setdefault("hooks", {}), hook)
        groups = process["user"].setdefault("additionalGids", [])
        groups += [gid for gid in edit.additional_gids if gid and gid not in groups]


def set_variable(env: list[Json], variable: str) -> None:
    name = variable.partition("=")[0]
    env[:] = [each for each in env if str(each).partition("=")[0] != name]
    env.append(variable)


def add_device(linux: JsonObject, node: DeviceNode, look: Callable[[str], NodeNumbers | None]) -> None:
    found = look(node.host_path or node.path)
    if found is None and (node.type == "" or node.major is None or node.minor is None) and node.type != "p":
        raise InvalidParameter(
            f'CDI device injection failed: failed to stat CDI host device "{node.host_path or node.path}": no such file or directory'
        )
    numbers = found or NodeNumbers(node.type, node.major or 0, node.minor or 0, 0o666, 0, 0)
    made: JsonObject = {
        "path": node.path,
        "type": node.type or numbers.type,
        "major": numbers.major if node.major is None else node.major,
        "minor": numbers.minor if node.minor is None else node.minor,
        "fileMode": numbers.mode if node.file_mode is None else node.file_mode,
        "uid": numbers.uid if node.uid is None else node.uid,
        "gid": numbers.gid if node.gid is None else node.gid,
    }
    linux["devices"] = [each for each in linux.get("devices", []) if each["path"] != node.path] + [made]
    if made["type"] in ("b", "c"):
        rules = linux.setdefault("resources", {}).setdefault("devices", [])
        rules.append(
            {
                "allow": True,
                "type": made["type"],
                "major": made["major"],
                "minor": made["minor"],
                "access": node.permissions or "rwm",
            }
        )


def add_hook(hooks: JsonObject, hook: Hook) -> None:
    made: JsonObject = {"path": hook.path}
    if hook.args:
        made["args"] = list(hook.args)
    if hook.env:
        made["env"] = list(hook.env)
    if hook.timeout is not None:
        made["timeout"] = hook.timeout
    hooks.setdefault(hook.hook_name, []).append(made)
