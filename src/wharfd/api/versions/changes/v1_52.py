"""API 1.52: what it changed."""

from wharfd.api.versions.changes import response
from wharfd.model.json import JsonObject


@response("network.inspect", below="1.52")
def hide_network_status(doc: JsonObject) -> None:
    """1.52 added Status."""
    doc.pop("Status", None)


@response("network.list", below="1.52")
def show_empty_containers(doc: JsonObject) -> None:
    """1.52 took Containers out of the list; from 1.28 on it had been empty there."""
    doc.setdefault("Containers", {})
