"""`GET /containers/json`: one entry per container, made for thousands of them.

All but a few values of an entry change only with the container's record, which is immutable: the encoded entry is kept with the record it
was made from, once per shape of the document, and the human `Status` (which moves with the clock) and the sizes are put behind it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from wharfd.api.codec.containers.shared import encode_manifest, encode_mount_point, encode_networks
from wharfd.api.versions.changes import Change, descending, downgrade
from wharfd.api.versions.version import Version
from wharfd.engine.containers.list import ContainerList, Listed
from wharfd.engine.containers.status import health_status, shown_ports, status_text
from wharfd.engine.lifecycle import docker_status
from wharfd.model.container import ContainerRecord
from wharfd.model.image import ImagePlatform
from wharfd.model.json import JsonObject

RESOURCE = "container.list"
STALE_FACTOR = 2  # entries kept per entry shown before those of removed containers are dropped

_encode = msgspec.json.Encoder().encode


class Kept(NamedTuple):
    record: ContainerRecord
    image: str
    manifest: ImagePlatform | None
    linked_names: Sequence[str]
    encoded: bytes  # without its closing brace


class ListEncoder:
    def __init__(self) -> None:
        self.by_shape: dict[tuple[Change, ...], dict[str, Kept]] = {}

    def encode(self, listed: ContainerList, version: Version) -> bytes:
        """The whole body, with its newline."""
        kept = self.by_shape.setdefault(descending(RESOURCE, version), {})
        if len(kept) > STALE_FACTOR * len(listed.entries) + 100:
            kept.clear()
        entries = []
        for each in listed.entries:
            record = each.record
            known = kept.get(record.id)
            if (
                known is None
                or known.record is not record
                or known.image != each.image
                or known.manifest is not each.manifest
                or known.linked_names != each.linked_names
            ):
                entry = downgrade(RESOURCE, version, encode_entry(each))
                known = kept[record.id] = Kept(
                    record, each.image, each.manifest, each.linked_names, _encode(entry)[:-1]
                )
            tail = b',"Status":%b' % _encode(status_text(record, listed.now_ns))
            if each.size is not None:
                tail += size_tail(each.size.rw, each.size.root)
            entries.append(b"%b%b}" % (known.encoded, tail))
        return b"[%b]\n" % b",".join(entries)


def size_tail(own: int, root: int) -> bytes:
    """Docker: a size of 0 is left out."""
    return (b',"SizeRw":%d' % own if own else b"") + (b',"SizeRootFs":%d' % root if root else b"")


def encode_entry(listed: Listed) -> JsonObject:
    """An entry in the newest shape, without `Status` and the sizes."""
    record = listed.record
    host: JsonObject = {"NetworkMode": record.host_config.network_mode}
    if record.host_config.annotations:
        host["Annotations"] = record.host_config.annotations
    doc: JsonObject = {
        "Id": record.id,
        "Names": [f"/{record.name}", *listed.linked_names],
        "Image": listed.image,
        "ImageID": record.image_id,
        "Command": command_text(record),
        "Created": record.created_ns // 1_000_000_000,
        "Ports": encode_list_ports(record),
        "Labels": record.config.labels or {},
        "State": docker_status(record),
        "HostConfig": host,
        "Health": {
            "Status": health_status(record),
            "FailingStreak": record.health.failing_streak if record.health else 0,
        },
        "NetworkSettings": {"Networks": encode_list_networks(record)},
        "Mounts": [encode_mount_point(mount) for mount in record.mounts],
    }
    if listed.manifest is not None:
        doc["ImageManifestDescriptor"] = encode_manifest(listed.manifest)
    return doc


def encode_list_networks(record: ContainerRecord) -> JsonObject:
    """Docker: a list tells addresses only; names and options of endpoints are left to inspect."""
    doc = encode_networks(record.networks)
    for endpoint in doc.values():
        endpoint |= {"Links": None, "Aliases": None, "DriverOpts": None, "DNSNames": None}
    return doc


def command_text(record: ContainerRecord) -> str:
    """Docker: words with a blank in them are put in quotes, however many quotes they hold."""
    return " ".join([record.path, *(f"'{word}'" if " " in word else word for word in record.args)])


def encode_list_ports(record: ContainerRecord) -> list[JsonObject]:
    entries: list[JsonObject] = []
    for key, bindings in shown_ports(record).items():
        number, _, protocol = key.partition("/")
        if not bindings:
            entries.append({"PrivatePort": int(number), "Type": protocol})
        for binding in bindings or ():
            public: JsonObject = {"PublicPort": int(binding.host_port)} if binding.host_port else {}
            entries.append({"IP": binding.host_ip, "PrivatePort": int(number), **public, "Type": protocol})
    return entries
