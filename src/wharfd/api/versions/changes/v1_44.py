"""API 1.44: what it changed."""

from wharfd.api.versions.changes import response
from wharfd.model.json import JsonObject


@response("system.info", below="1.44")
def hide_runtime_status(doc: JsonObject) -> None:
    """1.44 added Runtimes.*.status."""
    for runtime in doc["Runtimes"].values():
        runtime.pop("status", None)
