"""`POST /containers/{id}/update`: limits at the top of the body, and the restart policy."""

from wharfd.api.codec.containers.gotypes import GO_TYPES
from wharfd.api.codec.shape import Shape
from wharfd.api.versions.changes import upgrade
from wharfd.api.versions.version import Version
from wharfd.model.config import HostConfig
from wharfd.model.json import Json, JsonObject

SHAPE = Shape.of(HostConfig, "container.UpdateConfig", GO_TYPES, prefix="UpdateConfig")


def decode_update(doc: Json, version: Version) -> HostConfig:
    """Docker: without a body nothing changes.  Raises InvalidParameter."""
    return SHAPE.convert(upgrade("container.update", version, SHAPE.clean(doc)))


def encode_updated(warnings: list[str]) -> JsonObject:
    """Docker: null where there are none."""
    return {"Warnings": warnings or None}
