"""API 1.43: what it changed."""

from wharfd.api.versions.changes import request
from wharfd.model.json import JsonObject


@request("container.create", below="1.43")
def drop_annotations(doc: JsonObject) -> None:
    """1.43 added HostConfig.Annotations."""
    if "HostConfig" in doc:
        doc["HostConfig"].pop("Annotations", None)
