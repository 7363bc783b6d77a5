"""API 1.25: what it changed."""

from wharfd.api.versions.changes import request
from wharfd.model.json import JsonObject


@request("container.create", below="1.25")
def leave_removal_to_the_client(doc: JsonObject) -> None:
    """1.25 moved the removal of an AutoRemove container from the client to the daemon."""
    if "HostConfig" in doc:
        doc["HostConfig"].pop("AutoRemove", None)
