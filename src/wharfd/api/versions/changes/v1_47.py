"""API 1.47: what it changed."""

from wharfd.api.versions.changes import response
from wharfd.model.json import JsonObject


@response("image.list", below="1.47")
def hide_manifests(doc: JsonObject) -> None:
    """1.47 added Manifests to the list."""
    doc.pop("Manifests", None)
