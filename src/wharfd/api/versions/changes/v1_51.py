"""API 1.51: what it changed."""

from wharfd.api.versions.changes import response
from wharfd.model.json import JsonObject


@response("image.list", below="1.51")
def hide_container_count(doc: JsonObject) -> None:
    """1.51 counts the containers of an image; before, -1 said that nobody had counted."""
    doc["Containers"] = -1
