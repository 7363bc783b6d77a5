"""API 1.46: what it changed."""

from wharfd.api.versions.changes import response
from wharfd.model.json import JsonObject


@response("container.list", below="1.46")
def hide_annotations(doc: JsonObject) -> None:
    """1.46 added HostConfig.Annotations to the list."""
    doc["HostConfig"].pop("Annotations", None)
