"""Parts that the documents of a container have in common."""

import msgspec

from wharfd.engine.containers.status import Ports
from wharfd.model.config import EndpointSettings
from wharfd.model.container import MountPoint
from wharfd.model.image import ImagePlatform
from wharfd.model.json import JsonObject


def encode_networks(networks: dict[str, EndpointSettings]) -> JsonObject:
    """Every key of an endpoint is there, also where it is null or empty."""
    doc: JsonObject = msgspec.to_builtins(networks)
    for endpoint in doc.values():
        if endpoint["IPAMConfig"] is not None:
            endpoint["IPAMConfig"] = {key: value for key, value in endpoint["IPAMConfig"].items() if value}
    return doc


def encode_mount_point(mount: MountPoint) -> JsonObject:
    """Docker: Name and Driver are left out where there are none."""
    doc: JsonObject = {"Type": mount.type}
    if mount.name:
        doc["Name"] = mount.name
    doc |= {"Source": mount.source, "Destination": mount.destination}
    if mount.driver:
        doc["Driver"] = mount.driver
    return doc | {"Mode": mount.mode, "RW": mount.rw, "Propagation": mount.propagation}


def encode_manifest(manifest: ImagePlatform) -> JsonObject:
    """An OCI descriptor."""
    platform = {"architecture": manifest.architecture, "os": manifest.os}
    if manifest.os_version:
        platform["os.version"] = manifest.os_version
    if manifest.variant:
        platform["variant"] = manifest.variant
    return {
        "mediaType": manifest.media_type,
        "digest": manifest.manifest,
        "size": manifest.manifest_size,
        "platform": platform,
    }


def encode_ports(ports: Ports) -> JsonObject:
    """As inspect shows them: null for a port that is exposed and not published."""
    doc: JsonObject = msgspec.to_builtins(ports)
    return doc
