"""API 1.50: what it changed."""

from wharfd.api.versions.changes import response
from wharfd.model.json import JsonObject


@response("system.info", below="1.50")
def hide_discovered_devices(doc: JsonObject) -> None:
    """1.50 added them."""
    doc.pop("DiscoveredDevices", None)


@response("system.info", below="1.50")
def show_bridge_netfilter(doc: JsonObject) -> None:
    """1.50 removed the two flags."""
    doc["BridgeNfIptables"] = False
    doc["BridgeNfIp6tables"] = False


_OF_CONTAINERS = {
    "Hostname": "",
    "Domainname": "",
    "AttachStdin": False,
    "AttachStdout": False,
    "AttachStderr": False,
    "Tty": False,
    "OpenStdin": False,
    "StdinOnce": False,
    "Image": "",
}


@response("image.inspect", below="1.50")
def show_container_fields(doc: JsonObject) -> None:
    """1.50 removed the fields of Config that only containers have; in images they had been empty."""
    doc["Config"] = {**_OF_CONTAINERS, **doc["Config"]}
