"""API 1.48: what it changed."""

from wharfd.api.versions.changes import response
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
