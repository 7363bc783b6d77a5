"""API 1.48: what it changed."""

from wharfd.api.versions.changes import request, response
from wharfd.model.errors import InvalidParameter
from wharfd.model.json import JsonObject


@response("system.info", below="1.48")
def show_nondistributable(doc: JsonObject) -> None:
    """1.48 removed the two lists, which had been null since 1.46."""
    doc["RegistryConfig"]["AllowNondistributableArtifactsCIDRs"] = None
    doc["RegistryConfig"]["AllowNondistributableArtifactsHostnames"] = None


@response("network.list", "network.inspect", below="1.48")
def hide_enable_ipv4(doc: JsonObject) -> None:
    """1.48 added EnableIPv4."""
    doc.pop("EnableIPv4", None)


@request("container.create", below="1.48")
def refuse_image_mounts(doc: JsonObject) -> None:
    """1.48 added mounts of type image."""
    for mount in doc.get("HostConfig", {}).get("Mounts", ()):
        if mount.get("Type") == "image":
            raise InvalidParameter('Mount type "Image" needs API v1.48 or newer')


@request("container.create", below="1.48")
def level_gateway_priorities(doc: JsonObject) -> None:
    """1.48 added GwPriority; before, all endpoints had the same."""
    for endpoint in doc.get("NetworkingConfig", {}).get("EndpointsConfig", {}).values():
        if endpoint is not None:
            endpoint.pop("GwPriority", None)


@response("container.inspect", "container.list", below="1.48")
def hide_manifest_and_priority(doc: JsonObject) -> None:
    """1.48 added ImageManifestDescriptor, and GwPriority to endpoints."""
    doc.pop("ImageManifestDescriptor", None)
    for endpoint in doc["NetworkSettings"]["Networks"].values():
        endpoint.pop("GwPriority", None)


@response("image.list", "image.inspect", below="1.48")
def hide_image_descriptor(doc: JsonObject) -> None:
    """1.48 added Descriptor to both, and Manifests to inspect."""
    doc.pop("Descriptor", None)


@response("image.inspect", below="1.48")
def hide_image_manifests(doc: JsonObject) -> None:
    doc.pop("Manifests", None)
