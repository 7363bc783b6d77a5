"""`/system/df` in its two shapes: lists of everything (before 1.52), and sums that may have lists (since)."""

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from wharfd.api.codec.containers.listing import ListEncoder
from wharfd.api.codec.images import encode_summary
from wharfd.api.codec.volumes import encode_volume
from wharfd.api.versions.changes import downgrade
from wharfd.api.versions.version import Version
from wharfd.engine.build.usage import CacheItem
from wharfd.engine.containers.list import ContainerList
from wharfd.engine.images.views import ImageSummary
from wharfd.engine.usage import Totals, Usage, VolumeItem
from wharfd.model.json import JsonObject
from wharfd.wire.timestamps import format_rfc3339_nano

PARENTS = " Parents"  # Docker: with a blank, which clients written in Go share


class UsageEncoder:
    def __init__(self) -> None:
        self.containers_encoder = ListEncoder()

    def lists(self, usage: Usage, version: Version) -> JsonObject:
        """The shape before 1.52: null is what was not asked for."""
        images, containers, volumes = usage.images, usage.containers, usage.volumes
        return {
            "LayersSize": images.totals.total_bytes if images else 0,
            "Images": self.images(images.items, version) if images else None,
            "Containers": self.containers(containers.listed, version) if containers else None,
            "Volumes": self.volumes(volumes.items) if volumes else None,
            "BuildCache": self.build_cache(usage.build_cache.items, version) if usage.build_cache else None,
        }

    def sums(self, usage: Usage, version: Version, *, with_items: bool) -> JsonObject:
        """The shape since 1.52.  What was not asked for is left out, and so are empty lists."""
        images, containers, volumes = usage.images, usage.containers, usage.volumes
        doc: JsonObject = {}
        if images:
            doc["ImageUsage"] = encode_totals(images.totals)
            if with_items and images.items:
                doc["ImageUsage"]["Items"] = self.images(images.items, version)
        if containers:
            doc["ContainerUsage"] = encode_totals(containers.totals)
            if with_items and containers.listed.entries:
                doc["ContainerUsage"]["Items"] = self.containers(containers.listed, version)
        if volumes:
            doc["VolumeUsage"] = encode_totals(volumes.totals)
            if with_items and volumes.items:
                doc["VolumeUsage"]["Items"] = self.volumes(volumes.items)
        if usage.build_cache:
            doc["BuildCacheUsage"] = encode_totals(usage.build_cache.totals)
            if with_items and usage.build_cache.items:
                doc["BuildCacheUsage"]["Items"] = self.build_cache(usage.build_cache.items, version)
        return doc

    def images(self, items: Sequence[ImageSummary], version: Version) -> list[JsonObject]:
        """Docker: here `Containers` is counted for every version, unlike in the list of images."""
        return [
            {**downgrade("image.list", version, encode_summary(each)), "Containers": each.containers} for each in items
        ]

    def containers(self, listed: ContainerList, version: Version) -> msgspec.Raw:
        """Docker: without ImageManifestDescriptor."""
        entries = [replace(each, manifest=None) for each in listed.entries]
        encoded = self.containers_encoder.encode(ContainerList(entries, listed.now_ns), version)
        return msgspec.Raw(encoded.removesuffix(b"\n"))

    def build_cache(self, items: Sequence[CacheItem], version: Version) -> list[JsonObject]:
        return [downgrade("build.cache", version, encode_cache_item(each)) for each in items]

    def volumes(self, items: Sequence[VolumeItem]) -> list[JsonObject]:
        return [
            {**encode_volume(each.record), "UsageData": {"RefCount": each.users, "Size": each.size_bytes}}
            for each in items
        ]


def encode_cache_item(item: CacheItem) -> JsonObject:
    record = item.record
    doc: JsonObject = {
        "ID": record.id,
        "Type": record.kind,
        "Description": record.description,
        "InUse": item.in_use,
        "Shared": item.is_shared,
        "Size": record.size_bytes,
        "CreatedAt": format_rfc3339_nano(record.created_ns),
        "LastUsedAt": format_rfc3339_nano(record.used_ns) if record.used_ns else None,
        "UsageCount": record.uses,
    }
    return {**doc, PARENTS: list(record.parents)} if record.parents else doc


def encode_totals(totals: Totals) -> JsonObject:
    return {
        "ActiveCount": totals.active,
        "TotalCount": totals.count,
        "Reclaimable": totals.reclaimable_bytes,
        "TotalSize": totals.total_bytes,
    }
