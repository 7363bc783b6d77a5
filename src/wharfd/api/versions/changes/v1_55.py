"""API 1.55: what it changed."""

from wharfd.api.versions.changes import request
from wharfd.model.json import JsonObject

_DEVICE_LISTS = (
    "BlkioWeightDevice",
    "BlkioDeviceReadBps",
    "BlkioDeviceWriteBps",
    "BlkioDeviceReadIOps",
    "BlkioDeviceWriteIOps",
)


@request("container.update", below="1.55")
def keep_device_limits(doc: JsonObject) -> None:
    """1.55 made the update honour the limits per device."""
    for name in _DEVICE_LISTS:
        doc.pop(name, None)
