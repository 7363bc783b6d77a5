"""API 1.44: what it changed."""

from wharfd.api.versions.changes import request, response
from wharfd.model.errors import InvalidParameter
from wharfd.model.json import JsonObject


@response("system.info", below="1.44")
def hide_runtime_status(doc: JsonObject) -> None:
    """1.44 added Runtimes.*.status."""
    for runtime in doc["Runtimes"].values():
        runtime.pop("status", None)


@request("container.create", below="1.44")
def drop_start_interval(doc: JsonObject) -> None:
    """1.44 added Healthcheck.StartInterval."""
    if "Healthcheck" in doc:
        doc["Healthcheck"].pop("StartInterval", None)


@request("container.create", below="1.44")
def refuse_recursive_read_only(doc: JsonObject) -> None:
    """1.44 made read-only binds recursive where the kernel can, and added the option to insist on it."""
    for mount in doc.get("HostConfig", {}).get("Mounts", ()):
        if mount.get("Type") == "bind" and mount.get("BindOptions", {}).get("ReadOnlyForceRecursive"):
            raise InvalidParameter("BindOptions.ReadOnlyForceRecursive needs API v1.44 or newer")


@response("container.inspect", "container.list", below="1.44")
def hide_dns_names(doc: JsonObject) -> None:
    """1.44 added DNSNames to endpoints."""
    for endpoint in doc["NetworkSettings"]["Networks"].values():
        endpoint.pop("DNSNames", None)


@response("image.list", "image.inspect", below="1.44")
def repeat_size(doc: JsonObject) -> None:
    """1.44 removed VirtualSize, which had been the same as Size since 1.22."""
    doc["VirtualSize"] = doc["Size"]


@response("image.inspect", below="1.44")
def show_unknown_time(doc: JsonObject) -> None:
    """1.44 leaves Created out where the image does not say."""
    doc.setdefault("Created", "0001-01-01T00:00:00Z")
