"""Volumes between JSON and records."""

import msgspec

from wharfd.api.codec.shape import Shape
from wharfd.engine.volumes.prune import PrunedVolumes
from wharfd.engine.volumes.shared import VolumeView
from wharfd.model.json import Json, JsonObject
from wharfd.model.volume import VolumeRecord
from wharfd.wire.timestamps import format_rfc3339


class CreateOptions(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """The body of `POST /volumes/create`; `cluster_volume_spec` is looked at only to refuse it."""

    name: str = ""
    driver: str = ""
    driver_opts: dict[str, str] | None = None
    labels: dict[str, str] | None = None
    cluster_volume_spec: dict[str, dict[str, str]] | None = None


SHAPE = Shape.of(CreateOptions, "volume.CreateOptions", prefix="CreateOptions")


def asks_for_cluster(doc: Json) -> bool:
    return isinstance(doc, dict) and any(
        key.lower() == "clustervolumespec" and value is not None for key, value in doc.items()
    )


def decode_create(doc: Json) -> CreateOptions:
    """Docker: without a body an anonymous volume is made.  Raises InvalidParameter."""
    if asks_for_cluster(doc):
        doc = {key: value for key, value in doc.items() if key.lower() != "clustervolumespec"}
    return SHAPE.convert(SHAPE.clean(doc))


def encode_volume(volume: VolumeRecord) -> JsonObject:
    return {
        "CreatedAt": format_rfc3339(volume.created_ns),
        "Driver": volume.driver,
        "Labels": volume.labels,
        "Mountpoint": volume.mountpoint,
        "Name": volume.name,
        "Options": volume.options or None,
        "Scope": volume.scope,
    }


def encode_view(view: VolumeView) -> JsonObject:
    doc = encode_volume(view.record)
    if view.status is not None:
        doc["Status"] = view.status
    return doc


def encode_volumes(volumes: list[VolumeRecord], warnings: list[str]) -> JsonObject:
    """Docker: [] and null where there are none."""
    return {"Volumes": [encode_volume(volume) for volume in volumes], "Warnings": warnings or None}


def encode_pruned(pruned: PrunedVolumes) -> JsonObject:
    return {"VolumesDeleted": pruned.names, "SpaceReclaimed": pruned.reclaimed_bytes}
