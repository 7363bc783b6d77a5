"""API 1.40: what it changed."""

from wharfd.api.versions.changes import request, response
from wharfd.model.json import JsonObject


@request("container.create", below="1.40")
def share_ipc(doc: JsonObject) -> None:
    """1.40 made `private` the default of IpcMode; older clients count on `shareable`."""
    host = doc.setdefault("HostConfig", {})
    if not host.get("IpcMode"):
        host["IpcMode"] = "shareable"


@request("container.create", below="1.40")
def bind_recursively(doc: JsonObject) -> None:
    """1.40 added BindOptions.NonRecursive."""
    for mount in doc["HostConfig"].get("Mounts", ()):
        mount.get("BindOptions", {}).pop("NonRecursive", None)


@request("container.update", below="1.40")
def keep_pids_limit(doc: JsonObject) -> None:
    """1.40 added PidsLimit to the update."""
    doc.pop("PidsLimit", None)


@response("container.inspect", below="1.40")
def hide_capabilities(doc: JsonObject) -> None:
    """1.40 added HostConfig.Capabilities (gone again in 1.41) and KernelMemoryTCP."""
    doc["HostConfig"].pop("Capabilities", None)
    doc["HostConfig"].pop("KernelMemoryTCP", None)


@response("container.inspect", below="1.40")
def show_no_pids_limit_as_zero(doc: JsonObject) -> None:
    """1.40 made PidsLimit null where there is none."""
    if doc["HostConfig"]["PidsLimit"] is None:
        doc["HostConfig"]["PidsLimit"] = 0
