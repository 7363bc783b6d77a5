"""Changes of a container's files, and the body and answer of a commit."""

from collections.abc import Sequence

import msgspec

from wharfd.api.codec.containers.create import SHAPE
from wharfd.api.versions.changes import upgrade
from wharfd.api.versions.version import Version
from wharfd.model.config import ContainerConfig
from wharfd.model.files import Change
from wharfd.model.json import Json, JsonObject


def encode_changes(changes: Sequence[Change]) -> Json:
    """Docker: null where nothing has changed."""
    return [{"Path": each.path.decode("utf-8", "replace"), "Kind": int(each.kind)} for each in changes] or None


def decode_commit(doc: Json, version: Version) -> ContainerConfig | None:
    """The portable part of a create request, or nothing.  Raises InvalidParameter."""
    if doc is None:
        return None
    return msgspec.convert(upgrade("container.create", version, SHAPE.clean(doc)), ContainerConfig)


def encode_committed(image_id: str) -> JsonObject:
    return {"Id": image_id}
