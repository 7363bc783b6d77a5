"""API 1.41: what it changed."""

from wharfd.api.versions.changes import response
from wharfd.model.json import JsonObject


@response("container.inspect", below="1.41")
def show_capabilities(doc: JsonObject) -> None:
    """1.41 removed HostConfig.Capabilities, which 1.40 alone had."""
    doc["HostConfig"]["Capabilities"] = None
