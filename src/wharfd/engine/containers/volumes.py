"""The volumes that a container's record mounts."""

from collections.abc import Iterator

from wharfd.engine.ledger import Ledger
from wharfd.model.container import ContainerRecord, MountPoint
from wharfd.model.volume import VolumeRecord

VOLUME = "volume"


def volumes_of(ledger: Ledger, record: ContainerRecord) -> Iterator[tuple[MountPoint, VolumeRecord]]:
    for mount in record.mounts:
        volume = ledger.volumes.get(mount.name) if mount.type == VOLUME else None
        if volume is not None:
            yield mount, volume


def anonymous_alone(ledger: Ledger, record: ContainerRecord) -> list[VolumeRecord]:
    """Volumes without a name of their own that no other container mounts: they may go with this one."""
    mine = [volume for _, volume in volumes_of(ledger, record) if volume.anonymous]
    if not mine:
        return []
    others = {
        mount.name
        for other in ledger.containers
        if other.id != record.id
        for mount in other.mounts
        if mount.type == VOLUME
    }
    return [volume for volume in mine if volume.name not in others]
