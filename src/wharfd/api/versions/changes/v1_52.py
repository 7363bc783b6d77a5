"""API 1.52: what it changed."""

from wharfd.api.versions.changes import response
from wharfd.model.json import JsonObject


@response("network.inspect", below="1.52")
def hide_network_status(doc: JsonObject) -> None:
    """1.52 added Status."""
    doc.pop("Status", None)


@response("network.list", below="1.52")
def show_empty_containers(doc: JsonObject) -> None:
    """1.52 took Containers out of the list; from 1.28 on it had been empty there."""
    doc.setdefault("Containers", {})


_OF_DEFAULT_BRIDGE = {
    "EndpointID": "",
    "Gateway": "",
    "GlobalIPv6Address": "",
    "GlobalIPv6PrefixLen": 0,
    "IPAddress": "",
    "IPPrefixLen": 0,
    "IPv6Gateway": "",
    "MacAddress": "",
}


@response("container.inspect", below="1.52")
def repeat_default_bridge(doc: JsonObject) -> None:
    """1.52 removed the top-level copy of the default bridge's endpoint, and fields that had long been empty."""
    settings = doc["NetworkSettings"]
    bridge = settings["Networks"].get("bridge") or {}
    settings |= {key: bridge.get(key, empty) for key, empty in _OF_DEFAULT_BRIDGE.items()}
    settings |= {
        "Bridge": "",
        "HairpinMode": False,
        "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0,
        "SecondaryIPAddresses": None,
        "SecondaryIPv6Addresses": None,
    }


@response("container.list", below="1.52")
def hide_health(doc: JsonObject) -> None:
    """1.52 added Health to the list."""
    doc.pop("Health", None)


@response("event", below="1.52")
def repeat_actor(doc: JsonObject) -> None:
    """1.52 removed the copies at the top that containers' and images' events had carried since long before 1.24."""
    if doc["Type"] not in {"container", "image"}:
        return
    doc["status"] = doc["Action"]
    doc["id"] = doc["Actor"]["ID"]
    if doc["Type"] == "container":
        doc["from"] = doc["Actor"]["Attributes"].get("image", "")


_NEVER_OMITTED = {
    "User": "",
    "Env": None,
    "Cmd": None,
    "Volumes": None,
    "WorkingDir": "",
    "Entrypoint": None,
    "OnBuild": None,
    "Labels": None,
}


@response("image.inspect", below="1.52")
def show_empty_image_fields(doc: JsonObject) -> None:
    """1.52 leaves out what is empty, in Config and beside it."""
    for key in ("Parent", "Comment", "DockerVersion", "Author"):
        doc.setdefault(key, "")
    doc["Config"] = {**_NEVER_OMITTED, **doc["Config"]}


@response("container.stats", below="1.52")
def hide_os_type(doc: JsonObject) -> None:
    """1.52 added os_type."""
    doc.pop("os_type", None)
