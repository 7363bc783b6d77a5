"""API 1.42: what it changed."""

from wharfd.api.versions.changes import request, response
from wharfd.model.json import JsonObject


@response("system.info", below="1.42")
def show_kernel_memory(doc: JsonObject) -> None:
    """1.42 removed KernelMemory: no kernel of today limits it apart from the rest."""
    doc["KernelMemory"] = doc["KernelMemoryTCP"]


@request("container.create", below="1.42")
def drop_foreign_mount_options(doc: JsonObject) -> None:
    """1.42 added BindOptions.CreateMountpoint, and refuses the options of one mount type on another."""
    for mount in doc.get("HostConfig", {}).get("Mounts", ()):
        mount.get("BindOptions", {}).pop("CreateMountpoint", None)
        if mount.get("Type") != "volume":
            mount.pop("VolumeOptions", None)
        if mount.get("Type") != "tmpfs":
            mount.pop("TmpfsOptions", None)


@request("container.create", below="1.42")
def ignore_console_size(doc: JsonObject) -> None:
    """1.42 honours ConsoleSize on Linux."""
    if "HostConfig" in doc:
        doc["HostConfig"].pop("ConsoleSize", None)


@request("exec.create", "exec.start", below="1.42")
def ignore_exec_console_size(doc: JsonObject) -> None:
    """1.42 added ConsoleSize."""
    doc.pop("ConsoleSize", None)


@response("container.inspect", below="1.42")
def show_container_kernel_memory(doc: JsonObject) -> None:
    """1.42 removed the limits of kernel memory."""
    doc["HostConfig"]["KernelMemory"] = 0
    doc["HostConfig"]["KernelMemoryTCP"] = 0


@response("build.cache", below="1.42")
def show_one_parent(doc: JsonObject) -> None:
    """1.42 replaced Parent by Parents (which dockerd writes with a blank before it)."""
    parents = doc.pop(" Parents", None)
    if parents:
        doc["Parent"] = parents[0]
