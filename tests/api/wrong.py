"""Places in a request body, as the documents have them, and values that are wrong there."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.spec.documents import ApiDocument

Step = str | int
DEEPEST = 12


HUGE = "x" * (1 << 20)

# As JSON, some of it such as no JSON library would write.
WRONG: dict[str, str] = {
    "null": "null",
    "true": "true",
    "zero": "0",
    "negative": "-1",
    "one": "1",
    "fraction": "1.5",
    "huge number": str(2**63 - 1),
    "too large for 64 bits": str(2**64),
    "too large for a double": "1e400",
    "digits without end": "1" * 5000,
    "empty string": '""',
    "string": '"x"',
    "huge string": f'"{HUGE}"',
    "NUL": r'"a\u0000b"',
    "line ends": r'"a\r\nb\n"',
    "upwards": '"../../../../etc/passwd"',
    "absolute upwards": '"/../../etc/passwd"',
    "half a pair": r'"\ud800"',
    "no number": '"-1"',
    "empty array": "[]",
    "array": '["x"]',
    "array of null": "[null]",
    "array of numbers": "[1, -1, 18446744073709551616]",
    "array of huge": f'["{HUGE}"]',
    "array of odd strings": r'["../../x", "/..", "a\u0000b", ""]',
    "array of objects": '[{}, {"x": 1}]',
    "empty object": "{}",
    "object": '{"x": "y"}',
    "object of null": '{"x": null}',
    "object of odd keys": r'{"": "", "..": "..", "a\u0000b": "a\u0000b", "/../x": {}, "\u00e9": 1}',
    "object of arrays": '{"x": [], "80/tcp": [{}], "0": [null]}',
    "deep": "[" * 2000 + "]" * 2000,
    "very deep": "[" * 20_000 + "]" * 20_000,
    "deep object": '{"x":' * 2000 + "1" + "}" * 2000,
}
HERE = "value goes here"


# What stands beside a place, so that it is looked at at all.  By the place of the object.
BESIDE: dict[str, dict[str, Any]] = {
    "HostConfig.Mounts.0": {"Type": "volume", "Target": "/t"},
    "HostConfig.Mounts.0 BindOptions": {"Type": "bind", "Source": "/tmp", "Target": "/t"},
    "HostConfig.Mounts.0 TmpfsOptions": {"Type": "tmpfs", "Target": "/t"},
    "HostConfig.Mounts.0 ImageOptions": {"Type": "image", "Source": "x", "Target": "/t"},
    "HostConfig.Mounts.0.VolumeOptions.DriverConfig": {"Name": "local"},
    "HostConfig.Devices.0": {"PathOnHost": "/dev/null", "PathInContainer": "/dev/x", "CgroupPermissions": "r"},
    "HostConfig.Ulimits.0": {"Name": "nofile", "Soft": 10, "Hard": 10},
    "HostConfig.BlkioWeightDevice.0": {"Path": "/dev/null", "Weight": 100},
    "HostConfig.BlkioDeviceReadBps.0": {"Path": "/dev/null", "Rate": 1},
    "HostConfig.BlkioDeviceReadIOps.0": {"Path": "/dev/null", "Rate": 1},
    "HostConfig.BlkioDeviceWriteBps.0": {"Path": "/dev/null", "Rate": 1},
    "HostConfig.BlkioDeviceWriteIOps.0": {"Path": "/dev/null", "Rate": 1},
    "HostConfig.DeviceRequests.0": {"Driver": "x", "Count": 1},
    "HostConfig.RestartPolicy": {"Name": "on-failure"},
    "HostConfig.LogConfig": {"Type": "json-file"},
    "Healthcheck": {"Test": ["CMD", "true"]},
}
# The key of a map, where not any will do.
KEYS = {
    "ExposedPorts": "80/tcp",
    "Volumes": "/v",
    "HostConfig.LogConfig.Config": "max-size",
    "HostConfig.PortBindings": "80/tcp",
    "HostConfig.Sysctls": "net.ipv4.ip_forward",
    "HostConfig.Tmpfs": "/t",
    "HostConfig.Mounts.0.VolumeOptions.DriverConfig.Options": "type",
    "NetworkingConfig.EndpointsConfig": "bridge",
}


@dataclass(frozen=True)
class Place:
    """`HostConfig.Devices.0.PathOnHost`: 0 is an array's item, `*` a map's value."""

    path: tuple[Step, ...]
    kind: str

    def __str__(self) -> str:
        return dotted(self.path)

    def body(self, base: dict[str, Any], text: str) -> bytes:
        """`base` with this JSON at this place."""
        return json.dumps(merged(base, self.holding(HERE))).replace(json.dumps(HERE), text).encode()

    def holding(self, value: Any) -> Any:
        """The smallest document that has the value at this place, with what must stand beside it."""
        for number in range(len(self.path) - 1, -1, -1):
            step, above = self.path[number], dotted(self.path[:number])
            if step == 0:
                value = [value]
            elif step == "*":
                value = {KEYS.get(above, "x"): value}
            else:
                value = {**BESIDE.get(f"{above} {step}", BESIDE.get(above, {})), step: value}
        return value


def dotted(path: tuple[Step, ...]) -> str:
    return ".".join(str(step) for step in path)


def places(document: ApiDocument, node: Any, path: tuple[Step, ...] = ()) -> Iterator[Place]:
    """Every place below a schema, itself first."""
    if "$ref" in node:
        yield from places(document, document.definition(node["$ref"]), path)
        return
    if len(path) > DEEPEST:
        return
    kind = node.get("type") or "object"
    if path:
        yield Place(path, str(kind))
    for part in node.get("allOf", ()):
        yield from (place for place in places(document, part, path) if place.path != path)
    for name, child in node.get("properties", {}).items():
        yield from places(document, child, (*path, name))
    if "items" in node:
        yield from places(document, node["items"], (*path, 0))
    if isinstance(node.get("additionalProperties"), dict):
        yield from places(document, node["additionalProperties"], (*path, "*"))


def merged(base: Any, more: Any) -> Any:
    """`more` over `base`, objects joined."""
    if isinstance(base, dict) and isinstance(more, dict):
        return {**base, **{key: merged(base[key], value) if key in base else value for key, value in more.items()}}
    return more
