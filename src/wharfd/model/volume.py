"""The record of a volume."""

import msgspec

from wharfd.model.ids import VolumeName


class VolumeRecord(msgspec.Struct, frozen=True, kw_only=True):
    name: VolumeName
    driver: str
    mountpoint: str
    created_ns: int
    labels: dict[str, str] | None = None
    options: dict[str, str] | None = None
    anonymous: bool = False
    scope: str = "local"
