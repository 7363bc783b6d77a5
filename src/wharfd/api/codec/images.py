"""Images in the newest shape, and the platform of a query."""

from collections.abc import Sequence

import msgspec

from wharfd.engine.images.delete import Step
from wharfd.engine.images.names import familiar
from wharfd.engine.images.progress import ImageLoaded, LayerLoaded
from wharfd.engine.images.prune import Pruned
from wharfd.engine.images.views import HistoryRow, ImageDetails, ImageSummary, ManifestView
from wharfd.model.config import HealthConfig
from wharfd.model.errors import InvalidParameter
from wharfd.model.ids import short_id
from wharfd.model.image import RunConfig
from wharfd.model.json import Json, JsonObject
from wharfd.wire.oci import Descriptor, Platform
from wharfd.wire.oci.platforms import normalise
from wharfd.wire.timestamps import format_rfc3339_nano, parse_rfc3339

SECOND = 1_000_000_000


def encode_summary(summary: ImageSummary) -> JsonObject:
    record = summary.record
    doc: JsonObject = {
        "Id": record.id,
        "ParentId": record.parent,
        "RepoTags": [familiar(name) for name in summary.tags],
        "RepoDigests": [familiar(name) for name in summary.digests],
        "Created": record.created_ns // SECOND,
        "Size": summary.size_bytes,
        "SharedSize": summary.shared_bytes,
        "Labels": record.labels,
        "Containers": summary.containers,
        "Descriptor": encode_descriptor(summary.target),
    }
    if summary.manifests is not None:
        doc["Manifests"] = [encode_manifest(row) for row in summary.manifests]
    return doc


def encode_details(details: ImageDetails) -> JsonObject:
    record, config, platform = details.record, details.config, details.platform
    doc: JsonObject = {
        "Id": record.id,
        "RepoTags": [familiar(name) for name in record.tags],
        "RepoDigests": [familiar(name) for name in record.digests],
        "Architecture": platform.architecture,
        "Os": platform.os,
        "Size": details.size_bytes,
        "RootFS": {"Type": "layers", "Layers": platform.diff_ids} if platform.diff_ids else {"Type": "layers"},
        "Metadata": {"LastTagTime": format_rfc3339_nano(record.tagged_ns)},
        "Descriptor": encode_descriptor(details.target),
        "Config": encode_config(config.config),
    }
    optional = {
        "Comment": config.history[-1].comment if config.history else "",
        "Created": format_created(config.created),
        "Author": config.author,
        "Parent": record.parent,
        "DockerVersion": config.docker_version,
        "Variant": platform.variant,
        "OsVersion": platform.os_version,
    }
    doc |= {key: value for key, value in optional.items() if value}
    if details.manifests is not None:
        doc["Manifests"] = [encode_manifest(row) for row in details.manifests]
    return doc


def format_created(text: str) -> str:
    """As Go prints it again, whatever zone and fraction the image's author wrote."""
    try:
        return format_rfc3339_nano(parse_rfc3339(text)) if text else ""
    except InvalidParameter:
        return ""


def encode_config(config: RunConfig) -> JsonObject:
    """Docker: from 1.52 on, what is empty is left out."""
    doc: JsonObject = {
        "User": config.user,
        "ExposedPorts": config.exposed_ports,
        "Env": config.env,
        "Cmd": config.cmd,
        "Healthcheck": encode_health(config.healthcheck) if config.healthcheck else None,
        "ArgsEscaped": config.args_escaped,
        "Volumes": config.volumes,
        "WorkingDir": config.working_dir,
        "Entrypoint": config.entrypoint,
        "OnBuild": config.on_build,
        "Labels": config.labels,
        "StopSignal": config.stop_signal,
        "Shell": config.shell,
    }
    return {key: value for key, value in doc.items() if value}


def encode_health(health: HealthConfig) -> JsonObject:
    doc: JsonObject = msgspec.to_builtins(health)
    return {key: value for key, value in doc.items() if value}


def encode_descriptor(descriptor: Descriptor) -> JsonObject:
    doc: JsonObject = msgspec.to_builtins(descriptor)
    return {key: value for key, value in doc.items() if value is not None}


def encode_manifest(row: ManifestView) -> JsonObject:
    doc: JsonObject = {
        "ID": row.descriptor.digest,
        "Descriptor": encode_descriptor(row.descriptor),
        "Available": row.available,
        "Size": {"Content": row.content_size, "Total": row.content_size + row.unpacked_size},
        "Kind": row.kind,
    }
    if row.kind == "image":
        platform = row.platform or Platform(os="unknown", architecture="unknown")
        doc["ImageData"] = {
            "Platform": msgspec.to_builtins(platform),
            "Containers": row.containers or None,
            "Size": {"Unpacked": row.unpacked_size},
        }
    elif row.kind == "attestation":
        doc["AttestationData"] = {"For": row.describes}
    return doc


def encode_history(rows: Sequence[HistoryRow]) -> list[JsonObject]:
    return [
        {
            "Id": row.id or "<missing>",
            "Created": seconds(row.entry.created),
            "CreatedBy": row.entry.created_by,
            "Tags": [familiar(name) for name in row.tags] or None,
            "Size": row.size_bytes,
            "Comment": row.entry.comment,
        }
        for row in rows
    ]


def seconds(text: str) -> int:
    try:
        return parse_rfc3339(text) // SECOND if text else 0
    except InvalidParameter:
        return 0


def encode_steps(steps: Sequence[Step]) -> list[JsonObject]:
    return [{"Deleted": step.name} if step.deleted else {"Untagged": step.name} for step in steps]


def encode_pruned(pruned: Pruned) -> JsonObject:
    return {"ImagesDeleted": encode_steps(pruned.steps) or None, "SpaceReclaimed": pruned.reclaimed_bytes}


def encode_progress(told: LayerLoaded | ImageLoaded) -> JsonObject:
    match told:
        case LayerLoaded(chain_id, size):
            detail = {"current": size, "total": size}
            return {"status": "Loading layer", "id": short_id(chain_id), "progressDetail": detail}
        case ImageLoaded(image_id, name):
            return {"stream": f"Loaded image: {name}\n" if name else f"Loaded image ID: {image_id}\n"}


def decode_platform(text: str) -> Platform:
    """The JSON form of a query's `platform`.  Raises InvalidParameter with dockerd's texts."""
    try:
        found: Json = msgspec.json.decode(text)
        platform = msgspec.convert(found or {}, Platform)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as e:
        raise InvalidParameter(f"failed to parse platform: {e}") from e
    if (
        not platform.os
        and not platform.architecture
        and (platform.variant or platform.os_version or platform.os_features)
    ):
        raise InvalidParameter("optional platform fields provided, but OS and Architecture are missing")
    if not platform.os or not platform.architecture:
        raise InvalidParameter("both OS and Architecture must be provided")
    return normalise(platform)
